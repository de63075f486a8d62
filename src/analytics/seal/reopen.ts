/**
 * Rewriting sealed cells, which only somebody's decision does. Rows that the source still has replace the cell; rows that came after the source
 * had dropped the others are merged into what the warehouse kept, by their key. Rollups are computed anew from the rows, so nothing is ever
 * added to a number; the hours are sealed anew, in the same transaction.
 */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { scaleOf, summedColumns } from '../prove/canonical.ts'
import { type CellDigest, copyRows } from '../run/capture.ts'
import { batchOfCells, listCells, rawCondition, spellingOf } from '../run/cells.ts'
import type { Names } from '../project/compile.ts'
import { assertCells, assertTransform } from '../run/deferred.ts'
import { claimOf, type Desk, type RollupOptions } from '../run/desk.ts'
import { compareDigests, type Difference, keyOf } from '../prove/digest.ts'
import { claimTarget, storeRawRows } from '../ledger.ts'
import { type CellTransform, compareCells } from '../run/materialize.ts'
import type { Batch } from '../run/plan.ts'
import { type CapturedSource, sourceKey } from '../project/project.ts'
import {
  appendSeals,
  type Horizon,
  presentSeals,
  type Quarantined,
  readSeals,
  type SealReason,
  sealedDigests,
  type Signer,
  writeQuarantine,
} from './seal-ledger.ts'
import { replaceCells } from '../run/replace.ts'
import { contentsOf } from './seal.ts'
import { rawTable } from '../run/step.ts'
import { loadRows, warehouseCells } from '../run/transfer.ts'

/** What rewriting needs, beside the cells. */
export interface Reopening {
  readonly source: CapturedSource
  readonly transforms: readonly CellTransform[]
  readonly names: Names
  readonly options: Pick<RollupOptions, 'runId' | 'owner'>
  readonly desk: Desk
  readonly warehouse: Session
  readonly horizon: Horizon
  readonly signer: Signer | null
}

/**
 * `restore`: the cell becomes again what its seal says, from a source that still says so. `replace`: the cell becomes what the source holds. `merge`: what the source holds joins the cell. `without`: the rows of one organization
 * leave it.
 */
export type Rewrite =
  | { readonly how: 'replace' | 'merge' | 'restore' }
  | { readonly how: 'without'; readonly organization: string }

/**
 * Rewrites the batch's cells and seals their hours anew, with what is to be said of quarantine, or not at all. Throws SEAL_BROKEN when the
 * warehouse does not hold what the seals say, DIFFERENCES_FOUND when the result is not what it must be. Answers the new horizon.
 */
export async function rewriteSealed(
  context: Reopening,
  batch: Batch,
  rewrite: Rewrite,
  quarantine: readonly Quarantined[],
): Promise<Horizon> {
  const { source, desk, warehouse, options, horizon, signer } = context
  const key = sourceKey(source)
  const hours = wholeHours(source, batch)
  const reason: SealReason = rewrite.how === 'without' ? 'erased' : 'admitted'
  return withTransaction(warehouse, async () => {
    await claimTarget(warehouse, claimOf(source, options, desk))
    const before = await warehouseCells(warehouse, source, rawCondition(await listCells(warehouse, hours)))
    if (rewrite.how !== 'restore') await refuseAltered(context, hours, before)
    const after = await rewriteRows(context, batch, rewrite)
    const touched = new Set(
      batch.hours.flatMap(({ hour, shards }) => (shards === 'all' ? [] : shards.map(shard => keyOf({ hour, shard })))),
    )
    const cells = [...before.filter(cell => !touched.has(keyOf(cell))), ...after]
    if (rewrite.how === 'restore') {
      await refuseAltered(context, hours, cells)
      await storeRawRows(warehouse, key, rawTable(warehouse, source))
      return horizon
    }
    const listed = await listCells(warehouse, hours)
    const contents = await contentsOf(source, options, desk, warehouse, { listed, cells, reason })
    const step = {
      sealedBefore: horizon.sealedBefore,
      contents: [...contents, ...emptied(contents, hours, context, reason)],
      runId: options.runId,
    }
    const next = await appendSeals(warehouse, key, horizon, step, signer)
    await writeQuarantine(warehouse, key, quarantine)
    await storeRawRows(warehouse, key, rawTable(warehouse, source))
    return next
  })
}

/** Computes the rollups of sealed cells anew from the rows that the warehouse keeps; the rows and their seals stay as they are. */
export async function deriveSealed(context: Reopening, batch: Batch): Promise<void> {
  const { source, desk, warehouse, options } = context
  await withTransaction(warehouse, async () => {
    await claimTarget(warehouse, claimOf(source, options, desk))
    await deriveTransforms(context, batch)
  })
}

