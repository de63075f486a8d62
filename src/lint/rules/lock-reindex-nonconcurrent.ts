import { isOptionOn, textOf } from '../../sql/tree.ts'
import { targetOf } from '../alter.ts'
import { insertAfter } from '../rewrite.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, mayRunBare, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-reindex-nonconcurrent',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['ReindexStmt'],
  title: 'Indexes are built anew while nobody can write',
  why: `\`reindex\` holds a \`SHARE\` lock on the table and \`ACCESS EXCLUSIVE\` on the index until it is done: writes wait, and so do queries that
would use the index.`,
  instead: 'Write `reindex … concurrently` in a file of its own.',
  examples: {
    bad: [
      {
        title: 'a table in use',
        before: 'create table users (id bigint primary key);',
        up: 'reindex table users;',
      },
      {
        title: 'one index',
        before: 'create table users (id bigint primary key);',
        up: 'reindex index users_pkey;',
      },
    ],
    good: [
      {
        title: 'concurrently',
        before: 'create table users (id bigint primary key);',
        up: 'reindex table concurrently users;',
      },
    ],
  },
  *check(view) {
    if (view.statement.kind !== 'ReindexStmt' || isOptionOn(view.fields, 'params', 'concurrently')) return
    const written = targetOf(view)
    // A schema or a database holds tables in use, whatever they are.
    const target = written ? inUse(view, written) : textOf(view.fields, 'name') || 'the database'
    if (target === null) return
    const edit = insertAfter(view, /reindex\s*(\([^)]*\)\s*)?(index|table|schema|database)\b/i, ' concurrently')
    yield {
      message: `Writes wait until the indexes of ${sized(view, target)} are built anew.`,
      object: target,
      ...(edit && view.file.before && mayRunBare(view)
        ? { fix: { title: 'Build them concurrently', edits: [edit] } }
        : {}),
    }
  },
}
