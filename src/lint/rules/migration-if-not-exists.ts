import type { ObjectKind } from '../../schema/rehearsal.ts'
import { fieldsOf, listOf, openNode, relationName, textOf } from '../../sql/tree.ts'
import { alterations, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'

export const rule: StatementRule = {
  name: 'migration-if-not-exists',
  category: 'migrations',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateStmt', 'IndexStmt', 'CreateSeqStmt', 'CreateTableAsStmt', 'AlterTableStmt'],
  alters: ['AddColumn'],
  title: 'An if not exists hides that something of that name is there already',
  why: `PostgreSQL looks at the name alone. Where something is there the statement does nothing, whatever its columns are: databases come to
differ, and nobody is told.`,
  instead:
    'Leave `if not exists` out, since the history knows what was applied; alter what is there where it should be different.',
  examples: {
    bad: [
      {
        title: 'a table that is there',
        before: 'create table users (id bigint);',
        up: 'create table if not exists users (id uuid, name text);',
      },
      {
        title: 'a column that is there',
        before: 'create table users (id bigint, name text);',
        up: 'alter table users add column if not exists name varchar(20);',
      },
    ],
    good: [
      { title: 'a table that is not', up: 'create table if not exists users (id bigint);' },
      {
        title: 'a column that is not',
        before: 'create table users (id bigint);',
        up: 'alter table users add column if not exists name text;',
      },
    ],
  },
  *check(view) {
    const { statement, fields, seen, file } = view
    for (const { name, kind } of wishes(view)) {
      const hidden = seen
        ? !seen.changes.some(change => change.action === 'create' && change.kind === kind && change.name.endsWith(name))
        : kind === 'column'
          ? file.text.typeOf(targetOf(view), name, statement.index) !== null
          : file.text.knows(name, statement.index)
      const object = kind === 'column' ? `${relationName(fieldsOf(fields, 'relation'))}.${name}` : name
      if (hidden) yield { message: `There is a ${kind} ${object} already, so that this does nothing.`, object }
    }
  },
}

function wishes(view: StatementView): readonly { readonly name: string; readonly kind: ObjectKind }[] {
  const { statement, fields } = view
  const wished = fields['if_not_exists'] === true
  switch (statement.kind) {
    case 'CreateStmt':
      return wished ? [{ name: targetOf(view), kind: 'table' }] : []
    case 'IndexStmt':
      return wished ? [{ name: textOf(fields, 'idxname'), kind: 'index' }] : []
    case 'CreateSeqStmt':
      return wished ? [{ name: relationName(fieldsOf(fields, 'sequence')), kind: 'sequence' }] : []
    case 'CreateTableAsStmt': {
      const kind = textOf(fields, 'objtype') === 'OBJECT_MATVIEW' ? 'materialized view' : 'table'
      return wished ? [{ name: relationName(fieldsOf(fieldsOf(fields, 'into'), 'rel')), kind }] : []
    }
    default: {
      const wish = listOf(fields, 'cmds').map(node => openNode(node)[1]['missing_ok'] === true)
      return alterations(view).flatMap(({ kind, name }, index) =>
        kind === 'AddColumn' && wish[index] ? [{ name, kind: 'column' as const }] : [],
      )
    }
  }
}
