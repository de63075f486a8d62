/** The catalog as plain data. Extensions' own objects, system schemas and Plinth's ledger are left out. */
import type {
  Check,
  Column,
  ForeignKey,
  Grant,
  Index,
  Key,
  Partitioning,
  Policy,
  ReferentialAction,
  Routine,
  Schema,
  Table,
  View,
} from '../../schema/model.ts'
import type { IntrospectOptions, Session } from '../engine.ts'
import type { Acl, CatalogRows, ColumnRow, ConstraintRow, IndexRow, PolicyRow, RoutineRow } from './catalog/rows.ts'
import { catalogQuery } from './catalog.ts'
import { gateQuery, ofColumns, type RareRows, rareQuery } from './rare/index.ts'
import { compare, sorted, sortedByName } from './order.ts'
import { takeOver } from './take-over.ts'

export async function introspect(session: Session, options: IntrospectOptions = {}): Promise<Schema> {
  const { common, rare } = await readCatalog(session, options)
  const schema = withRare(toSchema(session.engine.name, common), rare)
  return options.since ? takeOver(options.since, schema) : schema
}

interface Catalog {
  readonly common: CatalogRows
  /** Null where there are none. */
  readonly rare: RareRows | null
}

/**
 * With nothing but the system's schema in the path, PostgreSQL writes every name with its schema, whatever the session's path was. All in one
 * message, so one transaction: behind a pooler the settings would stay with a server process that others use next. What is rare is read whole
 * also where the rest is not, since it is little.
 */
async function readCatalog(session: Session, { schemas, prepared, since }: IntrospectOptions): Promise<Catalog> {
  const { serverVersion } = session
  const list = schemas ? `{${schemas.map(name => `"${name.replace(/[\\"]/g, '\\$&')}"`).join(',')}}` : null
  const [, catalog, gate] = await session.send([
    { text: plainNames },
    since
      ? {
          text: catalogQuery(serverVersion, 'part'),
          values: [list, `{${since.relations.join(',')}}`, since.routines === 'changed'],
          prepared,
        }
      : { text: catalogQuery(serverVersion), values: [list], prepared },
    { text: gateQuery(serverVersion), prepared },
    { text: formerNames },
  ])
  const common = catalog?.rows[0] as unknown as CatalogRows
  const isOdd = common.columns.some(column => column.odd) || since?.schema.settings !== undefined
  const found = gate?.rows[0] as unknown as { readonly kinds: readonly string[] }
  const kinds = [...found.kinds, ...(isOdd ? ofColumns : [])]
  if (kinds.length === 0) return { common, rare: null }
  const [, rare] = await session.send([
    { text: plainNames },
    { text: rareQuery(serverVersion, kinds), values: [list], prepared },
    { text: formerNames },
  ])
  return { common, rare: rare?.rows[0] as unknown as RareRows }
}

/** Read from left to right, so that each setting is read before it is set. */
const plainNames = `select set_config('plinth.path', current_setting('search_path'), true),
  set_config('plinth.quotes', current_setting('quote_all_identifiers'), true),
  set_config('search_path', 'pg_catalog', true), set_config('quote_all_identifiers', 'off', true)`
const formerNames = `select set_config('search_path', current_setting('plinth.path'), true),
  set_config('quote_all_identifiers', current_setting('plinth.quotes'), true)`

function toSchema(engine: string, rows: CatalogRows): Schema {
  const columns = byTable(rows.columns)
  return {
    engine,
    tables: sorted(tablesOf(rows, columns)),
    views: sorted(
      rows.views.map(({ oid, acl, ...view }): View => {
        const own = columns.get(oid) ?? []
        return { ...view, options: [...view.options].sort(), columns: own.map(columnOf), grants: grantsOf(acl, own) }
      }),
    ),
    enums: sorted(rows.enums),
    domains: sorted(rows.domains),
    routines: rows.routines.map(routineOf).sort((a, b) => compare(routineKey(a), routineKey(b))),
    sequences: sorted(
      rows.sequences.map(({ comment: _comment, acl, ...sequence }) => ({ ...sequence, grants: grantsOf(acl) })),
    ),
    schemas: sortedByName(rows.namespaces.map(({ acl, ...namespace }) => ({ ...namespace, grants: grantsOf(acl) }))),
    extensions: rows.extensions.map(extension => extension.name).sort(),
    comments: rows.comments.toSorted((a, b) => compare(a.object, b.object)),
    owners: {
      database: rows.database[0]?.owner ?? '',
      objects: rows.owners.toSorted((a, b) => compare(a.object, b.object)),
    },
    defaultGrants: rows.defaults
      .map(({ acl, ...one }) => ({ ...one, grants: grantsOf(acl) }))
      .sort((a, b) => compare(JSON.stringify([a.schema, a.kind, a.role]), JSON.stringify([b.schema, b.kind, b.role]))),
  }
}

