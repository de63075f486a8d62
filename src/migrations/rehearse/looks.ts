/** The two questions that a recorder asks a database: a cheap one after every statement, and one about the catalog where that was written. */
import type { Session } from '../../engines/engine.ts'
import type { LockMode } from '../../schema/rehearsal.ts'
import { catalogColumns, type CatalogRows, catalogOf, type RawCatalog, restlessCatalogs } from './catalog-rows.ts'

/** Counters of one table; they only grow within a transaction. */
export interface Counters {
  readonly scans: number
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

/** What a session holds and has counted so far. */
export interface Activity {
  readonly locks: readonly (readonly [oid: number, mode: LockMode])[]
  /** By oid, of tables and indexes. */
  readonly counters: ReadonlyMap<number, Counters>
  /** Rows of the catalog that were written or deleted. */
  readonly catalogWrites: number
  readonly catalogDrops: number
}

/** `in transaction` counts what this transaction did; `at rest` what all that ended did, which a statement outside of transactions is known by. */
export type Moment = 'in transaction' | 'at rest'

export async function lookAtActivity(session: Session, moment: Moment): Promise<Activity> {
  if (moment === 'at rest') await session.query('select pg_catalog.pg_stat_force_next_flush()')
  const { rows } = await session.query<RawActivity & Record<string, unknown>>(activity[moment])
  const { locks, counters, writes, drops } = rows[0] as RawActivity
  return {
    locks: locks ?? [],
    counters: new Map(
      (counters ?? []).map(([oid, scans, inserted, updated, deleted]) => [oid, { scans, inserted, updated, deleted }]),
    ),
    catalogWrites: Number(writes ?? 0),
    catalogDrops: Number(drops ?? 0),
  }
}

/** The number that the next transaction will have. */
export async function nextTransaction(session: Session): Promise<string> {
  const { rows } = await session.query<{ next: string }>(
    'select (pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric % 4294967296)::text as next',
  )
  return rows[0]?.next ?? '3'
}

/** Objects that were written since a transaction, or all. Planning costs more than running, so the session keeps the plan. */
export async function lookAtCatalog(session: Session, since: string | null): Promise<CatalogRows> {
  const { rows } = await session.query<RawCatalog & Record<string, unknown>>(
    `execute plinth_look(${since === null ? 'null' : `'${since}'`})`,
  )
  return catalogOf(rows[0] as RawCatalog)
}

/** Unless the session has it prepared; a file may have thrown it away. */
export async function prepareLooks(session: Session): Promise<void> {
  const { rows } = await session.query("select from pg_catalog.pg_prepared_statements where name = 'plinth_look'")
  if (rows.length > 0) return
  await session.script(
    `set plan_cache_mode = force_generic_plan;\nprepare plinth_look(xid) as select ${catalogColumns()}`,
  )
}

interface RawActivity {
  readonly locks: readonly (readonly [number, LockMode])[] | null
  readonly counters: readonly (readonly [number, number, number, number, number])[] | null
  readonly writes: number | string | null
  readonly drops: number | string | null
}

const locks = `select json_agg(json_build_array(l.relation::bigint, l.mode))
  from pg_catalog.pg_locks l
  where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted and l.relation >= 16384
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())`

/** `infix` chooses between the counters of the transaction and those of all that ended. */
function counters(infix: '_xact' | ''): string {
  const get = (name: string): string => `pg_catalog.pg_stat_get${infix}_${name}(c.oid)`
  return `select json_agg(json_build_array(s.oid, s.scans, s.inserted, s.updated, s.deleted))
  from (
    select c.oid::bigint as oid, ${get('numscans')} as scans, ${get('tuples_inserted')} as inserted, ${get('tuples_updated')} as updated,
      ${get('tuples_deleted')} as deleted
    from pg_catalog.pg_class c
    where c.oid >= 16384 and c.relkind in ('r', 'm', 'i')
  ) s
  where s.scans > 0 or s.inserted > 0 or s.updated > 0 or s.deleted > 0`
}

const restless = restlessCatalogs.map(name => `'pg_catalog.${name}'::pg_catalog.regclass`).join(', ')

/** A dropped column leaves its row, marked; they are counted only where the transaction changed such rows at all. */
const droppedColumns = `case when pg_catalog.pg_stat_get_xact_tuples_updated('pg_catalog.pg_attribute'::pg_catalog.regclass) = 0 then 0 else (
    select pg_catalog.count(*) from pg_catalog.pg_attribute a where a.attrelid >= 16384 and a.attisdropped) end`

/** Catalogs that no list names, such as those of publications, are few enough to be looked for with the rest. */
function catalogCounters(what: 'writes' | 'drops'): string {
  const get = (name: string): string => `pg_catalog.pg_stat_get_xact_tuples_${name}(c.oid)`
  const drops = get('deleted')
  return what === 'drops'
    ? `select sum(${drops}) + (${droppedColumns}) from pg_catalog.pg_class c
  where c.oid < 16384 and c.relkind = 'r' and c.oid not in (${restless})`
    : `select sum(${get('inserted')} + ${get('updated')} + ${drops}) from pg_catalog.pg_class c
  where c.oid < 16384 and c.relkind = 'r'`
}

const activity: Readonly<Record<Moment, string>> = {
  'in transaction': `select (${locks}) as locks, (${counters('_xact')}) as counters,
  (${catalogCounters('writes')}) as writes, (${catalogCounters('drops')}) as drops`,
  'at rest': `select null as locks, (${counters('')}) as counters, null as writes, null as drops`,
}
