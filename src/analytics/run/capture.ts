/** The source's side of a run: what changed since the cursor, at one snapshot, and the rows of exactly those cells. */
import type { Readable } from 'node:stream'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { rowHashes, summedColumns } from '../prove/canonical.ts'
import { type Batch, type ChangedHour, hourAfter, type OrganizationColumn, stretchesOf } from './plan.ts'
import type { CapturedSource } from '../project/project.ts'
import { fits } from './source-types.ts'

/** Which database a cursor belongs to. Null where this user may not ask. */
export interface SourceIdentity {
  readonly systemIdentifier: string | null
  readonly timeline: string | null
  /** Identity of the captured table and of its marks: made anew, they have forgotten what was marked before. */
  readonly relation: string
}

/** Where a warehouse stands. */
export interface Cursor extends SourceIdentity {
  /** `pg_snapshot` as text: everything visible in it is in the warehouse. Null while the first load is under way. */
  readonly snapshot: string | null
  readonly token: bigint
}

/** Asks who the source is. Throws PERMISSION_DENIED where row security would hide rows, TRANSFORM_INVALID where tables or columns lack. */
export async function inspectSource(session: Session, source: CapturedSource): Promise<SourceIdentity> {
  const { table, marks } = source.capture
  const relations = await session.query<{ table: string | null; marks: string | null }>(
    'select to_regclass($1)::oid::text as table, to_regclass($2)::oid::text as marks',
    [table, marks],
  )
  const { table: tableId = null, marks: marksId = null } = relations.rows[0] ?? {}
  for (const [id, name] of [
    [tableId, table],
    [marksId, marks],
  ] as const) {
    if (id !== null) continue
    throw new PlinthError('TRANSFORM_INVALID', `The source database has no table ${name}.`, {
      at: source.place,
      hint: 'Apply the migrations of the source first, or correct the name.',
    })
  }
  await checkColumns(session, source)
  for (const name of [table, marks]) await checkRowSecurity(session, name)
  return { ...(await clusterIdentity(session)), relation: `${tableId}/${marksId}` }
}

/** The snapshot of the open transaction. */
export async function currentSnapshot(session: Session): Promise<{ readonly snapshot: string; readonly at: string }> {
  const { rows } = await session.query<{ snapshot: string; at: string }>(
    'select pg_current_snapshot()::text as snapshot, clock_timestamp() as at',
  )
  const row = rows[0]
  if (!row) throw new PlinthError('INTERNAL', 'The source did not say its snapshot.')
  return row
}

/** True when the cursor's snapshot saw transactions that this source has not begun: it was set back in time. */
export async function isAhead(session: Session, cursorSnapshot: string): Promise<boolean> {
  const { rows } = await session.query<{ ahead: boolean }>(
    `select pg_snapshot_xmax($1::pg_snapshot)::text::numeric > pg_snapshot_xmax(pg_current_snapshot())::text::numeric as ahead`,
    [cursorSnapshot],
  )
  return rows[0]?.ahead === true
}

export interface Marks {
  /** Number of marks. */
  readonly marks: number
  readonly hours: readonly Omit<ChangedHour, 'rows'>[]
}

/**
 * The cells that were marked by transactions which the cursor's snapshot did not see and this one does. The index on xid finds them:
 * what is older than the cursor's oldest open transaction was seen.
 */
export async function pendingMarks(session: Session, source: CapturedSource, cursorSnapshot: string): Promise<Marks> {
  const { rows } = await session.query<{ hour: string; shards: number[]; marks: string }>(
    `select bucket_hour as hour, array_agg(distinct shard order by shard) as shards, count(*) as marks
     from ${source.capture.marks}
     where xid >= pg_snapshot_xmin($1::pg_snapshot)::text::bigint
       and not pg_visible_in_snapshot(xid::text::xid8, $1::pg_snapshot)
     group by bucket_hour
     order by bucket_hour`,
    [cursorSnapshot],
  )
  return {
    marks: rows.reduce((sum, row) => sum + Number(row.marks), 0),
    hours: rows.map(({ hour, shards }) => ({ hour, shards })),
  }
}

/**
 * A copy of a database on another server, such as a restored dump, brings marks of transactions that this server has not begun: they would count as changes
 * that nobody has taken until it has. They get the number of this transaction, so the next run takes them once. Answers how many there were.
 */