/** Absent where there are none, so that most databases have nothing to say of them. */
function withRare(schema: Schema, rare: RareRows | null): Schema {
  if (!rare || rare.others.length + rare.settings.length === 0) return schema
  const nameOf = ({ kind, name }: { readonly kind: string; readonly name: string }) => `${kind} ${name}`
  const others = rare.others.map(({ owner: _owner, ...other }) => other)
  const owned = rare.others.flatMap(({ owner, schema: of, ...one }) =>
    owner === null || of === null ? [] : [{ object: nameOf(one), schema: of, role: owner }],
  )
  const settings = rare.settings.toSorted(
    (a, b) => compare(a.object, b.object) || a.position - b.position || compare(a.property, b.property),
  )
  const { database = '', objects = [] } = schema.owners ?? {}
  return {
    ...schema,
    others: others.sort((a, b) => compare(nameOf(a), nameOf(b))),
    settings: settings.map(({ position: _position, ...setting }) => setting),
    owners: { database, objects: [...objects, ...owned].sort((a, b) => compare(a.object, b.object)) },
  }
}

function tablesOf(rows: CatalogRows, columns: ReadonlyMap<number, readonly ColumnRow[]>): Table[] {
  const constraints = byTable(rows.constraints)
  const indexes = byTable(rows.indexes)
  const triggers = byTable(rows.triggers)
  const policies = byTable(rows.policies)
  return rows.tables.map(row => {
    const own = columns.get(row.oid) ?? []
    const keys = constraints.get(row.oid) ?? []
    const ofKind = (kind: ConstraintRow['kind']): ConstraintRow[] => sortedByName(keys.filter(key => key.kind === kind))
    return {
      schema: row.schema,
      name: row.name,
      comment: row.comment,
      columns: own.map(columnOf),
      primaryKey: ofKind('p').map(keyOf)[0] ?? null,
      uniqueKeys: ofKind('u').map(keyOf),
      foreignKeys: ofKind('f').map(foreignKeyOf),
      checks: ofKind('c').map(checkOf),
      exclusions: ofKind('x').map(checkOf),
      indexes: sortedByName((indexes.get(row.oid) ?? []).map(indexOf)),
      triggers: sortedByName((triggers.get(row.oid) ?? []).map(({ table: _table, ...trigger }) => trigger)),
      rowSecurity: {
        enabled: row.secured,
        forced: row.forced,
        policies: sortedByName((policies.get(row.oid) ?? []).map(policyOf)),
      },
      partitioning: partitioningOf(row.partitionKey),
      partitionOf: row.parent === null ? null : { parent: row.parent, bounds: row.bounds ?? '' },
      grants: grantsOf(row.acl, own),
      options: [...row.options].sort(),
    }
  })
}

function columnOf(row: ColumnRow): Column {
  return {
    name: row.name,
    type: row.type,
    nullable: row.nullable,
    default: row.generated === '' ? row.expression : null,
    identity: row.identity === 'a' ? 'always' : row.identity === 'd' ? 'by default' : null,
    generated: row.generated === '' ? null : row.expression,
    collation: row.collation,
    comment: row.comment,
  }
}

