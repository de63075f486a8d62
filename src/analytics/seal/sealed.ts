/**
 * What a run does about sealed cells: nothing. It looks whether the source says something else there than the seal does, and puts such cells
 * into quarantine, where they wait for somebody to decide.
 */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'
import type { CellDigest } from '../run/capture.ts'
import type { Desk } from '../run/desk.ts'
import { compareDigests, keyOf } from '../prove/digest.ts'
import { type Batch, type ChangedHour, defaultLimits, planBatches } from '../run/plan.ts'
import { type CapturedSource, sourceKey } from '../project/project.ts'
import {
  type Horizon,
  heldFrom,
  presentSeals,
  type Quarantined,
  readHorizon,
  readQuarantine,
  readSeals,
  sealedDigests,
} from './seal-ledger.ts'
import { sourceCells } from '../run/transfer.ts'

/** How far a source is sealed, and what became of it since. */
export interface Sealing {
  readonly horizon: Horizon | null
  /** The source has dropped what is before this time: what it still has there came late. Null when it has dropped nothing. */
  readonly retiredBefore: string | null
  readonly quarantine: readonly Quarantined[]
}

export async function readSealing(source: CapturedSource, reader: Session, warehouse: Session): Promise<Sealing> {
  const key = sourceKey(source)
  return {
    horizon: await readHorizon(warehouse, key),
    retiredBefore: await readRetired(reader, source),
    quarantine: await readQuarantine(warehouse, key),
  }
}

/** Hours that a run may replace, and those that it may not. */
export function partHours(
  hours: readonly ChangedHour[],
  { horizon }: Sealing,
): { readonly open: ChangedHour[]; readonly sealed: ChangedHour[] } {
  const sealedBefore = horizon?.sealedBefore ?? ''
  const isSealed = ({ hour }: ChangedHour) => horizon !== null && hour < sealedBefore && hour !== 'infinity'
  return { open: hours.filter(hour => !isSealed(hour)), sealed: hours.filter(isSealed) }
}

/** What has to be written about quarantine after a look at these sealed hours, or at everything that is sealed. */
export async function examineSealed(
  source: CapturedSource,
  desk: Pick<Desk, 'reader' | 'readAt'>,
  warehouse: Session,
  sealing: Sealing,
  scope: readonly ChangedHour[] | 'everything' | Stretch,
): Promise<Quarantined[]> {
  if (sealing.horizon === null) return []
  const { sealedBefore } = sealing.horizon
  const batches = Array.isArray(scope)
    ? planBatches(scope as readonly ChangedHour[], 'no', { ...defaultLimits.no, shards: source.capture.shards })
    : [stretchBatch(scope === 'everything' ? { from: null, until: sealedBefore } : (scope as Stretch))]
  const changes: Quarantined[] = []
  for (const batch of batches) changes.push(...(await examineBatch(source, desk, warehouse, sealing, batch)))
  return changes
}

/** A stretch of time between two moments; null is open. */
export interface Stretch {
  readonly from: string | null
  readonly until: string | null
}

/** All cells of a stretch of time. */
export function stretchBatch({ from, until }: Stretch): Batch {
  return { from, until, hours: [], whole: 'yes', rows: 0, cells: 0 }
}

/** Says what came too late, once it is stored. */
export function tellQuarantined(emit: Emit, source: CapturedSource, changes: readonly Quarantined[]): void {
  const open = changes.filter(({ state }) => state === 'open')
  if (open.length === 0) return
  emit({
    type: 'rollup.quarantined',
    source: sourceKey(source),
    cells: open.length,
    rows: open.reduce((sum, cell) => sum + (cell.kind === 'late' ? Math.max(1, cell.sourceRows) : 1), 0),
    oldestHour: open[0]?.hour ?? '',
  })
}

/**
 * Tells the source how far this warehouse has sealed and from where on late events wait; it lets no event be retired that is not behind both.
 * A warehouse that has sealed nothing is named as well.
 */
export async function publishSeals(
  control: Session,
  source: CapturedSource,
  consumer: string,
  { horizon, quarantine }: Pick<Sealing, 'horizon' | 'quarantine'>,
): Promise<void> {
  const { seals } = source.capture
  if (seals === null || !(await isThere(control, seals))) return
  await control.query(
    `insert into ${seals} as known (consumer, sealed_before, held_from) values ($1, $2, $3)
     on conflict (consumer) do update
     set sealed_before = excluded.sealed_before, held_from = excluded.held_from, updated_at = now()
     where (known.sealed_before, known.held_from) is distinct from (excluded.sealed_before, excluded.held_from)`,
    [consumer, horizon?.sealedBefore ?? null, heldFrom(quarantine)],
  )
}

/** Quarantine as it is once the changes are written. */
export function withChanges(known: readonly Quarantined[], changes: readonly Quarantined[]): Quarantined[] {
  const cells = new Map([...known, ...changes].map(cell => [keyOf(cell), cell]))
  return [...cells.values()].sort((a, b) => (a.hour === b.hour ? a.shard - b.shard : a.hour < b.hour ? -1 : 1))
}

