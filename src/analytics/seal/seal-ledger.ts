/** Our tables of what is sealed: how far, a row for each sealed hour, and the cells where something came too late. They commit with what they tell of. */
import { createHash } from 'node:crypto'
import type { Session } from '../../engines/engine.ts'
import type { CellDigest } from '../run/capture.ts'
import { spellingOf } from '../run/cells.ts'

/** How far a source is sealed in this warehouse. */
export interface Horizon {
  /** Everything before this UTC midnight is sealed, ISO 8601. */
  readonly sealedBefore: string
  /** Number of the last seal. */
  readonly seals: number
  /** Digest of the last seal, which holds that of the one before, and so on. */
  readonly digest: string
}

/** Puts a name under a digest. */
export interface Signer {
  /** Names the key without telling it. */
  readonly keyId: string
  sign(digest: string): string
}

export type SealReason = 'sealed' | 'admitted' | 'erased'

/** What a sealed hour holds, who says so and since when. Of one hour the seal with the highest number counts. */
export interface Seal {
  readonly sequence: number
  readonly hour: string
  readonly reason: SealReason
  readonly rows: string
  /** Sums of the numeric columns in their order. */
  readonly sums: readonly string[]
  /** Each shard with its rows and hash, by shard. */
  readonly cells: readonly SealedCell[]
  readonly snapshot: string
  readonly sealedBy: string
  readonly sealedAt: string
  readonly runId: string
  readonly previous: string
  readonly digest: string
  readonly keyId: string | null
  readonly signature: string | null
}

export type SealedCell = readonly [shard: number, rows: string, hash: string]

export type SealContent = Omit<Seal, 'sequence' | 'previous' | 'digest' | 'keyId' | 'signature'>

export async function readHorizon(session: Session, source: string): Promise<Horizon | null> {
  const { rows } = await session.query<{ sealed_before: string; seals: string; digest: string }>(
    'select sealed_before, seals, digest from plinth.rollup_horizons where source = $1',
    [source],
  )
  const row = rows[0]
  return row ? { sealedBefore: row.sealed_before, seals: Number(row.seals), digest: row.digest } : null
}

/** Appends seals to the chain and moves the horizon, within the transaction that is open. Answers the new horizon. */
export async function appendSeals(
  session: Session,
  source: string,
  before: Horizon | null,
  step: { readonly sealedBefore: string; readonly contents: readonly SealContent[]; readonly runId: string },
  signer: Signer | null,
): Promise<Horizon> {
  let digest = before?.digest ?? ''
  let sequence = before?.seals ?? 0
  const seals = step.contents.map((content): Seal => {
    const seal = { ...content, sequence: ++sequence, previous: digest }
    digest = digestOf(source, seal)
    return { ...seal, digest, keyId: signer?.keyId ?? null, signature: signer?.sign(digest) ?? null }
  })
  if (seals.length > 0)
    await spellingOf(session).loadCsv(session, {
      table: 'plinth.rollup_seals',
      columns: sealColumns,
      source: lines(seals.map(seal => sealRow(source, seal))),
    })
  await session.query('delete from plinth.rollup_horizons where source = $1', [source])
  await spellingOf(session).loadCsv(session, {
    table: 'plinth.rollup_horizons',
    columns: [
      { name: 'source', type: 'varchar' },
      { name: 'sealed_before', type: 'timestamptz' },
      { name: 'seals', type: 'bigint' },
      { name: 'digest', type: 'varchar' },
      { name: 'run_id', type: 'varchar' },
    ],
    source: lines([[source, step.sealedBefore, String(sequence), digest, step.runId]]),
  })
  return { sealedBefore: step.sealedBefore, seals: sequence, digest }
}

/** A digest over all that a seal says and over the one before it, so that none can be altered, added or left out unseen. */
export function digestOf(source: string, seal: Omit<Seal, 'digest' | 'keyId' | 'signature'>): string {
  const { sequence, hour, reason, rows, sums, cells, snapshot, sealedBy, sealedAt, runId, previous } = seal
  const said = [source, sequence, hour, reason, rows, sums, cells, snapshot, sealedBy, sealedAt, runId, previous]
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}

