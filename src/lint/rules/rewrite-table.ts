import { rootOf, tableIn } from '../catalog.ts'
import type { StatementRule } from '../rule.ts'
import { sized } from '../use.ts'

/** Statements whose purpose it is, with rules of their own. */
const expected = /^(Truncate|Vacuum|Cluster|RefreshMatView|Reindex|Drop)Stmt$/

export const rule: StatementRule = {
  name: 'rewrite-table',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'rehearsal',
  lastResort: true,
  title: 'A table was seen to be written anew',
  why: `The rehearsal saw the storage of a table change, for a reason that the text does not tell: code of a \`do\` block or a function, or a new
column of a domain with constraints. The table is locked with \`ACCESS EXCLUSIVE\` for as long as it is big.`,
  instead:
    'Add plain columns first, fill them in batches in a later file, and write statements into the file instead of a block.',
  examples: {
    bad: [
      {
        title: 'in a block',
        before: 'create table users (id bigint primary key);',
        up: "do $$ begin execute 'alter table users add column token uuid default gen_random_uuid()'; end $$;",
      },
      {
        title: 'a domain with a check',
        before: 'create domain age as int check (value > 0);\ncreate table users (id bigint primary key);',
        up: 'alter table users add column age age;',
      },
    ],
    good: [
      {
        title: 'a plain column in a block',
        before: 'create table users (id bigint primary key);',
        up: "do $$ begin execute 'alter table users add column token uuid'; end $$;",
      },
      {
        title: 'truncate, which has a rule of its own',
        before: 'create table users (id bigint primary key);',
        up: 'truncate users;',
      },
    ],
  },
  *check(view) {
    if (!view.seen || expected.test(view.statement.kind)) return
    const tables = view.seen.rewrites.filter(name => tableIn(view.file.before, name))
    for (const table of new Set(tables.map(name => rootOf(view.file.before, name))))
      yield { message: `Nobody can use ${sized(view, table)} until every row of it is written anew.`, object: table }
  },
}
