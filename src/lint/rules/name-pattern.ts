import { type Index, qualified, type Table } from '../../schema/model.ts'
import type { SchemaRule, Settings } from '../rule.ts'

export const rule: SchemaRule = {
  name: 'name-pattern',
  category: 'naming',
  severity: 'warning',
  shape: 'schema',
  title: 'A name does not follow the declared pattern',
  why: `\`lint.naming\` says how tables, columns, indexes and constraints are named here, as regular expressions in which \`{table}\` and \`{columns}\` stand for what
the object is on. Names that follow a pattern can be guessed from an error, and found in a plan. Without patterns this rule is silent.`,
  instead: 'Rename it, or change the pattern.',
  examples: {
    bad: [
      {
        title: 'an index',
        settings: { naming: { index: '{table}_.*_idx' } },
        before: 'create table users (id bigint primary key, name text);',
        up: 'create index idx_users_name on users (name);',
      },
      {
        title: 'a foreign key by its columns',
        settings: { naming: { foreignKey: '{table}_{columns}_fk' } },
        before: 'create table teams (id bigint primary key);',
        up: 'create table users (id bigint primary key, team_id bigint references teams (id)); create index users_team_id_idx on users (team_id);',
      },
      {
        title: 'a table',
        settings: { naming: { table: '[a-z_]+s' } },
        up: 'create table person (id bigint primary key);',
      },
    ],
    good: [
      {
        title: 'as declared',
        settings: { naming: { index: '{table}_{columns}_idx', primaryKey: '{table}_pkey', table: '[a-z_]+s' } },
        up: 'create table users (id bigint primary key, name text, team text); create index users_name_team_idx on users (name, team);',
      },
      { title: 'nothing is declared', up: 'create table Person (id bigint primary key);' },
    ],
  },
  *check({ schema, settings }) {
    for (const table of schema.tables.filter(one => one.partitionOf === null)) {
      for (const { kind, what, name, columns, object } of named(table)) {
        const pattern = settings.naming[kind]
        if (pattern === undefined || matches(name, pattern, table.name, columns)) continue
        yield { object, message: `The ${what} ${name} of ${qualified(table)} does not match ${pattern}.` }
      }
    }
  },
}

interface Named {
  readonly kind: keyof Settings['naming']
  readonly what: string
  readonly name: string
  readonly columns: readonly string[]
  readonly object: string
}

function named(table: Table): readonly Named[] {
  const own = qualified(table)
  const all = (
    kind: Named['kind'],
    what: string,
    list: readonly { readonly name: string; readonly columns?: readonly string[] }[],
  ) => list.map(({ name, columns = [] }) => ({ kind, what, name, columns, object: `${own}.${name}` }))
  const plain = (unique: boolean) =>
    table.indexes.filter((index: Index) => !index.constraint && index.unique === unique)
  return [
    { kind: 'table', what: 'table', name: table.name, columns: [], object: own },
    ...all('column', 'column', table.columns),
    ...all('primaryKey', 'primary key', table.primaryKey ? [table.primaryKey] : []),
    ...all('unique', 'unique key', [...table.uniqueKeys, ...plain(true)]),
    ...all('foreignKey', 'foreign key', table.foreignKeys),
    ...all('check', 'check', table.checks),
    ...all('index', 'index', plain(false)),
  ]
}

/** The whole name must match; PostgreSQL may have cut it off. */
function matches(name: string, pattern: string, table: string, columns: readonly string[]): boolean {
  const filled = pattern.replaceAll('{table}', escaped(table)).replaceAll('{columns}', escaped(columns.join('_')))
  return new RegExp(`^(?:${filled})$`, 'u').test(name)
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^$()[\]{}|\\]/g, '\\$&')
}
