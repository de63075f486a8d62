import { constraintsAdded, constraintWords, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-check-validation',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_CHECK'],
  title: 'A check is added and tried on every row, while nobody can use the table',
  why: '`add check` holds `ACCESS EXCLUSIVE` while it reads the whole table: reads and writes wait for as long as the table is big.',
  instead:
    'Add it with `not valid`, and `alter table … validate constraint …` in a later file, which lets reads and writes go on.',
  examples: {
    bad: [
      {
        title: 'on a table in use',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'alter table orders add constraint orders_amount_check check (amount >= 0);',
      },
      {
        title: 'behind a new column',
        before: 'create table orders (id bigint primary key);',
        up: 'alter table orders add column amount numeric check (amount >= 0);',
      },
    ],
    good: [
      {
        title: 'not validated yet',
        before: 'create table orders (id bigint primary key, amount numeric);',
        up: 'alter table orders add constraint orders_amount_check check (amount >= 0) not valid;',
      },
      {
        title: 'validated by a later file',
        before:
          'create table orders (id bigint primary key, amount numeric);\nalter table orders add constraint orders_amount_check check (amount >= 0) not valid;',
        up: 'alter table orders validate constraint orders_amount_check;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const constraint of constraintsAdded(view)) {
      if (constraint.type !== 'check' || constraint.notValid) continue
      yield {
        message: `Nobody can use ${sized(view, table)} until ${constraintWords(constraint)} was tried on every row.`,
        object: `${table}.${constraint.name || constraint.columns.join('_') || 'check'}`,
        ...(constraint.inline
          ? { hint: 'Add the column without the check, then the check as a constraint that is `not valid`.' }
          : {}),
      }
    }
  },
}
