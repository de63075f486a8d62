/** What hangs on the old column and gets a counterpart on the new one: indexes, checks and foreign keys. */
import type { Column, ForeignKey, Schema, Table } from '../../schema/model.ts'
import { identifier, mentions, qualifiedName, replaceColumn, shortName } from './names.ts'
import { usage } from './request.ts'

export interface Companions {
  /** In the expand step: constraints of the new column that old rows need not meet yet. */
  readonly add: readonly string[]
  /** In the migrate step, after the batches: proves them for every row, and builds the indexes. */
  readonly complete: readonly string[]
  /** Takes the proofs and the indexes back. */
  readonly uncomplete: readonly string[]
  /** Brings back what goes with the old column. */
  readonly restore: readonly string[]
  /** What no rule carries over, one sentence each. */
  readonly notices: readonly string[]
}

/** Pure. Throws USAGE for what cannot be carried over without a stop. `to` is null where no single column stands for the old one. */
export function companionsOf(schema: Schema, table: Table, column: Column, to: string | null): Companions {
  refuseUnmovable(table, column)
  const parts = [
    ...table.checks
      .filter(check => mentions(check.definition, column.name))
      .map(check => constraint(table, column.name, to, check.name, check.definition)),
    ...table.foreignKeys
      .filter(key => key.columns.includes(column.name))
      .map(key => constraint(table, column.name, to, key.name, spellKey(key))),
    ...table.indexes
      .filter(index => !index.constraint && mentions(index.definition, column.name))
      .map(index => indexed(table, column.name, to, index)),
  ]
  const merged = (part: keyof Companions) => parts.flatMap(one => one[part])
  return {
    add: merged('add'),
    complete: merged('complete'),
    uncomplete: merged('uncomplete').toReversed(),
    restore: merged('restore'),
    notices: [...merged('notices'), ...watchers(schema, table, column)],
  }
}

function constraint(table: Table, column: string, to: string | null, name: string, definition: string): Companions {
  const relation = qualifiedName(table.schema, table.name)
  const restore = [
    `alter table ${relation} add constraint ${identifier(name)} ${definition} not valid`,
    `alter table ${relation} validate constraint ${identifier(name)}`,
  ]
  if (to === null)
    return {
      add: [],
      complete: [],
      uncomplete: [],
      restore,
      notices: [`The constraint ${name} has no counterpart on the new columns.`],
    }
  const own = identifier(counterpart(name, column, to))
  const added = `alter table ${relation} add constraint ${own} ${replaceColumn(definition, column, identifier(to))} not valid`
  return {
    add: [added],
    complete: [`alter table ${relation} validate constraint ${own}`],
    uncomplete: [added, `alter table ${relation} drop constraint ${own}`],
    restore,
    notices: [],
  }
}

function indexed(
  table: Table,
  column: string,
  to: string | null,
  index: { readonly name: string; readonly definition: string },
): Companions {
  const restore = [index.definition.replace(/^create( unique)? index /i, 'create$1 index concurrently ')]
  if (to === null)
    return {
      add: [],
      complete: [],
      uncomplete: [],
      restore,
      notices: [`The index ${index.name} has no counterpart on the new columns.`],
    }
  const own = counterpart(index.name, column, to)
  const tail = index.definition.replace(
    /^create( unique)? index (?:"(?:[^"]|"")*"|\S+) /i,
    `create$1 index concurrently ${identifier(own)} `,
  )
  return {
    add: [],
    complete: [replaceColumn(tail, column, identifier(to))],
    uncomplete: [`drop index concurrently ${qualifiedName(table.schema, own)}`],
    restore,
    notices: [],
  }
}

function counterpart(name: string, column: string, to: string): string {
  return name.includes(column) ? shortName(name.replace(column, to)) : shortName(name, to)
}

function spellKey(key: ForeignKey): string {
  const [schema = '', ...rest] = key.references.split('.')
  const list = (names: readonly string[]) => names.map(identifier).join(', ')
  return [
    `foreign key (${list(key.columns)}) references ${qualifiedName(schema, rest.join('.'))} (${list(key.referencedColumns)})`,
    key.onUpdate === 'no action' ? '' : `on update ${key.onUpdate}`,
    key.onDelete === 'no action' ? '' : `on delete ${key.onDelete}`,
    key.deferrable ? 'deferrable' : '',
  ]
    .filter(Boolean)
    .join(' ')
}

function refuseUnmovable(table: Table, column: Column): void {
  const name = `${table.schema}.${table.name}.${column.name}`
  const keys = [...(table.primaryKey ? [table.primaryKey] : []), ...table.uniqueKeys].find(key =>
    key.columns.includes(column.name),
  )
  const why = column.generated
    ? 'it is generated'
    : column.identity
      ? 'it is an identity'
      : keys
        ? `the key ${keys.name} holds it, and rows of others may point there`
        : table.partitioning && mentions(table.partitioning.key, column.name)
          ? 'it decides the partition of a row'
          : table.exclusions.some(one => mentions(one.definition, column.name))
            ? 'an exclusion constraint holds it'
            : table.partitionOf
              ? `the table is a partition of ${table.partitionOf.parent}, whose columns it has`
              : null
  if (why)
    throw usage(`${name} cannot be expanded: ${why}.`, 'Write the steps by hand, with a new key beside the old one.')
}

/** Objects whose text names the column: they fail, or refuse the drop, when it goes. */
function watchers(schema: Schema, table: Table, column: Column): string[] {
  const both = (text: string) => mentions(text, table.name) && mentions(text, column.name)
  return [
    ...schema.views.filter(view => both(view.definition)).map(view => `view ${view.schema}.${view.name}`),
    ...schema.routines
      .filter(routine => both(routine.definition))
      .map(routine => `routine ${routine.schema}.${routine.name}`),
    ...table.rowSecurity.policies
      .filter(one => mentions(`${one.using ?? ''} ${one.withCheck ?? ''}`, column.name))
      .map(one => `policy ${one.name}`),
    ...table.columns
      .filter(one => one.generated && mentions(one.generated, column.name))
      .map(one => `generated column ${one.name}`),
    ...table.triggers.filter(one => mentions(one.definition, column.name)).map(one => `trigger ${one.name}`),
    ...table.grants
      .filter(one => one.privileges.some(word => word.includes('(') && mentions(word, column.name)))
      .map(one => `column grants of ${one.role}`),
  ].map(what => `The ${what} names ${column.name}: bring it to the new column before contract.`)
}
