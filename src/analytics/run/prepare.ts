/** What a run does, found out before anything is written: whether everything is loaded or what changed, in which batches, and what is stale. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { acknowledgedToken, type Marks, pendingMarks } from './capture.ts'
import { namesOf } from '../project/compile.ts'
import { holdContract } from '../check/contract.ts'
import { consumerOf, type Desk, refuseRestored, type RollupOptions } from './desk.ts'
import { allHours, countRows } from './estimate.ts'
import { descendantsOf, withInputs } from '../project/graph.ts'
import { readCursor, readFingerprints, requireTable, type StoredCursor } from '../ledger.ts'
import { fingerprintOf, prepareTable } from './materialize.ts'
import { planChanges } from './named.ts'
import { type Batch, type ChangedHour, defaultLimits, planBatches } from './plan.ts'
import { type CapturedSource, type Project, sourceKey, type Transform } from '../project/project.ts'
import type { Quarantined } from '../seal/seal-ledger.ts'
import { examineSealed, partHours, readSealing, refuseForgotten, type Sealing } from '../seal/sealed.ts'
import { rawTable } from './step.ts'

export type WholeReason =
  | 'first load'
  | 'asked for'
  | 'warehouse was set back'
  | 'source table was made anew'
  | 'warehouse table was emptied'

/** Everything that is known before anything is written. */
export interface Work {
  readonly names: ReturnType<typeof namesOf>
  readonly transforms: readonly Transform[]
  readonly stale: ReadonlySet<string>
  readonly fingerprints: ReadonlyMap<string, string>
  readonly marks: number
  readonly reason: WholeReason | null
  readonly batches: readonly Batch[]
  /** The stored token is that of another source, whose tokens mean nothing here; only a rebase gets this far then. */
  readonly fresh: 'yes' | 'no'
  readonly stored: StoredCursor | null
  readonly sealing: Sealing
  /** A run of some transforms leaves the cursor where it is. */
  readonly part: 'all' | 'selected'
  /** Transforms that are not selected and read what is built anew. */
  readonly forgotten: readonly string[]
  /** What was found out of sealed cells, which the run leaves as they are; null when no change was aimed at one. */
  readonly quarantined: readonly Quarantined[] | null
}

/** Looks at both sides, and plans. Throws SOURCE_RESTORED, TRANSFORM_INVALID, WAREHOUSE_FAILED. */
export async function prepare(
  project: Project,
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  warehouse: Session,
): Promise<Work> {
  const key = sourceKey(source)
  await requireTable(warehouse, source.schema, source.identifier)
  const names = namesOf(project)
  const reached = descendantsOf(project.transforms, key)
  const wanted = options.select ? withInputs(reached, options.select) : null
  const transforms = wanted ? reached.filter(({ name }) => wanted.has(name)) : reached
  const others = reached.filter(transform => !transforms.includes(transform))
  for (const transform of transforms) {
    await holdContract(warehouse, transform, names)
    await prepareTable(warehouse, transform, names)
  }
  const stored = await readCursor(warehouse, key)
  if (options.mode !== 'rebase') await refuseRestored(desk, stored)
  const reason = await wholeReason(source, options, desk, warehouse, stored)
  if (reason !== null && others.length > 0) throw loadFirst(source, reason)
  const sealing = await readSealing(source, desk.reader, warehouse)
  if (options.mode !== 'rebase') refuseForgotten(sealing, source)
  const fingerprints = new Map<string, string>()
  for (const transform of transforms) fingerprints.set(transform.name, await fingerprintOf(transform, names, warehouse))
  const before = await readFingerprints(warehouse)
  const changed = transforms
    .filter(transform => before.get(transform.name) !== fingerprints.get(transform.name))
    .map(({ name }) => name)
  const stale = new Set(
    // What is sealed is not loaded again, so what depends on it is built anew even when everything else is.
    reason === null || sealing.horizon !== null
      ? transforms.filter(transform => dependsOnAny(transform, changed, transforms)).map(({ name }) => name)
      : [],
  )
  // Rows that the others made from rows of the old SQL must not stand beside new ones for longer than until the next run.
  const forgotten = others.filter(other => dependsOnAny(other, changed, reached)).map(({ name }) => name)
  const found = await changedHours(source, desk, reason === null ? (stored?.snapshot ?? null) : null)
  const { open, sealed } = partHours(found.hours, sealing)
  const whole = reason === null ? 'no' : 'yes'
  const limits = { ...defaultLimits[whole], ...options.limits, shards: source.capture.shards }
  return {
    names,
    transforms,
    stale,
    fingerprints,
    marks: found.marks,
    reason,
    batches:
      reason === null && stored?.snapshot
        ? await planChanges(desk.reader, warehouse, source, stored.snapshot, open, limits)
        : planBatches(open, whole, limits, sealing.horizon?.sealedBefore ?? null),
    fresh: stored !== null && stored.token >= desk.lease.token ? 'yes' : 'no',
    stored,
    sealing,
    part: others.length > 0 ? 'selected' : 'all',
    forgotten,
    quarantined:
      others.length > 0 || (reason === null && sealed.length === 0)
        ? null
        : await examineSealed(source, desk, warehouse, sealing, reason === null ? sealed : 'everything'),
  }
}

function loadFirst(source: CapturedSource, reason: WholeReason): PlinthError {
  return new PlinthError('USAGE', `A part of the transforms cannot be brought up to date: ${reason}.`, {
    at: { object: `${source.schema}.${source.identifier}` },
    hint: 'Run `plinth rollup run` once without --select, which loads everything.',
  })
}

async function wholeReason(
  source: CapturedSource,
  options: RollupOptions,
  desk: Desk,
  warehouse: Session,
  stored: StoredCursor | null,
): Promise<WholeReason | null> {
  if (options.mode === 'rebase') return 'asked for'
  if (stored === null || stored.snapshot === null) return 'first load'
  if (stored.relation !== desk.identity.relation) return 'source table was made anew'
  // Marks up to an acknowledged cursor are gone; a warehouse from before it can no longer know what it missed.
  const acknowledged = await acknowledgedToken(desk.control, sourceKey(source), consumerOf(options))
  if (acknowledged !== null && acknowledged > stored.token) return 'warehouse was set back'
  const { rows } = await warehouse.query<{ row_count: string }>(
    `select count(*) as row_count from ${rawTable(warehouse, source)}`,
  )
  const rawRows = BigInt(rows[0]?.row_count ?? 0)
  if (rawRows === 0n && stored.rawRows > 0n) return 'warehouse table was emptied'
  if (rawRows !== stored.rawRows) {
    options.emit({
      type: 'warning',
      message: `${source.schema}.${source.identifier} has ${rawRows} rows, but had ${stored.rawRows} when its cursor was stored.`,
      hint: 'Somebody else changed it. Run `plinth reconcile`, which finds and repairs the difference.',
    })
  }
  return null
}

async function changedHours(
  source: CapturedSource,
  desk: Desk,
  since: string | null,
): Promise<{ marks: number; hours: readonly ChangedHour[] }> {
  if (since === null) return { marks: 0, hours: await allHours(desk.reader, source) }
  const pending: Marks = await pendingMarks(desk.reader, source, since)
  return {
    marks: pending.marks,
    hours: await countRows(desk.reader, source, pending.hours),
  }
}

/** A transform whose own SQL or that of an input changed cannot mix old rows with new ones. */
function dependsOnAny(transform: Transform, changed: readonly string[], all: readonly Transform[]): boolean {
  if (changed.includes(transform.name)) return true
  return transform.refs.some(ref => all.some(other => other.name === ref && dependsOnAny(other, changed, all)))
}
