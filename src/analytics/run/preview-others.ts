/** What a run would do beside its captured sources: files of rows that changed, and transforms that each run makes as dbt would. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { columnsOf, readFingerprints } from '../ledger.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import type { Project, Seed, Transform } from '../project/project.ts'
import { seedsOf } from './around.ts'
import { spellingOf } from './cells.ts'
import type { RollupOptions } from './desk.ts'
import { uncapturedTransforms } from './uncaptured.ts'

export interface OtherPlan {
  readonly name: string
  /** Qualified. */
  readonly table: string
  readonly action: 'load file' | 'make anew' | 'make view' | 'add rows' | 'take snapshot'
  readonly reason: 'its file changed' | 'there is no table yet' | 'asked for' | 'each run makes it'
  /** Bytes that its query would read; null where nobody bills by them, or where what it reads is not there yet. */
  readonly bytes: number | null
}

export type OtherOptions = Pick<RollupOptions, 'select' | 'mode'>

/** In the order of a run. Changes nothing. */
export async function planOthers(project: Project, warehouse: Session, options: OtherOptions): Promise<OtherPlan[]> {
  const names = namesOf(project)
  const isThere = (await columnsOf(warehouse, 'plinth', 'rollup_transforms')).length > 0
  const loaded = isThere ? await readFingerprints(warehouse) : new Map<string, string>()
  const plans: OtherPlan[] = []
  for (const seed of seedsOf(project, options)) {
    const plan = await planSeed(seed, warehouse, loaded, options)
    if (plan) plans.push(plan)
  }
  const { before, after } = uncapturedTransforms(project, options.select)
  for (const transform of [...before, ...after]) plans.push(await planTransform(transform, names, warehouse, options))
  return plans
}

async function planSeed(
  { name, schema, table, digest }: Seed,
  warehouse: Session,
  loaded: ReadonlyMap<string, string>,
  { mode }: OtherOptions,
): Promise<OtherPlan | null> {
  const stands = (await spellingOf(warehouse).kind(warehouse, schema, table)) === 'table'
  const isNew = loaded.get(`seed.${name}`) !== digest
  const reason = !stands ? 'there is no table yet' : mode === 'rebase' ? 'asked for' : isNew ? 'its file changed' : null
  return reason && { name, table: `${schema}.${table}`, action: 'load file', reason, bytes: null }
}

async function planTransform(
  transform: Transform,
  names: Names,
  warehouse: Session,
  { mode }: OtherOptions,
): Promise<OtherPlan> {
  const { name, schema, table, materialized, increment, snapshot } = transform
  const stands = (await spellingOf(warehouse).kind(warehouse, schema, table)) === 'table'
  const isFull = increment?.fullRefresh === 'always' || (mode === 'rebase' && increment?.fullRefresh !== 'never')
  const adds = increment !== null && stands && !isFull
  const action =
    materialized === 'view' ? 'make view' : snapshot !== null ? 'take snapshot' : adds ? 'add rows' : 'make anew'
  const reason = stands || action === 'make view' ? 'each run makes it' : 'there is no table yet'
  const bytes = action === 'make view' ? null : await bytesOf(transform, names, warehouse, adds ? 'increment' : 'whole')
  return { name, table: `${schema}.${table}`, action, reason, bytes }
}

/** The engine is asked what the query would read, where that is billed. */
async function bytesOf(
  transform: Transform,
  names: Names,
  warehouse: Session,
  mode: 'whole' | 'increment',
): Promise<number | null> {
  const { estimateBytes, name: quote } = spellingOf(warehouse)
  if (!estimateBytes) return null
  const shared = { engine: warehouse.engine.name, quote, session: warehouse, self: transform } as const
  try {
    return await estimateBytes(warehouse, (await compile(transform.template, names, { ...shared, mode })).sql)
  } catch (error) {
    // What it reads may be a table that this run would make.
    if (error instanceof PlinthError && ['SQL_FAILED', 'TRANSFORM_INVALID'].includes(error.code)) return null
    throw error
  }
}