export async function adoptMarks(session: Session, { capture: { marks } }: CapturedSource): Promise<number> {
  // A statement sees no row that a transaction of this server wrote which its own snapshot does not know.
  const foreign = 'xid >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint'
  const { rows } = await session.query<{ some: boolean }>(
    `select exists (select from ${marks} where ${foreign}) as some`,
  )
  if (rows[0]?.some !== true) return 0
  const { rowCount } = await session.query(
    `update ${marks} set xid = pg_current_xact_id()::text::bigint where ${foreign}`,
  )
  return rowCount
}

/**
 * How hours that are far apart are found: one after another where an index or partitions lead there and the table is large enough, or else by
 * one look at everything between the first and the last.
 */
export type Reach = 'hour by hour' | 'at once'

export async function reachOf(session: Session, source: CapturedSource, batch: Batch): Promise<Reach> {
  if (batch.named) return 'hour by hour'
  if (batch.whole === 'yes' || stretchesOf(batch.hours, Infinity).length <= stretchesAtOnce) return 'at once'
  const { rows } = await session.query<{ methods: string[] | null; rows: number | null }>(
    `with recursive part as (
       select $1::regclass::oid as relation
       union all
       select child.inhrelid from part join pg_inherits as child on child.inhparent = part.relation
     )
     select (
         select array_agg(distinct method.amname::text)
         from pg_index as index
         join pg_attribute as first on first.attrelid = index.indrelid and first.attnum = index.indkey[0]
         join pg_class as class on class.oid = index.indexrelid
         join pg_am as method on method.oid = class.relam
         where index.indrelid = $1::regclass and first.attname = $2 and index.indisvalid and index.indpred is null
       ) as methods,
       -- Nothing is known of a part that was never looked at.
       case when bool_and(class.reltuples >= 0 or pg_relation_size(class.oid) = 0)
         then sum(greatest(class.reltuples, 0))::float8 end as rows
     from part
     join pg_class as class on class.oid = part.relation and class.relkind <> 'p'`,
    [source.capture.table, source.capture.timeColumn],
  )
  const { methods = null, rows: known = null } = rows[0] ?? {}
  if (!methods) return 'at once'
  const look = methods.every(method => method === 'brin') ? rowsPerLook.brin : rowsPerLook.exact
  const looks = batch.hours.length * look
  return known !== null && looks > known ? 'at once' : 'hour by hour'
}

/** How many rows are read from end to end in the time that finding an hour takes: a block range is read whole, a tree leads to the row. */
const rowsPerLook = { brin: 2500, exact: 500 } as const

/** Copies the batch's rows in binary form, each column as the type given, with the hour of each row, where it is asked for, and the shard at the end. */
export function copyBinary(
  session: Session,
  source: CapturedSource,
  batch: Batch,
  types: readonly string[],
  reach: Reach,
  row: 'with its hour' | 'without its hour',
): Readable {
  const hour = row === 'with its hour' ? [hourOf(source)] : []
  const values = [...source.columns.map(({ name }) => `event.${name}`), ...hour, shardOf(source)]
  const columns = values.map((value, index) => `${value}::${types[index]}`).join(', ')
  return session.copyOut(`copy (select ${columns} from ${eventsOf(source, batch, reach)}) to stdout (format binary)`)
}

/** The batch's rows as CSV, with the cell of each row at the end. The session writes times as ISO 8601 in UTC. */
export function copyRows(session: Session, source: CapturedSource, batch: Batch, reach: Reach = 'at once'): Readable {
  const columns = [...source.columns.map(({ name }) => `event.${name}`), hourOf(source), shardOf(source)]
  return session.copyOut(
    `copy (select ${columns.join(', ')} from ${eventsOf(source, batch, reach)}) to stdout (format csv)`,
  )
}

/** What a cell holds, so that it can be compared. Sums are exact, as text. */
export interface CellDigest {
  readonly hour: string
  readonly shard: number
  readonly rows: string
  readonly hash: string
  /** Sums of the numeric columns in their order. */
  readonly sums: readonly string[]
}

/** One line of a digest in each dialect: hour, shard, rows, hash, then sums. */
export async function sourceDigests(
  session: Session,
  source: CapturedSource,
  batch: Batch,
  reach: Reach,
): Promise<CellDigest[]> {
  const [high, low] = rowHashes(source.columns, 'postgres', 'event')
  const sums = summedColumns(source.columns).map(({ name }) => `coalesce(sum(event.${name})::text, '0')`)
  const { rows } = await session.query<CellDigest>(
    `select ${hourOf(source)} as hour, ${shardOf(source)} as shard, count(*)::text as rows,
       sum(${high})::text || '/' || sum(${low})::text as hash,
       array[${sums.join(', ')}]::text[] as sums
     from ${eventsOf(source, batch, reach)}
     group by 1, 2`,
  )
  return rows
}