/** The seals that count for the hours of a stretch of time, or all of them in their order. */
export async function readSeals(
  session: Session,
  source: string,
  within: { readonly from: string | null; readonly until: string | null },
): Promise<Seal[]> {
  const { moment } = spellingOf(session)
  const { rows } = await session.query<Record<string, string | null>>(
    `select sequence, bucket_hour, reason, row_count, sums, cells, snapshot, sealed_by, sealed_at, run_id, previous, digest, key_id, signature
     from plinth.rollup_seals
     where source = $1 and bucket_hour >= ${moment(within.from, 'before all')} and bucket_hour < ${moment(within.until, 'after all')}
     order by sequence`,
    [source],
  )
  return rows.map(row => ({
    sequence: Number(row['sequence']),
    hour: row['bucket_hour'] ?? '',
    reason: (row['reason'] ?? 'sealed') as SealReason,
    rows: String(row['row_count']),
    sums: JSON.parse(row['sums'] ?? '[]') as string[],
    cells: JSON.parse(row['cells'] ?? '[]') as SealedCell[],
    snapshot: row['snapshot'] ?? '',
    sealedBy: row['sealed_by'] ?? '',
    sealedAt: row['sealed_at'] ?? '',
    runId: row['run_id'] ?? '',
    previous: row['previous'] ?? '',
    digest: row['digest'] ?? '',
    keyId: row['key_id'] ?? null,
    signature: row['signature'] ?? null,
  }))
}

/** Of each hour the seal that counts. */
export function presentSeals(seals: readonly Seal[]): ReadonlyMap<string, Seal> {
  return new Map(seals.map(seal => [seal.hour, seal]))
}

/** What the seals say that the cells hold, so that it can be held against what they hold. */
export function sealedDigests(seals: Iterable<Seal>): CellDigest[] {
  return [...seals].flatMap(seal =>
    seal.cells.map(([shard, rows, hash]) => ({ hour: seal.hour, shard, rows, hash, sums: [] })),
  )
}

/**
 * `open`: somebody has to decide. `moving`: merged into the warehouse, and about to be taken out of the source. `withdrawn`: the source is
 * again what the seal says.
 */
export type QuarantineState = 'open' | 'moving' | 'admitted' | 'dismissed' | 'withdrawn'

/** A sealed cell in which the source says something else than the seal. */
export interface Quarantined {
  readonly hour: string
  readonly shard: number
  readonly state: QuarantineState
  /** `late`: events that the seal does not know; `removed`: fewer than it knows; `changed`: as many, but others. */
  readonly kind: 'late' | 'removed' | 'changed'
  /** Rows of the source in the cell: where events were retired, the late ones alone. */
  readonly sourceRows: number
  readonly sealedRows: number
  readonly sourceHash: string
  readonly firstSeenAt: string
  readonly seenAt: string
  readonly settledBy: string | null
  readonly settledAt: string | null
}

export async function readQuarantine(session: Session, source: string): Promise<Quarantined[]> {
  const { rows } = await session.query<Record<string, string | number | null>>(
    `select bucket_hour, shard, state, kind, source_rows, sealed_rows, source_hash, first_seen_at, seen_at, settled_by, settled_at
     from plinth.rollup_quarantine where source = $1 order by bucket_hour, shard`,
    [source],
  )
  return rows.map(row => ({
    hour: String(row['bucket_hour']),
    shard: Number(row['shard']),
    state: row['state'] as QuarantineState,
    kind: row['kind'] as Quarantined['kind'],
    sourceRows: Number(row['source_rows']),
    sealedRows: Number(row['sealed_rows']),
    sourceHash: String(row['source_hash']),
    firstSeenAt: String(row['first_seen_at']),
    seenAt: String(row['seen_at']),
    settledBy: row['settled_by'] === null ? null : String(row['settled_by']),
    settledAt: row['settled_at'] === null ? null : String(row['settled_at']),
  }))
}

