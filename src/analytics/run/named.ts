/** Marks that name the organizations that changed: of their cells a run reads and replaces what is theirs, and leaves the rest as it was proved. */
import type { Session } from '../../engines/engine.ts'
import { columnKind } from '../prove/canonical.ts'
import { keyOf } from '../prove/digest.ts'
import { provedCells } from '../prove/proof.ts'
import { type CapturedSource, sourceKey, type Transform } from '../project/project.ts'
import { batchOfCells, spellingOf } from './cells.ts'
import { hasCells } from './materialize.ts'
import { type Batch, type BatchLimits, type ChangedHour, type OrganizationColumn, planBatches } from './plan.ts'

/**
 * The batches of hours that changed since a cursor. Cells go whole where a mark names nobody, where too many are named, and where no proof of the cell
 * stands that the rest of its rows could rest on.
 */
export async function planChanges(
  reader: Session,
  warehouse: Session,
  source: CapturedSource,
  cursorSnapshot: string,
  hours: readonly ChangedHour[],
  limits: BatchLimits,
): Promise<Batch[]> {
  const column = columnOf(source)
  const marks =
    column === null || hours.length === 0 || spellingOf(warehouse).deferred
      ? []
      : await namedMarks(reader, source, cursorSnapshot, organizationsMax)
  if (column === null || marks.length === 0) return planBatches(hours, 'no', limits)
  const proved = await provedCells(warehouse, source, batchOfCells(marks))
  const { whole, part } = divide(
    hours,
    marks.filter(mark => proved === null || proved.has(keyOf(mark))),
  )
  const first = planBatches(whole, 'no', limits)
  const then = planBatches(part, 'no', limits).map(batch => ({ ...batch, named: column }))
  // Whoever reads meanwhile sees what one transaction would have brought, as long as one can hold it all.
  const [before, only] = [first[0], then[0]]
  if (before && only && first.length + then.length === 2) return [{ ...only, before }]
  return [...first, ...then]
}

/** A cell in which more changed is replaced as a whole: finding the rows of each would cost more. */
const organizationsMax = 32

/** Transforms whose rows of an organization are made from its rows alone, all the way from the source. */
export function toldApart(transforms: readonly Transform[], source: CapturedSource): ReadonlySet<string> {
  const apart = new Set<string>()
  // Each comes after what it refers to.
  for (const transform of transforms)
    if (
      hasCells(transform) &&
      transform.cell.organization !== undefined &&
      transform.sources.every(name => name === sourceKey(source)) &&
      transform.refs.every(name => apart.has(name))
    )
      apart.add(transform.name)
  return apart
}

/** A cell in which only these organizations changed. */
interface NamedMarks {
  readonly hour: string
  readonly shard: number
  readonly organizations: readonly string[]
}

/**
 * Of the same marks, the cells in which each names organizations, and all together no more than `limit`. None where marks have no such column, or no
 * index leads to an organization's time.
 */
async function namedMarks(
  session: Session,
  { capture }: CapturedSource,
  cursorSnapshot: string,
  limit: number,
): Promise<NamedMarks[]> {
  const { table, marks, organizationColumn, timeColumn } = capture
  const { rows: able } = await session.query<{ able: boolean }>(
    `select exists (
         select from pg_attribute where attrelid = $1::regclass and attname = 'organizations' and not attisdropped
       ) and exists (
         select
         from pg_index as index
         join pg_attribute as first on first.attrelid = index.indrelid and first.attnum = index.indkey[0]
         join pg_attribute as second on second.attrelid = index.indrelid and second.attnum = index.indkey[1]
         where index.indrelid = $2::regclass and index.indisvalid and index.indpred is null
           and first.attname = $3 and second.attname = $4
       ) as able`,
    [marks, table, organizationColumn, timeColumn],
  )
  if (able[0]?.able !== true) return []
  const { rows } = await session.query<NamedMarks>(
    `select mark.bucket_hour as hour, mark.shard, array_agg(distinct whose.organization::text) as organizations
     from ${marks} as mark
     left join lateral unnest(mark.organizations) as whose (organization) on true
     where mark.xid >= pg_snapshot_xmin($1::pg_snapshot)::text::bigint
       and not pg_visible_in_snapshot(mark.xid::text::xid8, $1::pg_snapshot)
     group by 1, 2
     having bool_and(whose.organization is not null) and count(distinct whose.organization) <= $2`,
    [cursorSnapshot, limit],
  )
  return rows
}

/** Null where the raw table does not have the column, or where values of its type may hold anything. */
function columnOf({ columns, capture }: CapturedSource): OrganizationColumn | null {
  const column = columns.find(({ name }) => name === capture.organizationColumn)
  const kind = column && columnKind(column.type)
  return column && (kind === 'uuid' || kind === 'integer') ? { name: column.name, type: column.type } : null
}

function divide(
  hours: readonly ChangedHour[],
  marks: readonly NamedMarks[],
): { readonly whole: readonly ChangedHour[]; readonly part: readonly ChangedHour[] } {
  const byHour = new Map<string, Map<number, readonly string[]>>()
  for (const { hour, shard, organizations } of marks) {
    const known = byHour.get(hour) ?? new Map<number, readonly string[]>()
    byHour.set(hour, known.set(shard, organizations))
  }
  const whole: ChangedHour[] = []
  const part: ChangedHour[] = []
  for (const changed of hours) {
    const organizations = byHour.get(changed.hour)
    if (changed.shards === 'all' || !organizations) {
      whole.push(changed)
      continue
    }
    const rest = changed.shards.filter(shard => !organizations.has(shard))
    const share = rest.length / changed.shards.length
    if (rest.length > 0) whole.push({ ...changed, shards: rest, rows: Math.round(changed.rows * share) })
    if (rest.length < changed.shards.length)
      part.push({
        hour: changed.hour,
        shards: changed.shards.filter(shard => organizations.has(shard)),
        rows: Math.round(changed.rows * (1 - share)),
        organizations,
      })
  }
  return { whole, part }
}
