/**
 * Kinds of objects that few databases have. A gate says which of them there may be, at the price of a look; only these are asked for, in one
 * statement more.
 */
import type { Setting } from '../../../schema/others.ts'
import { namespaces } from '../catalog/scope.ts'
import { columnStorage, indexStatistics, numbers, viewDefaults } from './columns.ts'
import { foreignTables, servers, wrappers } from './foreign.ts'
import { eventTriggers, rules, statistics, tableTriggers, viewIndexes, viewTriggers } from './hanging.ts'
import { gateQueryOf, type Rare } from './kind.ts'
import { casts, operatorClasses, operatorFamilies, operators } from './operators.ts'
import { publications, subscriptions } from './replication.ts'
import { foreignRights, foreignTableRights, typeRights } from './rights.ts'
import { configurations, dictionaries } from './search.ts'
import { accessMethods, clusters, heirs, identities, largeValues, tablespaces, typedTables } from './storage.ts'
import { collations, composites, conversions, ranges } from './types.ts'

/** What is asked for where a look at the columns has found one that is odd, since that look is had anyhow. */
export const ofColumns: readonly string[] = ['columnStorage', 'viewDefaults']

export interface RareRows {
  readonly others: readonly OtherRow[]
  readonly settings: readonly (Setting & { readonly position: number })[]
}

export interface OtherRow {
  readonly kind: string
  readonly schema: string | null
  readonly name: string
  readonly table: string | null
  readonly target: string
  readonly definition: string
  readonly comment: string | null
  readonly owner: string | null
}

/** Answers one row, `kinds`: a list of those of which there may be some. */
export function gateQuery(version: number): string {
  return gateQueryOf(
    Object.fromEntries(
      Object.entries(rareKinds(version)).flatMap(([name, { gate }]) => (gate === null ? [] : [[name, gate]])),
    ),
  )
}

/** Answers one row with the lists of {@link RareRows} as JSON. `$1` is a list of schemas, or null. */
export function rareQuery(version: number, among?: readonly string[]): string {
  const kinds = Object.entries(rareKinds(version)).flatMap(([name, kind]) =>
    among?.includes(name) === false ? [] : kind,
  )
  const list = (queries: readonly (string | undefined)[]): string => {
    const texts = queries.filter(text => text !== undefined)
    return texts.length === 0
      ? "'[]'::json"
      : `(select coalesce(json_agg(r), '[]') from (${texts.map(text => `select * from (${text}) q`).join('\nunion all\n')}) r)`
  }
  return `with ${namespaces}
select ${list(kinds.map(({ others }) => others))} as others, ${list(kinds.map(({ settings }) => settings))} as settings`
}

function rareKinds(version: number): Readonly<Record<string, Rare>> {
  return {
    composites,
    ranges: ranges(version),
    collations,
    conversions,
    dictionaries,
    configurations,
    operators,
    operatorFamilies,
    operatorClasses,
    casts,
    wrappers,
    servers,
    foreignTables,
    statistics,
    rules,
    viewTriggers,
    tableTriggers,
    viewIndexes,
    eventTriggers,
    publications: publications(version),
    subscriptions,
    identities,
    clusters,
    heirs,
    typedTables,
    largeValues,
    accessMethods,
    tablespaces,
    columnStorage: columnStorage(version),
    viewDefaults,
    indexStatistics,
    numbers,
    typeRights,
    foreignRights,
    foreignTableRights,
  }
}
