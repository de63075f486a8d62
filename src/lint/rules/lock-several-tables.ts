import type { StatementRule } from '../rule.ts'
import { locksHeld, shuttingKinds, tablesShut } from '../weight.ts'

export const rule: StatementRule = {
  name: 'lock-several-tables',
  category: 'locks',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  textKinds: shuttingKinds,
  title: 'One transaction shuts several tables',
  why: `Every further table makes the wait longer and a deadlock likelier: while the second lock is waited for, the first one is held, and a
query that has them in the other order stops both.`,
  instead: 'Write one file for each table, or `-- plinth: transaction=statement` at the top of this one.',
  examples: {
    bad: [
      {
        title: 'two tables in use',
        before: 'create table users (id bigint);\ncreate table teams (id bigint);',
        up: 'alter table users add column name text;\nalter table teams add column name text;',
      },
    ],
    good: [
      {
        title: 'one after the other',
        before: 'create table users (id bigint);\ncreate table teams (id bigint);',
        up: '-- plinth: transaction=statement\nalter table users add column name text;\nalter table teams add column name text;',
      },
      {
        title: 'one table is as new',
        before: 'create table users (id bigint);',
        up: 'create table teams (id bigint);\nalter table users add column name text;\nalter table teams add column name text;',
      },
    ],
  },
  *check(view) {
    if (view.statement.index === 0) return
    const own = tablesShut(view)
    const groups = own.length === 0 ? [] : locksHeld(view).map(({ tables }) => tables)
    const held = new Set(groups.flat())
    const further = own.filter(table => !held.has(table))
    // Said once, where the second table comes in.
    const spoken = groups.some(tables => tables.some(table => !groups[0]?.includes(table)))
    if (held.size === 0 || further.length === 0 || spoken) return
    yield {
      message: `${[...held, ...further].join(', ')} are all locked against everybody until the transaction ends.`,
      object: further[0] ?? '',
    }
  },
}
