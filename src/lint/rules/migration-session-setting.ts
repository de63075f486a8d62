import { textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { isOneTransaction, leadOf } from '../transactions.ts'

export const rule: StatementRule = {
  name: 'migration-session-setting',
  category: 'migrations',
  severity: 'notice',
  shape: 'statement',
  directions: ['up', 'down'],
  needs: 'text',
  kinds: ['VariableSetStmt'],
  title: 'A setting outlives the transaction that it is for',
  why: `\`set\` lasts until the session ends. The runner of this project sets the session back behind every file; other runners, and a pooler in
transaction mode, hand the setting on to whoever comes next.`,
  instead: 'Write `set local`, which ends with the transaction.',
  examples: {
    bad: [{ title: 'for the session', up: "set statement_timeout = '1min';\ncreate table users (id bigint);" }],
    good: [
      { title: 'for the transaction', up: "set local statement_timeout = '1min';\ncreate table users (id bigint);" },
      {
        title: 'set back at the end',
        up: "set statement_timeout = '1min';\ncreate table users (id bigint);\nreset statement_timeout;",
      },
    ],
  },
  *check(view) {
    const { statement, fields } = view
    const name = textOf(fields, 'name')
    const sets = /^VAR_SET_(VALUE|CURRENT)$/.test(textOf(fields, 'kind'))
    if (!sets || !statement.setsSession || !isOneTransaction(view.file) || isReset(view, name)) return
    const edit = localize(view)
    yield {
      message: `${name} stays set when the transaction of this file is over.`,
      object: name,
      ...(edit ? { fix: { title: 'Set it for the transaction', edits: [edit] } } : {}),
    }
  },
}

function isReset({ file, statement }: StatementView, name: string): boolean {
  return file.statements.some(
    later =>
      later.statement.index > statement.index &&
      later.statement.kind === 'VariableSetStmt' &&
      /^VAR_(RESET|SET_DEFAULT)/.test(textOf(later.fields, 'kind')) &&
      [name, ''].includes(textOf(later.fields, 'name')),
  )
}

function localize({ statement }: StatementView) {
  const lead = leadOf(statement.text)
  const match = /^set(\s+session)?(?=\s)/i.exec(statement.text.slice(lead))
  if (!match) return null
  const start = statement.start + lead
  return { start, end: start + match[0].length, text: 'set local' }
}