function keyOf(row: ConstraintRow): Key {
  const qualifiers = [
    row.nullsNotDistinct ? 'nulls not distinct' : '',
    row.definition.includes(' WITHOUT OVERLAPS)') ? 'without overlaps' : '',
    row.included.length > 0 ? `include (${row.included.join(', ')})` : '',
    row.deferrable ? 'deferrable' : '',
    row.deferred ? 'initially deferred' : '',
  ]
  return { name: row.name, columns: row.columns, qualifiers: qualifiers.filter(Boolean).join(' ') }
}

function foreignKeyOf(row: ConstraintRow): ForeignKey {
  return {
    name: row.name,
    columns: row.columns,
    references: row.references ?? '',
    referencedColumns: row.referencedColumns,
    onDelete: actions[row.onDelete] ?? 'no action',
    onUpdate: actions[row.onUpdate] ?? 'no action',
    // What nothing is held to is not waiting to be validated.
    validated: row.validated || !row.enforced,
    deferrable: row.deferrable,
    ...(row.deferred ? { initiallyDeferred: true } : {}),
    ...(row.match === 'f' ? { matchFull: true } : {}),
    ...(row.period ? { period: true } : {}),
    ...(row.onDeleteColumns.length > 0 ? { onDeleteColumns: row.onDeleteColumns } : {}),
    ...(row.enforced ? {} : { enforced: false }),
  }
}

const actions: Readonly<Record<string, ReferentialAction>> = {
  a: 'no action',
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
}

/** Whether rows are or were checked is told by `validated` and `enforced` alone. */
function checkOf({ name, definition, validated, enforced }: ConstraintRow): Check {
  const condition = definition.replace(/ NOT (VALID|ENFORCED)$/, '')
  return { name, definition: condition, validated: validated || !enforced, ...(enforced ? {} : { enforced: false }) }
}

function indexOf({ table: _table, ...index }: IndexRow): Index {
  return index
}

function policyOf({ table: _table, command, roles, ...policy }: PolicyRow): Policy {
  return { ...policy, command: commands[command] ?? 'all', roles: [...roles].sort() }
}

const commands: Readonly<Record<string, Policy['command']>> = { r: 'select', a: 'insert', w: 'update', d: 'delete' }

/** `RANGE (occurred_at)` → range and occurred_at. */
function partitioningOf(key: string | null): Partitioning | null {
  const match = /^(RANGE|LIST|HASH) \((.*)\)$/s.exec(key ?? '')
  if (!match) return null
  return { strategy: (match[1] ?? '').toLowerCase() as Partitioning['strategy'], key: match[2] ?? '' }
}

function routineOf({ acl, kind, ...routine }: RoutineRow): Routine {
  return { ...routine, kind: routineKinds[kind] ?? 'function', grants: grantsOf(acl) }
}

const routineKinds: Readonly<Record<string, Routine['kind']>> = { p: 'procedure', a: 'aggregate', w: 'window' }

function routineKey(routine: Routine): string {
  return `${routine.schema}.${routine.name}(${routine.arguments})`
}

/** Privileges by role; those on single columns are written as `select (a, b)`, with the columns in the table's order. */
function grantsOf(acl: Acl, columns: readonly ColumnRow[] = []): Grant[] {
  const privileges = new Map<string, Map<string, string[]>>()
  const note = (role: string, privilege: string, column?: string): void => {
    const ofRole = privileges.get(role) ?? new Map<string, string[]>()
    privileges.set(role, ofRole)
    const key = column === undefined ? privilege : `${privilege} (`
    ofRole.set(key, [...(ofRole.get(key) ?? []), ...(column === undefined ? [] : [column])])
  }
  for (const { role, privilege } of acl ?? []) note(role, privilege)
  for (const column of columns) for (const { role, privilege } of column.acl ?? []) note(role, privilege, column.name)
  return [...privileges]
    .map(([role, ofRole]) => ({
      role,
      privileges: [...ofRole].map(([key, names]) => (key.endsWith('(') ? `${key}${names.join(', ')})` : key)).sort(),
    }))
    .sort((a, b) => compare(a.role, b.role))
}

function byTable<T extends { readonly table: number }>(rows: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>()
  for (const row of rows) {
    const group = groups.get(row.table)
    if (group) group.push(row)
    else groups.set(row.table, [row])
  }
  return groups
}
