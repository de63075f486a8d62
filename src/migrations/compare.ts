/** What of two catalogs is worth comparing: a database that lives has more than its migrations made. */
import type { Difference } from '../schema/diff.ts'
import { diffSchemas } from '../schema/diff.ts'
import { type Grant, qualified, type Schema, type Table } from '../schema/model.ts'
import { withoutHistories } from './adopt/find.ts'
import { withUsualOwners } from './owners.ts'

export interface Comparison {
  /** Both without what is not compared. */
  readonly made: Schema
  readonly live: Schema
  /** From what the migrations make to what the database has; empty when they agree. */
  readonly differences: readonly Difference[]
}

/** Leaves out the histories of other tools, and partitions that the clock makes and drops. `histories` are such tables by name. */
export function compareCatalogs(whole: Schema, live: Schema, histories: readonly string[] = []): Comparison {
  const made = leavesPublicAlone(whole) ? withPublicOf(live, whole) : whole
  const [left, right] = [withUsualOwners(withoutHistories(made, histories), live), withoutHistories(live, histories)]
  const clocked = clockPartitions(left, right)
  const one = withSortedGrants(withoutTables(left, clocked))
  const other = withSortedGrants(withoutTables(right, clocked))
  return {
    made: one,
    live: other,
    differences: withoutEchoes(diffSchemas(one, other), [...one.tables, ...other.tables]),
  }
}

/** The schema that every database begins with, as a server makes it: administrators who use others lock it up or drop it. */
function leavesPublicAlone(made: Schema): boolean {
  const objects = [
    made.tables,
    made.views,
    made.routines,
    made.enums,
    made.domains,
    made.sequences,
    made.others ?? [],
  ].flat()
  const own = made.schemas.find(({ name }) => name === 'public')
  return own !== undefined && isUntouched(own) && objects.every(({ schema }) => schema !== 'public')
}

function isUntouched({ grants, comment }: Schema['schemas'][number]): boolean {
  const said = grants.map(({ role, privileges }) => `${role} ${privileges.join()}`).join()
  return said === 'public usage' && (comment === null || comment === 'standard public schema')
}

/** As it stands there, or not at all where it is not there. */
function withPublicOf(live: Schema, made: Schema): Schema {
  const isPublic = ({ name }: { readonly name: string }): boolean => name === 'public'
  const isItsOwner = ({ object }: { readonly object: string }): boolean => object === 'schema public'
  const schemas = [...made.schemas.filter(one => !isPublic(one)), ...live.schemas.filter(isPublic)]
  const objects = [
    ...(made.owners?.objects ?? []).filter(one => !isItsOwner(one)),
    ...(live.owners?.objects ?? []).filter(isItsOwner),
  ]
  return {
    ...made,
    schemas: schemas.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    ...(made.owners ? { owners: { ...made.owners, objects } } : {}),
  }
}

/** Columns of a privilege come in the order of the table, which is no difference of rights. */
function withSortedGrants(schema: Schema): Schema {
  const sorted = <T extends { readonly grants: readonly Grant[] }>(object: T): T => ({
    ...object,
    grants: object.grants.map(({ role, privileges }) => ({
      role,
      privileges: privileges.map(privilege =>
        privilege.replace(/\((.*)\)$/, (_, columns: string) => `(${columns.split(', ').sort().join(', ')})`),
      ),
    })),
  })
  return { ...schema, tables: schema.tables.map(sorted), views: schema.views.map(sorted) }
}

/** What a partition only repeats after its parent says nothing more. */
function withoutEchoes(differences: readonly Difference[], tables: readonly Table[]): Difference[] {
  const parents = new Map(
    tables.flatMap(table => (table.partitionOf ? [[qualified(table), table.partitionOf.parent]] : [])),
  )
  const said = new Set(differences.map(spelled))
  return differences.filter(difference => {
    const [, kind = '', table = '', name = ''] = /^(column) (.+)\.([^.]+)$/.exec(difference.object) ?? []
    const parent = parents.get(table)
    return parent === undefined || !said.has(spelled({ ...difference, object: `${kind} ${parent}.${name}` }))
  })
}

function spelled({ change, object, property, after }: Difference): string {
  return `${change} ${object} ${property} ${change === 'changed' ? JSON.stringify(after) : ''}`
}

/**
 * Partitions that only one side has, of a table that both sides divide by time: which of them exist depends on when one looks. A default
 * partition does not.
 */
function clockPartitions(made: Schema, live: Schema): ReadonlySet<string> {
  const [left, right] = [byName(made), byName(live)]
  const isClocked = (parent: string): boolean => {
    const [one, other] = [left.get(parent), right.get(parent)]
    return one !== undefined && other !== undefined && byTime(one) && byTime(other)
  }
  const lonely = [...left, ...right].flatMap(([name, { partitionOf }]) => {
    if (partitionOf === null || /^default$/i.test(partitionOf.bounds) || (left.has(name) && right.has(name))) return []
    return isClocked(partitionOf.parent) ? [name] : []
  })
  const found = new Set(lonely)
  // Their own partitions go with them; a set that grows while it is walked is walked to its end.
  for (const parent of found)
    for (const [name, { partitionOf }] of [...left, ...right]) if (partitionOf?.parent === parent) found.add(name)
  return found
}

function byTime({ partitioning, columns }: Table): boolean {
  if (partitioning?.strategy !== 'range') return false
  const key = partitioning.key.split(',')[0]?.trim().replaceAll('"', '') ?? ''
  return columns.some(({ name, type }) => name === key && /^(?:timestamp|date)\b/.test(type))
}

function byName({ tables }: Schema): Map<string, Table> {
  return new Map(tables.map(table => [qualified(table), table]))
}

function withoutTables(schema: Schema, names: ReadonlySet<string>): Schema {
  const { others } = schema
  return {
    ...schema,
    tables: schema.tables.filter(table => !names.has(qualified(table))),
    ...(others ? { others: others.filter(({ table }) => table === null || !names.has(table)) } : {}),
  }
}
