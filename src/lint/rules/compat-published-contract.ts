import { textOf } from '../../sql/tree.ts'
import { alterations, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { typeChanges } from '../type-change.ts'
import { dropped, inUse, isOpaque, lossesSeen, opaqueKinds } from '../use.ts'

export const rule: StatementRule = {
  name: 'compat-published-contract',
  category: 'compatibility',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt', 'AlterTableStmt', 'RenameStmt', 'AlterObjectSchemaStmt', ...opaqueKinds],
  alters: ['DropColumn', 'AlterColumnType'],
  title: 'A published schema breaks its contract',
  why: `The configuration names schemas that others build on. A table, view or column that goes, gets another name or another type there breaks
readers whom nobody here knows. The rule is silent where no schema is named as published.`,
  instead:
    'Publish the new shape beside the old one, announce the end of the old one, and remove it when the announced time is over.',
  examples: {
    bad: [
      {
        title: 'a column goes',
        before: 'create schema api;\ncreate table api.users (id bigint primary key, name text);',
        up: 'alter table api.users drop column name;',
        settings: { publishedSchemas: ['api'] },
      },
      {
        title: 'another type',
        before: 'create schema api;\ncreate table api.users (id integer primary key);',
        up: 'alter table api.users alter column id type bigint;',
        settings: { publishedSchemas: ['api'] },
      },
      {
        title: 'a view goes',
        before: 'create schema api;\ncreate view api.days as select current_date as day;',
        up: 'drop view api.days;',
        settings: { publishedSchemas: ['api'] },
      },
    ],
    good: [
      {
        title: 'a column more',
        before: 'create schema api;\ncreate table api.users (id bigint primary key);',
        up: 'alter table api.users add column name text;',
        settings: { publishedSchemas: ['api'] },
      },
      {
        title: 'a schema that is not published',
        before: 'create table users (id bigint primary key, name text);',
        up: 'alter table users drop column name;',
        settings: { publishedSchemas: ['api'] },
      },
    ],
  },
  *check(view) {
    const published = view.file.settings.publishedSchemas
    for (const { object, how } of published.length === 0 ? [] : breaksOf(view)) {
      const schema = published.find(name => object.startsWith(`${name}.`))
      if (schema !== undefined) yield { message: `${object} ${how}, and schema ${schema} is published.`, object }
    }
  },
}

interface Break {
  readonly object: string
  readonly how: string
}

function breaksOf(view: StatementView): readonly Break[] {
  if (isOpaque(view))
    return (['table', 'view', 'column'] as const).flatMap(kind =>
      lossesSeen(view, kind).map(({ name }) => ({ object: name, how: 'goes' })),
    )
  const gone = ['TABLE', 'VIEW', 'MATVIEW', 'FOREIGN_TABLE']
    .flatMap(type => dropped(view, type))
    .flatMap(name => inUse(view, name) ?? [])
    .map(object => ({ object, how: 'goes' }))
  const target = targetOf(view)
  const table = target === '' ? null : inUse(view, target)
  return table === null ? gone : [...gone, ...changesOf(view, table)]
}

function changesOf(view: StatementView, table: string): readonly Break[] {
  const { statement, fields } = view
  if (statement.kind === 'AlterObjectSchemaStmt') return [{ object: table, how: 'moves to another schema' }]
  if (statement.kind === 'RenameStmt') {
    const type = textOf(fields, 'renameType')
    if (type === 'OBJECT_COLUMN') return [{ object: `${table}.${textOf(fields, 'subname')}`, how: 'gets another name' }]
    return /_(TABLE|VIEW|MATVIEW)$/.test(type) ? [{ object: table, how: 'gets another name' }] : []
  }
  return [
    ...alterations(view)
      .filter(({ kind }) => kind === 'DropColumn')
      .map(({ name }) => ({ object: `${table}.${name}`, how: 'goes' })),
    ...typeChanges(view)
      .filter(({ from, to }) => from !== to)
      .map(({ column, to }) => ({ object: `${table}.${column}`, how: `becomes ${to}` })),
  ]
}
