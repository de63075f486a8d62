import { fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { tablesShut } from '../weight.ts'

export const rule: StatementRule = {
  name: 'lock-timeout-disabled',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['VariableSetStmt'],
  title: 'The lock timeout is switched off before a table in use is locked',
  why: `Without a lock timeout a statement waits for its lock without end, and everybody who comes later waits behind it. The timeout of the run
gives way and tries again later.`,
  instead: "Leave the setting out, or give it a short time: `set local lock_timeout = '2s'`.",
  examples: {
    bad: [
      {
        title: 'waits for ever',
        before: 'create table users (id bigint);',
        up: 'set lock_timeout = 0;\nalter table users add column name text;',
      },
    ],
    good: [
      {
        title: 'a short one',
        before: 'create table users (id bigint);',
        up: "set local lock_timeout = '2s';\nalter table users add column name text;",
      },
      {
        title: 'nothing in use is locked, as in a dump',
        up: 'set lock_timeout = 0;\ncreate table users (id bigint);',
      },
    ],
  },
  *check(view) {
    const { statement, file } = view
    if (textOf(view.fields, 'name') !== 'lock_timeout' || !isZero(view)) return
    const first = file.statements.slice(statement.index + 1).find(later => tablesShut(later).length > 0)
    if (!first) return
    const [table] = tablesShut(first)
    yield {
      message: `Line ${first.statement.line} then waits for ${table} without end, and everybody else behind it.`,
      object: table ?? 'lock_timeout',
    }
  },
}

/** Zero is left out by the parser. */
function isZero({ fields }: StatementView): boolean {
  const [, constant] = openNode(listOf(fields, 'args')[0])
  const { ival } = fieldsOf(constant, 'ival')
  const text = textOf(fieldsOf(constant, 'sval'), 'sval')
  if (textOf(fields, 'kind') !== 'VAR_SET_VALUE') return false
  return text === '' ? ival === undefined && constant['fval'] === undefined : /^0+\s*(ms|s|min|h|d)?$/.test(text)
}