/** Marks cells, so that the next run replaces them. */
export async function markCells(
  session: Session,
  source: CapturedSource,
  cells: readonly { readonly hour: string; readonly shard: number }[],
): Promise<void> {
  for (let from = 0; from < cells.length; from += 10_000) {
    const part = cells.slice(from, from + 10_000)
    await session.query(
      `insert into ${source.capture.marks} (bucket_hour, shard) select * from unnest($1::timestamptz[], $2::smallint[])`,
      [part.map(cell => cell.hour), part.map(cell => cell.shard)],
    )
  }
}

/** Tells the source how far this consumer has read. An older runner cannot set it back. */
export async function acknowledge(
  session: Session,
  source: string,
  consumer: string,
  snapshot: string,
  token: bigint,
): Promise<void> {
  await session.query(
    `insert into plinth.rollup_consumers as known (source, consumer, snapshot, token, acknowledged_at)
     values ($1, $2, $3, $4, clock_timestamp())
     on conflict (source, consumer) do update
     set snapshot = excluded.snapshot, token = excluded.token, acknowledged_at = excluded.acknowledged_at
     where known.token <= excluded.token`,
    [source, consumer, snapshot, token],
  )
}

/** The token that this consumer acknowledged last; marks up to there may be gone. */
export async function acknowledgedToken(session: Session, source: string, consumer: string): Promise<bigint | null> {
  const { rows } = await session.query<{ token: string }>(
    'select token::text as token from plinth.rollup_consumers where source = $1 and consumer = $2',
    [source, consumer],
  )
  return rows[0] ? BigInt(rows[0].token) : null
}

/** Deletes the marks that every consumer has passed, and answers their number. */
export async function trimMarks(session: Session, source: string, captured: CapturedSource): Promise<number> {
  const { rowCount } = await session.query(
    `with passed as materialized (
       select snapshot::pg_snapshot as snapshot from plinth.rollup_consumers where source = $1
     )
     delete from ${captured.capture.marks} as mark
     where mark.xid < (select min(pg_snapshot_xmax(snapshot)::text::bigint) from passed)
       and not exists (select from passed where not pg_visible_in_snapshot(mark.xid::text::xid8, passed.snapshot))`,
    [source],
  )
  return rowCount
}

export function hourOf(source: CapturedSource): string {
  // The hour in UTC. To name the zone would cost three times as much, and date_bin is not on every server that is supported.
  return `(date_trunc('hour', event.${source.capture.timeColumn} at time zone interval '0') at time zone interval '0')`
}

export function shardOf(source: CapturedSource): string {
  return `${source.capture.shardFunction}(event.${source.capture.organizationColumn})`
}

/**
 * Literal bounds on the time column, so that partitions and indexes are used, and the exact cells beside them. The literals are hours
 * and shard numbers that the source itself gave.
 */
function cellFilter(source: CapturedSource, batch: Batch): string {
  const time = `event.${source.capture.timeColumn}`
  if (batch.whole === 'yes') {
    const bounds = [
      ...(batch.from ? [`${time} >= '${batch.from}'`] : []),
      ...(batch.until ? [`${time} < '${batch.until}'`] : []),
    ]
    return bounds.join(' and ') || 'true'
  }
  if (batch.hours.length === 0) return 'false'
  const stretches = stretchesOf(batch.hours, stretchesAtOnce).map(
    ({ from, until }) => `(${time} >= '${from}' and ${time} < '${until}')`,
  )
  const within = `(${stretches.join(' or ')})`
  const all = source.capture.shards
  if (isContiguous(batch.hours) && batch.hours.every(({ shards }) => shards === 'all' || shards.length === all))
    return within
  const cells = batch.hours.flatMap(({ hour, shards }) =>
    (shards === 'all' ? Array.from({ length: all }, (_, shard) => shard) : shards).map(
      shard => `('${hour}'::timestamptz, ${shard})`,
    ),
  )
  return `${within} and (${hourOf(source)}, ${shardOf(source)}::integer) in (values ${cells.join(', ')})`
}

/** How many stretches of time a statement names as such: each is a look into an index, or else a comparison for every row. */
const stretchesAtOnce = 8

/**
 * The batch's rows behind `from`, as `event`. Hours that are far apart are looked up one after another: as conditions of one scan they
 * would all be tried on each partition.
 */
