/**
 * What hangs on tables and can be taken away and made again without touching a row: keys, checks, indexes, foreign keys, triggers, policies and
 * views. They go before what they depend on changes, and come back afterwards.
 */
import {
  type Check,
  type ForeignKey,
  type Key,
  type Policy,
  qualified,
  type Schema,
  type Table,
  type View,
} from '../../../schema/model.ts'
import { literal, mentions, type Name, quoteName, quoteNames, quotePath, quoteRole } from './spelling.ts'

export type PartKind = 'key' | 'exclusion' | 'check' | 'index' | 'foreign key' | 'view' | 'trigger' | 'policy'

export interface Part {
  readonly kind: PartKind
  /** Unique in a schema. */
  readonly id: string
  readonly table: Name | null
  /** Depth in a tree of partitions; children are made before and dropped after their parents. */
  readonly depth: number
  readonly drop: string
  /** In order; equal parts have equal texts. */
  readonly create: readonly string[]
  /** For a view: itself. */
  readonly name: Name | null
  readonly columns: readonly string[]
  /** The referenced table of a foreign key, and its columns. */
  readonly target: { readonly table: string; readonly columns: readonly string[] } | null
}

/** In an order in which they can be made. */
export function partsOf(schema: Schema): Part[] {
  const tables = new Map(schema.tables.map(table => [qualified(table), table]))
  const parts = schema.tables.flatMap(table => tableParts(table, depthOf(table, tables), tables))
  const rank = (part: Part): number => kinds.indexOf(part.kind) * 100 - part.depth
  return [...parts, ...inOrder(schema.views).map(viewPart)].toSorted((a, b) => rank(a) - rank(b))
}

const kinds: readonly PartKind[] = ['key', 'exclusion', 'check', 'index', 'foreign key', 'view', 'trigger', 'policy']

function tableParts(table: Table, depth: number, tables: ReadonlyMap<string, Table>): Part[] {
  const path = quotePath(table)
  const part = (kind: PartKind, name: string, drop: string, create: readonly string[]): Part => ({
    kind,
    id: `${kind} ${qualified(table)}.${name}`,
    table,
    depth,
    drop,
    create,
    name: null,
    columns: [],
    target: null,
  })
  const constraint = (kind: PartKind, name: string, definition: string): Part =>
    part(kind, name, `alter table ${path} drop constraint if exists ${quoteName(name)}`, [
      `alter table ${path} add constraint ${quoteName(name)} ${definition}`,
    ])
  const key = (one: Key, word: string): Part => ({
    ...constraint('key', one.name, keyDefinition(one, word)),
    columns: one.columns,
  })
  const { policies } = table.rowSecurity
  return [
    ...(table.primaryKey ? [key(table.primaryKey, 'primary key')] : []),
    ...table.uniqueKeys.map(one => key(one, 'unique')),
    ...table.exclusions.map(one => constraint('exclusion', one.name, checkDefinition(one))),
    ...table.checks.map(one => constraint('check', one.name, checkDefinition(one))),
    ...table.indexes
      .filter(index => !index.constraint)
      .map(index => {
        const drop = `drop index if exists ${quoteName(table.schema)}.${quoteName(index.name)}`
        // An index that a killed build left is no index; the text says so to be unequal to a good one.
        const create = [...(index.valid ? [] : ['-- invalid']), index.definition.replace(' ON ONLY ', ' ON ')]
        return { ...part('index', index.name, drop, create), columns: index.columns }
      }),
    ...table.foreignKeys.map(one => ({
      ...constraint('foreign key', one.name, foreignKeyDefinition(one, tables)),
      columns: one.columns,
      target: { table: one.references, columns: one.referencedColumns },
    })),
    ...table.triggers.map(one =>
      part('trigger', one.name, `drop trigger if exists ${quoteName(one.name)} on ${path}`, [
        one.definition,
        ...(one.enabled ? [] : [`alter table ${path} disable trigger ${quoteName(one.name)}`]),
      ]),
    ),
    ...policies.map(one =>
      part('policy', one.name, `drop policy if exists ${quoteName(one.name)} on ${path}`, [
        policyDefinition(one, path),
      ]),
    ),
  ]
}

