/** What a run leaves behind in its database, so that a disturbed one can be held against one that nobody disturbed. */
import type { Pool } from 'pg'
import type { Session } from '../../src/engines/engine.ts'
import { readHistory } from '../../src/migrations/history.ts'
import { diffSchemas } from '../../src/schema/diff.ts'
import type { Schema } from '../../src/schema/model.ts'

/** What is the user's own. */
export interface Belongings {
  readonly schema: Schema
  /** Rows of each table, as a count and a digest that asks for no order. */
  readonly rows: Readonly<Record<string, string>>
}

export interface Remains extends Belongings {
  /** Objects by schema and kind, those of the tool itself included; leases have a table once somebody took one. */
  readonly objects: Readonly<Record<string, string>>
  /** Rows of each copy in the archive, whatever it is called. */
  readonly archive: readonly string[]
  /** State of each version, and how often each step succeeded. */
  readonly history: Readonly<Record<string, string>>
}

export async function belongingsOf(session: Session): Promise<Belongings> {
  const schema = await session.introspect()
  const own = (await namesOf(session)).filter(one => one.schema !== 'plinth_archive')
  return {
    schema: { ...schema, tables: schema.tables.filter(table => table.schema !== 'plinth_archive') },
    rows: Object.fromEntries(await eachOf(own, async one => [one.name, await digestOf(session, one.name)] as const)),
  }
}

export async function remainsOf(session: Session): Promise<Remains> {
  const belongings = await belongingsOf(session)
  const kept = (await namesOf(session)).filter(one => one.schema === 'plinth_archive')
  const archive = await eachOf(kept, one => digestOf(session, one.name))
  return {
    ...belongings,
    objects: await objectsOf(session),
    archive: archive.sort(),
    history: await historyOf(session),
  }
}

/** One sentence for each thing that differs. */
export function compareRemains(expected: Remains, found: Remains): string[] {
  return [
    ...compareBelongings(expected, found),
    ...compareRecords('objects:', expected.objects, found.objects),
    ...compareRecords('archive', { copies: expected.archive.join(' ') }, { copies: found.archive.join(' ') }),
    ...compareRecords('history of', expected.history, found.history),
  ]
}

export function compareBelongings(expected: Belongings, found: Belongings): string[] {
  const schema = diffSchemas(expected.schema, found.schema).map(
    ({ change, object, property }) => `schema: ${object} ${change} ${property}`,
  )
  return [...schema, ...compareRecords('rows of', expected.rows, found.rows)]
}

/** What should be in no database after a run: one sentence for each thing. Asked from outside, so that nobody of the run is there any more. */
export async function lingering(admin: Pool, session: Session, database: string): Promise<string[]> {
  const { rows } = await session.query<{ found: string }>(halfDoneQuery)
  // A run that died at once may not even have made its ledger.
  const ledger = await session.query("select 1 where to_regclass('plinth.migration_attempts') is not null")
  const told = ledger.rowCount > 0 ? await session.query<{ found: string }>(untoldQuery) : { rows: [] }
  const locks = await admin.query<{ found: string }>(lockQuery, [database, session.backendId])
  return [...rows, ...told.rows, ...locks.rows].map(row => row.found)
}

/** Sessions of the run other than the one that asks. They may take as long to end as the server needs to see that their client is gone. */
export async function awaitSilence(admin: Pool, session: Session, database: string): Promise<string[]> {
  for (let attempt = 0; ; attempt++) {
    const { rows } = await admin.query<{ found: string }>(sessionQuery, [database, session.backendId])
    if (rows.length === 0 || attempt === 100) return rows.map(row => row.found)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

const sessionQuery = `
select format('the session %s of "%s" is still %s', pid, application_name, state) as found
from pg_catalog.pg_stat_activity
where datname = $1 and pid <> $2 and backend_type = 'client backend'`

const lockQuery = `
select format('a lock of the process %s is still held', l.pid) as found
from pg_catalog.pg_locks l
join pg_catalog.pg_database d on d.oid = l.database
where d.datname = $1 and l.locktype = 'advisory' and l.pid <> $2
union all
select format('the transaction "%s" is prepared', gid) from pg_catalog.pg_prepared_xacts where database = $1`

const halfDoneQuery = `
select format('the index %s is invalid', indexrelid::regclass) as found from pg_catalog.pg_index where not (indisvalid and indisready)
union all
select format('a detach of %s is pending', inhrelid::regclass) from pg_catalog.pg_inherits where inhdetachpending`

const untoldQuery = `
select format('run %s of "%s" never ended', id, command) from plinth.migration_runs where status = 'running'
union all
select format('the attempt %s at %s never ended', attempt_number, version) from plinth.migration_attempts where status in ('applying', 'rolling_back')
union all
select format('attempt %s at %s has no end', attempt_number, version) from plinth.migration_attempts where finished_at is null
union all
select format('attempts of %s are numbered up to %s, and there are %s', track, max(attempt_number), count(*))
from plinth.migration_attempts group by track having max(attempt_number) <> count(*)`

async function namesOf(session: Session) {
  const { rows } = await session.query<{ schema: string; name: string }>(`
    select n.nspname as schema, format('%I.%I', n.nspname, c.relname) as name
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'plinth')
    order by 1, 2`)
  return rows
}

/** The text of a row in the order of its columns' names, so that a column which went and came back may stand elsewhere. */
async function digestOf(session: Session, table: string): Promise<string> {
  const { rows } = await session.query<{ digest: string }>(
    `select count(*) || ' rows, ' || coalesce(sum(hashtextextended(to_jsonb(t)::text, 0)::numeric), 0) as digest from ${table} t`,
  )
  return rows[0]?.digest ?? ''
}

async function objectsOf(session: Session): Promise<Record<string, string>> {
  const { rows } = await session.query<{ kind: string; count: string }>(`
    select format('%s in %s', kind, nspname) as kind, count(*) as count
    from (
      select 'relation ' || relkind::text as kind, relnamespace as namespace from pg_catalog.pg_class where relname !~ '^leases'
      union all select 'routine', pronamespace from pg_catalog.pg_proc
      union all select 'type', typnamespace from pg_catalog.pg_type where typcategory <> 'A' and typname !~ '^leases'
      union all select 'trigger', c.relnamespace from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid
    ) object
    join pg_catalog.pg_namespace n on n.oid = namespace
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^pg_(toast_)?temp'
    group by 1`)
  return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
}

async function historyOf(session: Session): Promise<Record<string, string>> {
  const { rows } = await session.query<{ step: string; count: string }>(`
    select format('successes of %s %s', version, status) as step, count(*) as count
    from plinth.migration_attempts
    where status in ('applied', 'rolled_back')
    group by 1`)
  const versions = await readHistory(session, 'operational')
  return {
    ...Object.fromEntries(rows.map(({ step, count }) => [step, count])),
    ...Object.fromEntries(
      versions.map(one => [
        one.version,
        `${one.state}${one.unfinished ? `, with a ${one.unfinished.status} attempt` : ''}`,
      ]),
    ),
  }
}

function compareRecords(
  what: string,
  expected: Readonly<Record<string, string>>,
  found: Readonly<Record<string, string>>,
): string[] {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort()
  return names
    .filter(name => expected[name] !== found[name])
    .map(name => `${what} ${name}: ${found[name] ?? 'none'} instead of ${expected[name] ?? 'none'}`)
}

async function eachOf<T, R>(list: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const one of list) results.push(await work(one))
  return results
}
