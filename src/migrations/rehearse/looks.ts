/** The questions that a recorder asks a database: a cheap one after every statement, and others about those catalogs that were written. */
import type { Session } from '../../engines/engine.ts'
import type { LockMode } from '../../schema/rehearsal.ts'
import { catalogColumns, catalogKeys, type CatalogRows, catalogOf, type RawCatalog } from './catalog-rows.ts'
import { type Touched, touchedQuery } from './touched.ts'

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
  /** How many rows of each catalog were written or deleted, by its name. */
  readonly catalogs: ReadonlyMap<string, { readonly writes: number; readonly drops: number }>
}

/** `in transaction` counts what this transaction did; `at rest` what all that ended did, which a statement outside of transactions is known by. */
export type Moment = 'in transaction' | 'at rest'

/** Locks are told of relations whose oid is not above `oidMax`. */
export async function lookAtActivity(session: Session, moment: Moment, oidMax: number): Promise<Activity> {
  const inside = moment === 'in transaction'
  if (!inside) await tellCounters(session)
  const { rows } = await session.query<RawActivity & Record<string, unknown>>(
    activity[moment],
    inside ? [oidMax] : [],
    {
      prepared: inside,
    },
  )
  const { locks, counters, catalogs } = rows[0] as RawActivity
  return {
    locks: locks ?? [],
    counters: new Map(
      (counters ?? []).map(([oid, scans, inserted, updated, deleted]) => [oid, { scans, inserted, updated, deleted }]),
    ),
    catalogs: new Map((catalogs ?? []).map(([name, writes, drops]) => [name, { writes, drops }])),
  }
}

/** So that what ended is counted. Before 15 a collector hears of it where the session rests, twice a second at most, and answers what may be as old again. */
async function tellCounters(session: Session): Promise<void> {
  if (session.serverVersion >= 15) return void (await session.query('select pg_catalog.pg_stat_force_next_flush()'))
  for (const _ of ['told', 'answered']) await session.query('select pg_catalog.pg_sleep(0.6), pg_stat_clear_snapshot()')
}

/** The number that the next transaction will have. */
export async function nextTransaction(session: Session): Promise<string> {
  const { rows } = await session.query<{ next: string }>(
    'select (pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::numeric % 4294967296)::text as next',
  )
  return rows[0]?.next ?? '3'
}

/** Since when something was written: a transaction, and the last command of it that was seen already. */
export interface Since {
  readonly transaction: string
  readonly mark: number | null
}

export interface Written extends CatalogRows {
  /** What the next look begins behind; null where nothing tells. */
  readonly mark: number | null
  /** Keys of columns that went. */
  readonly dropped: readonly string[]
}

export interface Looks {
  /** What these catalogs hold that was written since; without names what all of them do. */
  written(since: Since, catalogs?: ReadonlySet<string>): Promise<Written>
  everything(): Promise<CatalogRows>
  /** What was written since, and whose definition names it. */
  touched(transaction: string): Promise<Touched>
  /** The keys of all that these catalogs hold. */
  keys(catalogs: ReadonlySet<string>): Promise<{ readonly objects: Set<string>; readonly relations: Set<number> }>
}

/** Planning costs more than running, so the session keeps the plans: for the next statement, and where it rests for the next rehearsal. */
export function openLooks(session: Session): Looks {
  const ask = async <R>(text: string, values: readonly (string | number | null)[]): Promise<R> => {
    const { rows } = await session.query<Record<string, unknown>>(text, values, { prepared: true })
    return rows[0] as R
  }
  return {
    async written({ transaction, mark }, catalogs) {
      const raw = await ask<RawCatalog>(`select ${catalogColumns(catalogs)}`, [transaction, mark])
      return { ...catalogOf(raw), mark: raw.mark === null ? null : Number(raw.mark), dropped: raw.dropped ?? [] }
    },
    touched: transaction => ask<Touched>(touchedQuery, [transaction]),
    everything: () => lookAtCatalog(session),
    async keys(catalogs) {
      const raw = await ask<RawKeys>(`select ${catalogKeys(catalogs)}`, [null, null])
      return { objects: new Set(raw.keys ?? []), relations: new Set(raw.relations ?? []) }
    },
  }
}

export async function lookAtCatalog(session: Session): Promise<CatalogRows> {
  const { rows } = await session.query<Record<string, unknown>>(`select ${catalogColumns()}`, [null, null])
  return catalogOf(rows[0] as unknown as RawCatalog)
}

/** Parameters change no plan here. A file may have set it back. */
export async function keepPlans(session: Session): Promise<void> {
  await session.query('set plan_cache_mode = force_generic_plan')
}

interface RawKeys {
  readonly keys: readonly string[] | null
  readonly relations: readonly number[] | null
}

interface RawActivity {
  readonly locks: readonly (readonly [number, LockMode])[] | null
  readonly counters: readonly (readonly [number, number, number, number, number])[] | null
  readonly catalogs: readonly (readonly [name: string, writes: number, drops: number])[] | null
}

const locks = `select json_agg(json_build_array(l.relation::bigint, l.mode))
  from pg_catalog.pg_locks l
  where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted and l.relation >= 16384 and l.relation::bigint <= $1::bigint
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

/** Catalogs that no list names, such as those of publications, are few enough to be looked for with the rest. */
function catalogs(): string {
  const get = (name: string): string => `pg_catalog.pg_stat_get_xact_tuples_${name}(c.oid)`
  return `select json_agg(json_build_array(s.name, s.writes, s.drops))
  from (
    select c.relname as name, ${get('inserted')} + ${get('updated')} + ${get('deleted')} as writes, ${get('deleted')} as drops
    from pg_catalog.pg_class c
    where c.oid < 16384 and c.relkind = 'r'
  ) s
  where s.writes > 0`
}

const activity: Readonly<Record<Moment, string>> = {
  'in transaction': `select (${locks}) as locks, (${counters('_xact')}) as counters, (${catalogs()}) as catalogs`,
  'at rest': `select null as locks, (${counters('')}) as counters, null as catalogs`,
}