/** Deletes from the source the rows that were merged: those that the snapshot showed, and as they were then. Answers their number. */
export async function moveOut(context: Reopening, batch: Batch): Promise<number> {
  const { source, desk } = context
  const { control, reader } = desk
  const keys = await keyColumns(reader, source)
  const { table } = source.capture
  const names = keys.map(({ name }) => name)
  return withTransaction(control, async () => {
    await control.query(
      `create temp table plinth_moved on commit drop as
       select ${names.join(', ')}, event.xmin::text as row_version, null::timestamptz as bucket_hour, null::integer as shard
       from ${table} as event limit 0`,
    )
    const version = { name: 'xmin', type: 'text', place: source.place }
    await control.copyIn(
      'copy pg_temp.plinth_moved from stdin (format csv)',
      copyRows(reader, { ...source, columns: [...keys, version] }, batch),
    )
    const { rowCount } = await control.query(
      `delete from ${table} as event using pg_temp.plinth_moved as moved
       where ${names.map(name => `event.${name} = moved.${name}`).join(' and ')} and event.xmin::text = moved.row_version`,
    )
    return rowCount
  })
}

/** The columns of the source's primary key, all of which the warehouse has. */
export async function keyColumns(reader: Session, source: CapturedSource): Promise<CapturedSource['columns']> {
  const { rows } = await reader.query<{ name: string }>(
    `select attribute.attname as name
     from pg_index as index
     cross join unnest(index.indkey) with ordinality as part (number, place)
     join pg_attribute as attribute on attribute.attrelid = index.indrelid and attribute.attnum = part.number
     where index.indrelid = to_regclass($1) and index.indisprimary
     order by part.place`,
    [source.capture.table],
  )
  const keys = rows.map(({ name }) => source.columns.find(column => column.name === name))
  if (keys.length > 0 && keys.every(key => key !== undefined)) return keys
  throw new PlinthError(
    'SEAL_REFUSED',
    `Late events of ${source.capture.table} cannot be told apart from those that are sealed.`,
    {
      at: source.place,
      hint: 'It needs a primary key, all of whose columns are captured.',
    },
  )
}

async function rewriteRows(context: Reopening, batch: Batch, rewrite: Rewrite): Promise<CellDigest[]> {
  const { source, desk, warehouse } = context
  const listed = await listCells(warehouse, batch)
  const condition = rawCondition(listed)
  const table = rawTable(warehouse, source)
  const leaving =
    rewrite.how === 'without'
      ? `raw.${source.capture.organizationColumn} = ${identifier(rewrite.organization)}`
      : rewrite.how === 'merge'
        ? await lateCondition(context, batch)
        : 'true'
  const rest = leaving === 'true' ? [] : await warehouseCells(warehouse, source, `${condition} and not (${leaving})`)
  await warehouse.query(`delete from ${table} as raw where ${condition} and ${leaving}`)
  const arriving = rewrite.how === 'without' ? [] : (await loadRows(desk.reader, warehouse, source, batch)).cells
  const expected = added(context, rest, arriving)
  if (spellingOf(warehouse).deferred) await assertCells(warehouse, source, condition, expected)
  else refuseDifferent(compareDigests(table, expected, await warehouseCells(warehouse, source, condition)))
  await deriveTransforms(context, batch)
  return expected
}

async function deriveTransforms({ transforms, warehouse, names }: Reopening, batch: Batch): Promise<void> {
  const listed = await listCells(warehouse, batch)
  for (const transform of transforms) await replaceCells(warehouse, transform, names, listed)
  for (const transform of transforms) {
    if (spellingOf(warehouse).deferred) await assertTransform(warehouse, transform, names, listed, 'all')
    else refuseDifferent(await compareCells(warehouse, transform, names, listed))
  }
}

/** A condition on a raw row: the source has it, by its key, among the batch's. */
async function lateCondition({ source, desk, warehouse }: Reopening, batch: Batch): Promise<string> {
  const keys = await keyColumns(desk.reader, source)
  const columns = [...keys, { name: 'bucket_hour', type: 'timestamptz' }, { name: 'shard', type: 'smallint' }]
  const load = { columns, source: copyRows(desk.reader, { ...source, columns: keys }, batch) }
  const { deferred, loadCsv } = spellingOf(warehouse)
  const relation = deferred ? await deferred.stage(warehouse, load) : 'temp.main.plinth_late'
  if (!deferred) {
    await warehouse.query(
      `create or replace temp table plinth_late (${columns.map(({ name, type }) => `"${name}" ${type}`).join(', ')})`,
    )
    await loadCsv(warehouse, { ...load, table: relation })
  }
  const same = keys.map(({ name }) => `late.${name} = raw.${name}`)
  return `exists (select 1 from ${relation} as late where ${same.join(' and ')})`
}