/** Says anew what is quarantined, within the transaction that is open: one row a cell. */
export async function writeQuarantine(session: Session, source: string, cells: readonly Quarantined[]): Promise<void> {
  if (cells.length === 0) return
  const { moment, loadCsv } = spellingOf(session)
  for (let from = 0; from < cells.length; from += 500) {
    const named = cells
      .slice(from, from + 500)
      .map(({ hour, shard }) => `(bucket_hour = ${moment(hour, 'before all')} and shard = ${shard})`)
    await session.query(`delete from plinth.rollup_quarantine where source = $1 and (${named.join(' or ')})`, [source])
  }
  await loadCsv(session, {
    table: 'plinth.rollup_quarantine',
    columns: quarantineColumns,
    source: lines(
      cells.map(cell => [
        source,
        cell.hour,
        String(cell.shard),
        cell.state,
        cell.kind,
        String(cell.sourceRows),
        String(cell.sealedRows),
        cell.sourceHash,
        cell.firstSeenAt,
        cell.seenAt,
        cell.settledBy,
        cell.settledAt,
      ]),
    ),
  })
}

/** The first hour in which somebody has to decide; null when there is none. */
export function heldFrom(cells: readonly Quarantined[]): string | null {
  return cells.find(({ state }) => state === 'open' || state === 'moving')?.hour ?? null
}

const sealColumns = [
  { name: 'source', type: 'varchar' },
  { name: 'sequence', type: 'bigint' },
  { name: 'bucket_hour', type: 'timestamptz' },
  { name: 'reason', type: 'varchar' },
  { name: 'row_count', type: 'bigint' },
  { name: 'sums', type: 'varchar' },
  { name: 'cells', type: 'varchar' },
  { name: 'snapshot', type: 'varchar' },
  { name: 'sealed_by', type: 'varchar' },
  { name: 'sealed_at', type: 'timestamptz' },
  { name: 'run_id', type: 'varchar' },
  { name: 'previous', type: 'varchar' },
  { name: 'digest', type: 'varchar' },
  { name: 'key_id', type: 'varchar' },
  { name: 'signature', type: 'varchar' },
]

const quarantineColumns = [
  { name: 'source', type: 'varchar' },
  { name: 'bucket_hour', type: 'timestamptz' },
  { name: 'shard', type: 'smallint' },
  { name: 'state', type: 'varchar' },
  { name: 'kind', type: 'varchar' },
  { name: 'source_rows', type: 'bigint' },
  { name: 'sealed_rows', type: 'bigint' },
  { name: 'source_hash', type: 'varchar' },
  { name: 'first_seen_at', type: 'timestamptz' },
  { name: 'seen_at', type: 'timestamptz' },
  { name: 'settled_by', type: 'varchar' },
  { name: 'settled_at', type: 'timestamptz' },
]

export const sealTables = {
  names: ['rollup_horizons', 'rollup_seals', 'rollup_quarantine'],
  statements: [
    `create table if not exists plinth.rollup_horizons (
       source varchar not null,
       sealed_before timestamptz not null,
       seals bigint not null,
       digest varchar not null,
       run_id varchar not null
     )`,
    `create table if not exists plinth.rollup_seals (
       source varchar not null,
       sequence bigint not null,
       bucket_hour timestamptz not null,
       reason varchar not null,
       row_count bigint not null,
       sums varchar not null,
       cells varchar not null,
       snapshot varchar not null,
       sealed_by varchar not null,
       sealed_at timestamptz not null,
       run_id varchar not null,
       previous varchar not null,
       digest varchar not null,
       key_id varchar,
       signature varchar
     )`,
    `create table if not exists plinth.rollup_quarantine (
       source varchar not null,
       bucket_hour timestamptz not null,
       shard smallint not null,
       state varchar not null,
       kind varchar not null,
       source_rows bigint not null,
       sealed_rows bigint not null,
       source_hash varchar not null,
       first_seen_at timestamptz not null,
       seen_at timestamptz not null,
       settled_by varchar,
       settled_at timestamptz
     )`,
  ],
} as const

function sealRow(source: string, seal: Seal): (string | null)[] {
  return [
    source,
    String(seal.sequence),
    seal.hour,
    seal.reason,
    seal.rows,
    JSON.stringify(seal.sums),
    JSON.stringify(seal.cells),
    seal.snapshot,
    seal.sealedBy,
    seal.sealedAt,
    seal.runId,
    seal.previous,
    seal.digest,
    seal.keyId,
    seal.signature,
  ]
}

async function* lines(rows: readonly (readonly (string | null)[])[]): AsyncGenerator<string> {
  for (const row of rows)
    yield `${row.map(value => (value === null ? '' : `"${value.replaceAll('"', '""')}"`)).join(',')}\n`
}
