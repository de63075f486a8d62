import { listOf, openNode, relationName } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

const modes = ['SHARE', 'SHARE ROW EXCLUSIVE', 'EXCLUSIVE', 'ACCESS EXCLUSIVE']

export const rule: StatementRule = {
  name: 'lock-explicit',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['LockStmt'],
  title: 'A table in use is locked by hand',
  why: `\`lock table\` without a mode takes \`ACCESS EXCLUSIVE\`, and whatever it takes is held until the transaction ends. Statements take the
lock that they need by themselves.`,
  instead: 'Leave `lock table` out, or name a weaker mode such as `in share update exclusive mode`.',
  examples: {
    bad: [
      {
        title: 'without a mode',
        before: 'create table users (id bigint);',
        up: 'lock table users;',
      },
    ],
    good: [
      {
        title: 'a mode that lets others work',
        before: 'create table users (id bigint);',
        up: 'lock table users in share update exclusive mode;',
      },
    ],
  },
  *check(view) {
    // The parser counts the modes from 1, ACCESS SHARE, to 8, ACCESS EXCLUSIVE.
    const mode = modes[Number(view.fields['mode']) - 5]
    if (mode === undefined) return
    for (const node of listOf(view.fields, 'relations')) {
      const table = inUse(view, relationName(openNode(node)[1]))
      if (table === null) continue
      const whom = mode === 'ACCESS EXCLUSIVE' ? 'Nobody can use' : 'Nobody can write to'
      yield {
        message: `${whom} ${sized(view, table)} from here to the end of the transaction (${mode}).`,
        object: table,
      }
    }
  },
}
