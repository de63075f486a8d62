/** Rows of cells on their way from the source into the warehouse, and what both sides hold, each read once. */
import { type Block, type BlockType, type Texts } from '../../engines/block.ts'
import { type BlockColumnName, loadBlocks, readColumns } from '../../engines/duckdb/write.ts'
import type { Session } from '../../engines/engine.ts'
import { readBinary, wireType } from '../../engines/postgres/binary.ts'
import { columnKind } from '../prove/canonical.ts'
import { type CellDigest, copyBinary, copyRows, reachOf, sourceDigests } from './capture.ts'
import { spellingOf } from './cells.ts'
import { warehouseDigests } from '../prove/digest.ts'
import { createFold } from './fold.ts'
import { withHours } from './hours.ts'
import type { Batch } from './plan.ts'
import type { CapturedSource } from '../project/project.ts'

export interface Loaded {
  readonly rows: number
  /** What the source holds in the batch's cells, by the rows that came out of it. */
  readonly cells: CellDigest[]
  /** Texts of the rows, by the place of their column: `warehouseCells` knows them again without asking for them. */
  readonly texts: readonly (Texts | null)[]
}

/** Copies the batch's rows into the raw table. */
export async function loadRows(
  reader: Session,
  warehouse: Session,
  source: CapturedSource,
  batch: Batch,
): Promise<Loaded> {
  const { deferred, loadCsv } = spellingOf(warehouse)
  if (deferred) {
    const reach = await reachOf(reader, source, batch)
    const table = `${source.schema}.${source.identifier}`
    const rows = await loadCsv(warehouse, {
      table,
      columns: csvColumns(source),
      source: copyRows(reader, source, batch, reach),
    })
    return { rows, cells: await sourceDigests(reader, source, batch, reach), texts: [] }
  }
  const fold = createFold()
  const columns = columnsOf(source)
  const rows = await loadBlocks(
    warehouse,
    { schema: source.schema, name: source.identifier },
    columns,
    folded(rowsOf(reader, source, batch, columns), fold),
  )
  return { rows, cells: fold.cells(), texts: fold.texts() }
}

/** What the source holds in the batch's cells, in the way that `warehouseCells` answers for this warehouse. */
export async function sourceCells(
  reader: Session,
  warehouse: Session,
  source: CapturedSource,
  batch: Batch,
): Promise<CellDigest[]> {
  return (await foldSource(reader, warehouse, source, batch)).cells
}

/** The same, with the texts that occur. */
export async function foldSource(
  reader: Session,
  warehouse: Session,
  source: CapturedSource,
  batch: Batch,
): Promise<Omit<Loaded, 'rows'>> {
  if (spellingOf(warehouse).deferred)
    return { cells: await sourceDigests(reader, source, batch, await reachOf(reader, source, batch)), texts: [] }
  const fold = createFold()
  for await (const block of rowsOf(reader, source, batch, columnsOf(source))) fold.add(block)
  return { cells: fold.cells(), texts: fold.texts() }
}

/** What the raw table holds in the cells that `condition`, on the alias `raw`, lets through. */
export async function warehouseCells(
  warehouse: Session,
  source: CapturedSource,
  condition: string,
  texts: Loaded['texts'] = [],
): Promise<CellDigest[]> {
  if (spellingOf(warehouse).deferred) return warehouseDigests(warehouse, source, condition)
  const fold = createFold()
  const from = `"${source.schema}"."${source.identifier}" as raw where ${condition}`
  for await (const block of readColumns(warehouse, columnsOf(source), from, texts)) fold.add(block)
  return fold.cells()
}

function csvColumns(source: CapturedSource): { readonly name: string; readonly type: string }[] {
  return [...source.columns, { name: 'bucket_hour', type: 'timestamptz' }, { name: 'shard', type: 'smallint' }]
}

/** The source's columns, then the cell. */
function columnsOf(source: CapturedSource): BlockColumnName[] {
  return [
    ...source.columns.map(({ name, type }) => ({ name, type: blockType(type) })),
    { name: 'bucket_hour', type: { kind: 'timestamp' } },
    { name: 'shard', type: { kind: 'int16' } },
  ]
}

function blockType(type: string): BlockType {
  const kind = columnKind(type)
  if (kind === 'decimal') {
    const [precision = 18, scale = 0] = (type.match(/\d+/g) ?? []).map(Number)
    return { kind, precision, scale }
  }
  if (kind !== 'integer') return { kind: kind ?? 'text' }
  return { kind: /small|int2/i.test(type) ? 'int16' : /big|int8/i.test(type) ? 'int64' : 'int32' }
}

async function* rowsOf(
  reader: Session,
  source: CapturedSource,
  batch: Batch,
  columns: readonly BlockColumnName[],
): AsyncGenerator<Block, void> {
  const types = columns.map(column => column.type)
  const reach = await reachOf(reader, source, batch)
  const time = columns.findIndex(({ name, type }) => name === source.capture.timeColumn && type.kind === 'timestamp')
  if (time < 0 || time >= source.columns.length) {
    yield* readBinary(copyBinary(reader, source, batch, types.map(wireType), reach, 'with its hour'), types)
    return
  }
  // All but the hour, which is the last but one.
  const sent = types.filter((_, index) => index !== types.length - 2)
  const rows = readBinary(copyBinary(reader, source, batch, sent.map(wireType), reach, 'without its hour'), sent)
  yield* withHours(rows, time)
}

async function* folded(blocks: AsyncIterable<Block>, fold: ReturnType<typeof createFold>): AsyncGenerator<Block, void> {
  for await (const block of blocks) {
    fold.add(block)
    yield block
  }
}