/** Keys with `without overlaps` have it on their last column. */
function keyDefinition({ columns, qualifiers }: Key, word: string): string {
  const include = /include \((.*?)\)/.exec(qualifiers)?.[1]
  const distinct = qualifiers.includes('nulls not distinct') ? ' nulls not distinct' : ''
  const overlaps = qualifiers.includes('without overlaps') ? ' without overlaps' : ''
  const included = include === undefined ? '' : ` include (${quoteNames(include.split(', '))})`
  const deferrable = /(?:^| )deferrable/.test(qualifiers) ? ' deferrable' : ''
  const deferred = qualifiers.includes('initially deferred') ? ' initially deferred' : ''
  return `${word}${distinct} (${quoteNames(columns)}${overlaps})${included}${deferrable}${deferred}`
}

function checkDefinition({ definition, validated, enforced }: Check): string {
  return `${definition}${validated ? '' : ' not valid'}${enforced === false ? ' not enforced' : ''}`
}

function foreignKeyDefinition(key: ForeignKey, tables: ReadonlyMap<string, Table>): string {
  const target = tables.get(key.references)
  const at = key.references.indexOf('.')
  const path = quotePath(target ?? { schema: key.references.slice(0, at), name: key.references.slice(at + 1) })
  const only = key.onDeleteColumns ? ` (${quoteNames(key.onDeleteColumns)})` : ''
  const actions = [
    key.matchFull ? ' match full' : '',
    key.onDelete === 'no action' ? '' : ` on delete ${key.onDelete}${only}`,
    key.onUpdate === 'no action' ? '' : ` on update ${key.onUpdate}`,
    key.deferrable ? ' deferrable' : '',
    key.initiallyDeferred ? ' initially deferred' : '',
    key.validated ? '' : ' not valid',
    key.enforced === false ? ' not enforced' : '',
  ]
  const named = (columns: readonly string[]) =>
    key.period ? `${quoteNames(columns.slice(0, -1))}, period ${quoteNames(columns.slice(-1))}` : quoteNames(columns)
  return `foreign key (${named(key.columns)}) references ${path} (${named(key.referencedColumns)})${actions.join('')}`
}

function policyDefinition({ name, permissive, command, roles, using, withCheck }: Policy, path: string): string {
  return [
    `create policy ${quoteName(name)} on ${path} as ${permissive ? 'permissive' : 'restrictive'} for ${command}`,
    ` to ${roles.map(quoteRole).join(', ')}`,
    using === null ? '' : ` using (${using})`,
    withCheck === null ? '' : ` with check (${withCheck})`,
  ].join('')
}

function viewPart(view: View): Part {
  const path = quotePath(view)
  const word = view.materialized ? 'materialized view' : 'view'
  const options = view.options.length === 0 ? '' : ` with (${view.options.join(', ')})`
  return {
    kind: 'view',
    id: `view ${qualified(view)}`,
    table: null,
    depth: 0,
    drop: `drop ${word} ${path}`,
    create: [`create ${word} ${path}${options} as\n${view.definition.trim().replace(/;$/, '')}`],
    name: view,
    columns: [],
    target: null,
  }
}

/** A view comes after those that it reads. */
function inOrder(views: readonly View[]): View[] {
  const done: View[] = []
  const visit = (view: View): void => {
    if (done.includes(view)) return
    for (const other of views) if (other !== view && mentions(view.definition, other)) visit(other)
    done.push(view)
  }
  for (const view of views) visit(view)
  return done
}

function depthOf(table: Table, tables: ReadonlyMap<string, Table>): number {
  const parent = table.partitionOf && tables.get(table.partitionOf.parent)
  return parent ? depthOf(parent, tables) + 1 : 0
}

export function comment(kind: string, path: string, text: string | null): string {
  return `comment on ${kind} ${path} is ${literal(text)}`
}
