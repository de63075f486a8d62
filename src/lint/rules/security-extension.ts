import { textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-extension',
  category: 'security',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  textKinds: ['CreateExtensionStmt'],
  title: 'An extension is not on the list',
  why: `An extension is code that runs within the server, often as a superuser. A server of a provider may not have it, and an upgrade of the server
waits for it. Which ones may be used is declared under \`lint.extensions\`; without that list this rule is silent.`,
  instead: 'Do without it, or add it to `lint.extensions` after looking at it.',
  examples: {
    bad: [
      {
        title: 'not on the list',
        settings: { extensions: ['citext'] },
        up: 'create extension if not exists plpgsql;',
      },
    ],
    good: [
      { title: 'on the list', settings: { extensions: ['plpgsql'] }, up: 'create extension if not exists plpgsql;' },
      { title: 'no list', up: 'create extension if not exists plpgsql;' },
    ],
  },
  *check({ statement, fields, seen, file }) {
    const allowed = file.settings.extensions
    if (allowed === null) return
    const written = statement.kind === 'CreateExtensionStmt' ? [textOf(fields, 'extname')] : []
    const made = seen?.changes.filter(change => change.kind === 'extension' && change.action === 'create') ?? []
    for (const name of new Set([...written, ...made.map(change => change.name)])) {
      if (allowed.includes(name) || name === '') continue
      yield {
        object: name,
        message: `The extension ${name} is not among those that may be used: ${allowed.join(', ') || 'none'}.`,
      }
    }
  },
}
