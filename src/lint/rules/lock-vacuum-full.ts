import { isOptionOn } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-vacuum-full',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['VacuumStmt', 'ClusterStmt'],
  title: 'A table is packed anew while nobody can use it',
  why: `\`vacuum full\` and \`cluster\` copy the table and build all its indexes under \`ACCESS EXCLUSIVE\`: nobody reads or writes it until the
copy is done, and the disk holds both meanwhile.`,
  instead:
    'Leave it to autovacuum, write plain `vacuum`, or let an extension such as `pg_repack` do it while the table is in use.',
  examples: {
    bad: [
      {
        title: 'vacuum full',
        before: 'create table users (id bigint primary key);',
        up: 'vacuum full users;',
      },
      {
        title: 'cluster',
        before: 'create table users (id bigint primary key);',
        up: 'cluster users using users_pkey;',
      },
    ],
    good: [
      {
        title: 'said not to be full',
        before: 'create table users (id bigint primary key);',
        up: 'vacuum (full false, analyze) users;',
      },
      {
        title: 'plain vacuum',
        before: 'create table users (id bigint primary key);',
        up: 'vacuum (analyze) users;',
      },
    ],
  },
  *check(view) {
    const { kind, tables, summary } = view.statement
    if (kind !== 'ClusterStmt' && !isOptionOn(view.fields, 'options', 'full')) return
    for (const written of tables.length > 0 ? tables : ['']) {
      const table = written === '' ? 'every table' : inUse(view, written)
      if (table === null) continue
      yield {
        message: `Nobody can use ${sized(view, table)} until it is copied and its indexes are built.`,
        object: written === '' ? summary : table,
      }
    }
  },
}
