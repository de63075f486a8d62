import { qualified } from '../../schema/model.ts'
import { constraintsAdded, targetOf } from '../alter.ts'
import { tableIn } from '../catalog.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-primary-key-nullable',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'rehearsal',
  kinds: ['AlterTableStmt'],
  title: 'A primary key takes over an index whose columns may be null',
  why: `The index is there, yet a primary key makes its columns \`not null\` without a word: PostgreSQL reads the whole table for nulls under
\`ACCESS EXCLUSIVE\`.`,
  instead: `Make the columns \`not null\` first: add \`check (<column> is not null) not valid\`, validate it in a later file, then
\`alter column … set not null\`, which finds the check and reads nothing.`,
  examples: {
    bad: [
      {
        title: 'over a nullable column',
        before: 'create table users (id bigint);\ncreate unique index users_pkey on users (id);',
        up: 'alter table users add primary key using index users_pkey;',
      },
    ],
    good: [
      {
        title: 'over a column that is not null',
        before: 'create table users (id bigint not null);\ncreate unique index users_pkey on users (id);',
        up: 'alter table users add primary key using index users_pkey;',
      },
    ],
  },
  *check(view) {
    const key = constraintsAdded(view).find(({ type, usingIndex }) => type === 'primary key' && usingIndex !== '')
    const table = key && inUse(view, targetOf(view))
    const model = table ? tableIn(view.file.before, table) : undefined
    if (!key || !model || !view.seen?.scans.includes(qualified(model))) return
    const index = model.indexes.find(({ name }) => name === key.usingIndex)
    const nullable = model.columns.filter(column => column.nullable && index?.columns.includes(column.name))
    yield {
      message: `Nobody can use ${sized(view, qualified(model))} while every row is read for nulls in ${nullable.map(({ name }) => name).join(', ') || 'the key'}.`,
      object: `${qualified(model)}.${key.name || key.usingIndex}`,
    }
  },
}