/** What was sealed must still be there before anything is built on it. */
async function refuseAltered(
  { source, warehouse }: Reopening,
  hours: Batch,
  found: readonly CellDigest[],
): Promise<void> {
  const named = new Set(hours.hours.map(({ hour }) => hour))
  const seals = await readSeals(warehouse, sourceKey(source), hours)
  const sealed = sealedDigests([...presentSeals(seals).values()].filter(({ hour }) => named.has(hour)))
  const plain = found.map(cell => ({ ...cell, sums: [] }))
  const table = `${source.schema}.${source.identifier}`
  const differences = compareDigests(table, sealed, plain)
  if (differences.length === 0) return
  throw new PlinthError('SEAL_BROKEN', `${table} does not hold what its seals say, in ${differences.length} cells.`, {
    at: { object: warehouse.address },
    hint: 'Restore the warehouse from its backup; `plinth reconcile --dry-run` lists the cells.',
    details: { differences: differences.slice(0, 20) },
  })
}

function refuseDifferent(differences: readonly Difference[]): void {
  const [first] = differences
  if (!first) return
  throw new PlinthError(
    'DIFFERENCES_FOUND',
    `After rewriting, ${first.table} would differ in ${differences.length} cells; nothing was kept.`,
    {
      at: { object: first.table },
      hint: 'Report this: rows were changed on their way into the warehouse.',
      details: { differences: differences.slice(0, 20) },
    },
  )
}

/** Hours that lost their last row are sealed as empty. */
function emptied(
  contents: readonly { readonly hour: string }[],
  hours: Batch,
  { options, desk }: Reopening,
  reason: SealReason,
) {
  const full = new Set(contents.map(({ hour }) => hour))
  return hours.hours
    .filter(({ hour }) => !full.has(hour))
    .map(({ hour }) => ({
      hour,
      reason,
      rows: '0',
      sums: [],
      cells: [],
      snapshot: desk.snapshot,
      sealedBy: options.owner,
      sealedAt: desk.readAt,
      runId: options.runId,
    }))
}

function wholeHours(source: CapturedSource, batch: Batch): Batch {
  const shards = Array.from({ length: source.capture.shards }, (_, shard) => shard)
  return batchOfCells(batch.hours.flatMap(({ hour }) => shards.map(shard => ({ hour, shard }))))
}

/** Digests are sums over rows, so those of two sets of rows that share none add up to that of both. */
function added(
  { source, warehouse }: Reopening,
  first: readonly CellDigest[],
  second: readonly CellDigest[],
): CellDigest[] {
  const { deferred } = spellingOf(warehouse)
  const scales = summedColumns(source.columns).map(({ type }) => scaleOf(type))
  const cells = new Map(first.map(cell => [keyOf(cell), cell]))
  for (const cell of second) {
    const other = cells.get(keyOf(cell))
    cells.set(
      keyOf(cell),
      other
        ? {
            ...cell,
            rows: (BigInt(cell.rows) + BigInt(other.rows)).toString(),
            hash: addedHashes(cell.hash, other.hash, deferred ? 'decimal' : 'hexadecimal'),
            sums: cell.sums.map((sum, index) => addedNumbers(sum, other.sums[index] ?? '0', scales[index] ?? 0)),
          }
        : cell,
    )
  }
  return [...cells.values()]
}

/** Sums of hashes are kept below 2^52 where they are made here, and in full where the warehouse makes them. */
function addedHashes(a: string, b: string, written: 'decimal' | 'hexadecimal'): string {
  const parts = (hash: string) => hash.split('/').map(part => BigInt(written === 'decimal' ? part : `0x${part}`))
  const other = parts(b)
  return parts(a)
    .map((part, index) => part + (other[index] ?? 0n))
    .map(sum => (written === 'decimal' ? sum.toString() : (sum % 2n ** 52n).toString(16)))
    .join('/')
}

function addedNumbers(a: string, b: string, scale: number): string {
  const unscaled = (text: string) => {
    const [whole = '0', fraction = ''] = text.split('.')
    return BigInt(whole + fraction.padEnd(scale, '0'))
  }
  const sum = (unscaled(a) + unscaled(b)).toString().padStart(scale + 1, '0')
  return scale === 0 ? sum : `${sum.slice(0, -scale)}.${sum.slice(-scale)}`
}

function identifier(organization: string): string {
  if (/^[\w.:@-]+$/.test(organization)) return `'${organization}'`
  throw new PlinthError('USAGE', 'This is not the id of an organization.')
}
