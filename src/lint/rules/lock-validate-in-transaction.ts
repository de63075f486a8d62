import { isSame } from '../catalog.ts'
import { alterations, constraintsAdded, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { earlierInTransaction } from '../transactions.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-validate-in-transaction',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['ValidateConstraint'],
  title: 'A constraint is validated in the transaction that added it',
  why: `\`not valid\` helps only when the lock of adding is gone before the rows are read. In one transaction the strong lock of the first
statement is held during the whole \`validate constraint\`.`,
  instead: 'Move `validate constraint` into a later file.',
  examples: {
    bad: [
      {
        title: 'in one file',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'alter table orders add constraint amount_check check (amount >= 0) not valid;\nalter table orders validate constraint amount_check;',
      },
    ],
    good: [
      {
        title: 'in transactions of their own',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: '-- plinth: transaction=statement\nalter table orders add constraint amount_check check (amount >= 0) not valid;\nalter table orders validate constraint amount_check;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const { kind, name } of alterations(view)) {
      if (kind !== 'ValidateConstraint') continue
      const added = earlierInTransaction(view).find(
        earlier =>
          isSame(table, targetOf(earlier)) &&
          constraintsAdded(earlier).some(one => one.notValid && (one.name === name || one.name === '')),
      )
      if (!added) continue
      yield {
        message: `${name} reads all of ${sized(view, table)} while the lock of line ${added.statement.line}, which added it, is still held.`,
        object: `${table}.${name}`,
      }
    }
  },
}