function eventsOf(source: CapturedSource, batch: Batch, reach: Reach): string {
  const { table, timeColumn } = source.capture
  if (batch.named) return eventsOfNamed(source, batch, batch.named)
  if (reach === 'at once') return `${table} as event where ${cellFilter(source, batch)}`
  const spans = batch.hours.map(
    ({ hour, shards }) =>
      `('${hour}'::timestamptz, '${hourAfter(hour)}'::timestamptz, ${shards === 'all' ? 'null' : `'{${shards.join(',')}}'`}::integer[])`,
  )
  return `(values ${spans.join(', ')}) as span (began, ended, shards)
cross join lateral (
  select event.*
  from ${table} as event
  where event.${timeColumn} >= span.began and event.${timeColumn} < span.ended
    and (span.shards is null or ${shardOf(source)}::integer = any (span.shards))
  offset 0
) as event`
}

/** The rows of organizations that are named, each looked up in an index that begins with organization and time. */
function eventsOfNamed({ capture }: CapturedSource, batch: Batch, { type }: OrganizationColumn): string {
  const { table, timeColumn, organizationColumn } = capture
  const spans = batch.hours.flatMap(({ hour, organizations }) => {
    const all = [...(organizations ?? [])].flatMap(([, some]) => some.map(one => `'${one.replaceAll("'", "''")}'`))
    return [`('${hour}'::timestamptz, '${hourAfter(hour)}'::timestamptz, array[${all.join(',')}]::${type}[])`]
  })
  return `(values ${spans.join(', ')}) as span (began, ended, organizations)
cross join lateral unnest(span.organizations) as whose (organization)
cross join lateral (
  select event.*
  from ${table} as event
  where event.${organizationColumn} = whose.organization
    and event.${timeColumn} >= span.began and event.${timeColumn} < span.ended
  offset 0
) as event`
}

function isContiguous(hours: readonly ChangedHour[]): boolean {
  return hours.every((hour, index) => index === 0 || hourAfter(hours[index - 1]?.hour ?? '') === hour.hour)
}

async function clusterIdentity(session: Session): Promise<Pick<SourceIdentity, 'systemIdentifier' | 'timeline'>> {
  const ask = async (query: string) => {
    try {
      return (await session.query<{ answer: string }>(query)).rows[0]?.answer ?? null
    } catch (error) {
      if (error instanceof PlinthError && error.code === 'PERMISSION_DENIED') return null
      throw error
    }
  }
  return {
    systemIdentifier: await ask('select system_identifier::text as answer from pg_control_system()'),
    timeline: await ask('select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as answer'),
  }
}

async function checkColumns(session: Session, source: CapturedSource): Promise<void> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `select attname as name,
       case when typbasetype = 0 then format_type(atttypid, atttypmod) else format_type(typbasetype, typtypmod) end as type
     from pg_attribute
     join pg_type on pg_type.oid = atttypid
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
    [source.capture.table],
  )
  const known = new Map(rows.map(row => [row.name, row.type]))
  for (const column of source.columns) {
    const type = known.get(column.name)
    if (type !== undefined && !fits(column.type, type)) {
      throw new PlinthError(
        'TRANSFORM_INVALID',
        `The column "${column.name}" of ${source.capture.table} is ${type}, which ${column.type} does not hold.`,
        {
          at: column.place,
          hint: 'Widen data_type here and the column of the warehouse by a migration, then run `plinth rollup run --rebase`.',
        },
      )
    }
    if (type !== undefined) continue
    throw new PlinthError('TRANSFORM_INVALID', `The table ${source.capture.table} has no column "${column.name}".`, {
      at: column.place,
      hint: `Its columns: ${[...known.keys()].sort().join(', ')}.`,
    })
  }
}

/** Row security hides rows without a word, and a rollup of what is visible would delete the rest. */
async function checkRowSecurity(session: Session, table: string): Promise<void> {
  const { rows } = await session.query<{ active: boolean; open: boolean; restricted: boolean }>(
    `select row_security_active($1::regclass) as active,
       coalesce(bool_or(mine and permissive = 'PERMISSIVE' and qual = 'true'), false) as open,
       coalesce(bool_or(mine and permissive = 'RESTRICTIVE'), false) as restricted
     from (
       select permissive, qual,
         'public' = any(roles) or exists (select from unnest(roles) as role where role <> 'public' and pg_has_role(role, 'usage')) as mine
       from pg_policies
       where format('%I.%I', schemaname, tablename)::regclass = $1::regclass and cmd in ('ALL', 'SELECT')
     ) as policies`,
    [table],
  )
  const found = rows[0]
  if (!found?.active || (found.open && !found.restricted)) return
  throw new PlinthError(
    'PERMISSION_DENIED',
    `Row security hides rows of ${table} from this user, so a rollup would be wrong.`,
    {
      at: { object: table },
      hint: 'Connect as a user that sees every row, such as a member of plinth_migrator.',
    },
  )
}
