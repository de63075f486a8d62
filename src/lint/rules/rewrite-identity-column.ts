import { columnsAdded, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'rewrite-identity-column',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['AddColumn'],
  title: 'A column with a number of its own for every row is added, so the whole table is written anew',
  why: `\`serial\` and \`generated … as identity\` number the rows that are there: the table and its indexes are written anew under
\`ACCESS EXCLUSIVE\`.`,
  instead: `Add a plain \`bigint\` column and a sequence, set \`nextval(…)\` as its default for new rows, number the old ones in batches, and make it
\`not null\` in a later file.`,
  examples: {
    bad: [
      {
        title: 'identity',
        before: 'create table users (name text);',
        up: 'alter table users add column id bigint generated always as identity;',
      },
      {
        title: 'serial',
        before: 'create table users (name text);',
        up: 'alter table users add column id bigserial;',
      },
    ],
    good: [
      {
        title: 'numbers for new rows only',
        before: 'create table users (name text);\ncreate sequence users_id_seq;',
        up: "alter table users add column id bigint;\nalter table users alter column id set default nextval('users_id_seq');",
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    if (table === null) return
    for (const { name, type, isIdentity } of columnsAdded(view)) {
      if (!isIdentity && !/^(small|big)?serial[248]?$/.test(type)) continue
      yield {
        message: `Nobody can use ${sized(view, table)} until every row is written anew with a number in ${name}.`,
        object: `${table}.${name}`,
      }
    }
  },
}