/** A warehouse that never sealed cannot be loaded from a source that has dropped events: it would lack them without a word. */
export function refuseForgotten(sealing: Sealing, source: CapturedSource): void {
  if (sealing.retiredBefore === null || sealing.horizon !== null) return
  throw new PlinthError(
    'SEAL_BROKEN',
    `${source.capture.table} has dropped its events before ${sealing.retiredBefore}, and this warehouse does not have them.`,
    {
      at: { object: source.capture.table },
      hint: 'Restore the warehouse from its backup; or go on without them: plinth rollup run --rebase.',
    },
  )
}

export function hashOf({ rows, hash, sums }: CellDigest): string {
  return [rows, hash, ...sums].join(' ')
}

async function examineBatch(
  source: CapturedSource,
  { reader, readAt }: Pick<Desk, 'reader' | 'readAt'>,
  warehouse: Session,
  { retiredBefore, quarantine }: Sealing,
  batch: Batch,
): Promise<Quarantined[]> {
  const expected = await sourceCells(reader, warehouse, source, batch)
  const isRetired = (hour: string) => retiredBefore !== null && hour < retiredBefore
  const table = `${source.schema}.${source.identifier}`
  const isLooked = lookedAt(batch)
  const seals = presentSeals(await readSeals(warehouse, sourceKey(source), batch))
  const sealed = sealedDigests(seals.values()).filter(isLooked)
  const sealedRows = new Map(sealed.map(cell => [keyOf(cell), Number(cell.rows)]))
  const found = new Map<string, Quarantined>()
  const hashes = new Map(expected.map(cell => [keyOf(cell), hashOf(cell)]))
  const base = { state: 'open', firstSeenAt: readAt, seenAt: readAt, settledBy: null, settledAt: null } as const
  for (const cell of expected.filter(({ hour }) => isRetired(hour)))
    found.set(keyOf(cell), {
      ...base,
      hour: cell.hour,
      shard: cell.shard,
      kind: 'late',
      sourceRows: Number(cell.rows),
      sealedRows: sealedRows.get(keyOf(cell)) ?? 0,
      sourceHash: hashOf(cell),
    })
  const live = ({ hour }: CellDigest) => !isRetired(hour)
  // Seals hold no sums beside each cell's hash.
  const plain = expected.filter(live).map(cell => ({ ...cell, sums: [] }))
  for (const one of compareDigests(table, plain, sealed.filter(live))) {
    const key = keyOf({ hour: one.bucket, shard: one.shard })
    found.set(key, {
      ...base,
      hour: one.bucket,
      shard: one.shard,
      kind: one.kind === 'missing' ? 'late' : one.kind === 'extra' ? 'removed' : 'changed',
      sourceRows: one.expectedRows,
      sealedRows: one.foundRows,
      sourceHash: hashes.get(key) ?? '0',
    })
  }
  const known = new Map(quarantine.map(cell => [keyOf(cell), cell]))
  const changes = [...found].flatMap(([key, cell]) => merged(cell, known.get(key)))
  return [...changes, ...withdrawn(quarantine, found, batch, readAt)]
}

/** What was dismissed stays so while it is the same; what is being moved is moved again, which changes nothing. */
function merged(cell: Quarantined, known: Quarantined | undefined): Quarantined[] {
  if (!known) return [cell]
  if (known.state === 'dismissed' && known.sourceHash === cell.sourceHash) return []
  const goesOn = known.state === 'open' || known.state === 'moving'
  return [
    {
      ...cell,
      state: known.state === 'moving' ? 'moving' : 'open',
      firstSeenAt: goesOn ? known.firstSeenAt : cell.firstSeenAt,
    },
  ]
}

/** Cells of the batch that waited, and of which nothing is left to decide. */
function withdrawn(
  quarantine: readonly Quarantined[],
  found: ReadonlyMap<string, Quarantined>,
  batch: Batch,
  readAt: string,
): Quarantined[] {
  const isLookedAt = lookedAt(batch)
  return quarantine
    .filter(cell => isLookedAt(cell) && !found.has(keyOf(cell)))
    .filter(({ state }) => state === 'open' || state === 'moving')
    .map(cell => ({
      ...cell,
      // Rows that were merged and then taken out of the source have arrived.
      state: cell.state === 'moving' ? 'admitted' : 'withdrawn',
      seenAt: readAt,
      settledAt: readAt,
    }))
}

function lookedAt(batch: Batch): (cell: { readonly hour: string; readonly shard: number }) => boolean {
  if (batch.whole === 'yes')
    return ({ hour }) => (batch.from === null || hour >= batch.from) && (batch.until === null || hour < batch.until)
  const shards = new Map(batch.hours.map(hour => [hour.hour, hour.shards]))
  return ({ hour, shard }) => {
    const listed = shards.get(hour)
    return listed !== undefined && (listed === 'all' || listed.includes(shard))
  }
}

async function readRetired(reader: Session, { capture }: CapturedSource): Promise<string | null> {
  if (capture.retirements === null || !(await isThere(reader, capture.retirements))) return null
  const { rows } = await reader.query<{ at: string | null }>(
    `select max(upper_bound) as at from ${capture.retirements}`,
  )
  return rows[0]?.at ?? null
}

/** The migration that makes it may not have come yet. */
export async function isThere(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ present: boolean }>('select to_regclass($1) is not null as present', [table])
  return rows[0]?.present === true
}
