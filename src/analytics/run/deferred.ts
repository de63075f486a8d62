/**
 * A step of a run where a transaction is sent as a whole: what an interactive one looks at before it commits is asked within the script, which
 * fails, and keeps nothing, when the answer is not the right one.
 */
import type { Session } from '../../engines/engine.ts'
import { scaleOf, summedColumns } from '../prove/canonical.ts'
import type { CellDigest } from './capture.ts'
import { inCells, type ListedBatch, spellingOf } from './cells.ts'
import type { Names } from '../project/compile.ts'
import { digestQuery } from '../prove/digest.ts'
import { type CellTransform, differencesQuery, type Sample, tableOf } from './materialize.ts'
import type { CapturedSource } from '../project/project.ts'

/** At the commit, the raw table must hold in the cells of `condition` exactly what the source was found to hold. */
export async function assertCells(
  warehouse: Session,
  source: CapturedSource,
  condition: string,
  expected: readonly CellDigest[],
): Promise<void> {
  const { deferred } = spellingOf(warehouse)
  if (!deferred) return
  const sums = summedColumns(source.columns)
  const numbers = ['row_count', 'hash_high', 'hash_low', ...sums.map((_, index) => `sum_${index}`)]
  const relation = await deferred.stage(warehouse, {
    columns: [
      { name: 'bucket_hour', type: 'timestamptz' },
      { name: 'shard', type: 'smallint' },
      { name: 'row_count', type: 'bigint' },
      { name: 'hash_high', type: 'bigint' },
      { name: 'hash_low', type: 'bigint' },
      ...sums.map(({ type }, index) => ({
        name: `sum_${index}`,
        type: scaleOf(type) === 0 ? 'bigint' : `numeric(${Math.min(29 + scaleOf(type), 38)}, ${scaleOf(type)})`,
      })),
    ],
    source: lines(expected),
  })
  const different = numbers.map(name => `found.${name} is distinct from expected.${name}`)
  await deferred.assert(
    warehouse,
    `not exists (
  select 1
  from (${digestQuery(warehouse, source, condition)}) as found
  full outer join ${relation} as expected on expected.bucket_hour = found.bucket_hour and expected.shard = found.shard
  where ${different.join(' or ')}
)`,
    unlike(`${source.schema}.${source.identifier}`),
  )
}

/** At the commit, the transform's rows in the batch's cells must be what it answers from its inputs. */
export async function assertTransform(
  warehouse: Session,
  transform: CellTransform,
  names: Names,
  batch: ListedBatch,
  sample: Sample,
): Promise<void> {
  const { text } = await differencesQuery(warehouse, transform, names, batch, sample)
  const failure = unlike(`${transform.schema}.${transform.name}`)
  await spellingOf(warehouse).deferred?.assert(warehouse, `not exists (${text}\n)`, failure)
}

/** Rows that stand in the batch's cells now, for each transform: the script itself does not tell what each of its statements wrote. */
export async function countReplaced(
  warehouse: Session,
  transforms: readonly CellTransform[],
  batch: ListedBatch,
): Promise<ReadonlyMap<string, number>> {
  if (transforms.length === 0) return new Map()
  const counts = transforms.map(
    (transform, index) =>
      `select ${index} as place, count(*) as row_count from ${tableOf(warehouse, transform)} as stored where ${inCells('stored', transform.cell, batch)}`,
  )
  const { rows } = await warehouse.query<{ place: string; row_count: string }>(counts.join('\nunion all\n'))
  return new Map(
    rows.map(row => {
      const { schema, name } = transforms[Number(row.place)] as CellTransform
      return [`${schema}.${name}`, Number(row.row_count)]
    }),
  )
}

async function* lines(cells: readonly CellDigest[]): AsyncGenerator<string> {
  for (const { hour, shard, rows, hash, sums } of cells)
    yield `${[hour, shard, rows, ...hash.split('/'), ...sums].join(',')}\n`
}

function unlike(table: string) {
  const message = `After loading, ${table} would differ from its source; nothing was kept.`
  return { code: 'DIFFERENCES_FOUND', message } as const
}
