import { dottedName, walk } from '../../sql/tree.ts'
import { columnsAdded, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized, wasSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'rewrite-volatile-default',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['CONSTR_DEFAULT'],
  title: 'A new column has a default that differs by row, so the whole table is written anew',
  why: `A default that is the same for every row (\`0\`, \`now()\`, an immutable function) is stored once since PostgreSQL 11. One that is volatile,
such as \`gen_random_uuid()\` or \`random()\`, is computed for each row: the table and all its indexes are written anew under
\`ACCESS EXCLUSIVE\`. Whether a function of your own is volatile is seen in the rehearsal.`,
  instead: `Add the column without a default, set the default with \`alter column … set default …\`, which counts for new rows, and fill the old ones
in batches in a later file.`,
  examples: {
    bad: [
      {
        title: 'a random key',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column token uuid default gen_random_uuid();',
      },
      {
        title: 'a volatile function of our own',
        before:
          "create table users (id bigint primary key);\ncreate function code() returns text volatile language plpgsql as 'begin return random()::text; end';",
        up: 'alter table users add column code text default code();',
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'the time of the migration',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column made_at timestamptz not null default now();',
      },
      {
        title: 'an immutable function of our own',
        before:
          "create table users (id bigint primary key);\ncreate function code() returns text immutable language plpgsql as 'begin return 1; end';",
        up: 'alter table users add column code text default code();',
      },
      {
        title: 'set for new rows only',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column token uuid;\nalter table users alter column token set default gen_random_uuid();',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null || (view.seen && !wasSeen(view, 'rewrites', table))) return
    for (const { name, defaultNode } of columnsAdded(view)) {
      const calls = callsOf(defaultNode)
      const call = view.seen ? calls.find(one => !stable.has(one)) : calls.find(one => volatile.has(one))
      if (call === undefined) continue
      yield {
        message: `Nobody can use ${sized(view, table)} until every row is written anew with a ${call}() of its own in ${name}.`,
        object: `${table}.${name}`,
      }
    }
  },
}

const volatile: ReadonlySet<string> = new Set(
  `gen_random_uuid uuidv4 uuidv7 uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 random random_normal clock_timestamp timeofday nextval
  gen_random_bytes gen_salt setseed currval lastval`.split(/\s+/),
)

const stable: ReadonlySet<string> = new Set(
  'now transaction_timestamp statement_timestamp timezone date_trunc to_char lower upper md5 current_setting'.split(
    ' ',
  ),
)

/** The functions that an expression calls, without their schemas. */
function callsOf(expression: unknown): readonly string[] {
  const names: string[] = []
  walk(expression, (kind, fields) => {
    if (kind === 'FuncCall') names.push(dottedName(fields['funcname']).replace(/^.*\./, ''))
  })
  return names
}
