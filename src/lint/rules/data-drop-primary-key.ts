import { qualified } from '../../schema/model.ts'
import { alterations, constraintsAdded, targetOf } from '../alter.ts'
import { isSame, tableIn } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-drop-primary-key',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['DropConstraint'],
  title: 'A table loses its primary key',
  why: `Without a key two equal rows can come in, logical replication refuses updates and deletes, and the archive can bring values back only by
comparing whole rows.`,
  instead: 'Add the new primary key in the same `alter table`, over an index that was built concurrently before.',
  examples: {
    bad: [
      {
        title: 'without another one',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users drop constraint users_pkey;',
      },
    ],
    good: [
      {
        title: 'changed for another one',
        before:
          'create table users (id bigint primary key, code text not null);\ncreate unique index users_code on users (code);',
        up: 'alter table users drop constraint users_pkey, add constraint users_code primary key using index users_code;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    const name = alterations(view).find(one => one.kind === 'DropConstraint' && isKey(view, one.name))?.name
    if (table === null || name === undefined || getsAnother(view, table)) return
    yield { message: `${sized(view, table)} is left without a primary key.`, object: `${table}.${name}` }
  },
}

/** Without a catalog, names are all there is. */
function isKey(view: StatementView, constraint: string): boolean {
  const model = tableIn(view.file.before, targetOf(view))
  return model ? model.primaryKey?.name === constraint : constraint.endsWith('_pkey')
}

function getsAnother({ file }: StatementView, table: string): boolean {
  const after = file.step?.after.tables.find(one => qualified(one) === table)
  if (after) return after.primaryKey !== null
  return statementsOf(file, 'AlterTableStmt').some(
    other => isSame(table, targetOf(other)) && constraintsAdded(other).some(({ type }) => type === 'primary key'),
  )
}
