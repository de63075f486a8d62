import { fieldsOf, openNode, relationName, textOf, walk } from '../../sql/tree.ts'
import type { Problem, StatementRule, StatementView } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-server-program',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  title: "A migration uses the server's files or programs",
  why: `\`copy … from program\`, \`copy … from '/file'\`, \`pg_read_file\` and \`lo_import\` work as the operating system's user of the server, need a superuser or
a role that comes close to one, and depend on files that no other server has.`,
  instead: 'Write the rows into the migration or a seed, or load them from the client.',
  examples: {
    bad: [
      {
        title: 'a program',
        before: 'create table notes (body text);',
        up: "copy notes from program 'true';",
        only: 'text',
      },
      {
        title: 'a file',
        before: 'create table notes (body text);',
        up: "copy notes from '/nowhere/notes.csv';",
        fails: true,
        only: 'text',
      },
    ],
    good: [{ title: 'rows', before: 'create table notes (body text);', up: "insert into notes values ('first');" }],
  },
  check: view => (view.statement.kind === 'CopyStmt' || mayCall.test(view.statement.text) ? used(view) : undefined),
}

/** Names with escapes hide theirs. */
const mayCall = /pg_(?:read|ls|execute)_|lo_(?:im|ex)port|U&/i

function* used({ statement, fields }: StatementView): Iterable<Problem> {
  if (statement.kind === 'CopyStmt' && textOf(fields, 'filename') !== '') {
    const what = fields['is_program'] === true ? 'a program' : 'a file'
    yield {
      message: `${relationName(fieldsOf(fields, 'relation')) || 'A query'} is copied ${fields['is_from'] === true ? 'from' : 'to'} ${what} on the server.`,
    }
  }
  if (!mayCall.test(statement.text)) return
  const called = new Set<string>()
  walk(statement.tree, (kind, call) => {
    if (kind !== 'FuncCall') return
    const names = (Array.isArray(call['funcname']) ? call['funcname'] : []).map(node =>
      textOf(openNode(node)[1], 'sval'),
    )
    const name = names.at(-1) ?? ''
    if (/^(pg_read_file|pg_read_binary_file|pg_ls_dir|lo_import|lo_export|pg_execute_server_program)$/.test(name))
      called.add(name)
  })
  for (const name of called) yield { message: `${name} works with files of the server.` }
}
