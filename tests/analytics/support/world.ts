/** A platform database with two shards' worth of tenants, a migrated warehouse file beside it, and the repository's own project. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type QueryResult } from 'pg'
import { expect, onTestFinished } from 'vitest'
import { loadProject } from '../../../src/analytics/project/load.ts'
import type { Project } from '../../../src/analytics/project/project.ts'
import { type ReconcileOptions, reconcile } from '../../../src/analytics/prove/reconcile.ts'
import { type RollupOptions, runRollup } from '../../../src/analytics/run/run.ts'
import { withSession } from '../../../src/engines/brackets.ts'
import { duckdb } from '../../../src/engines/duckdb/index.ts'
import type { Row, Session } from '../../../src/engines/engine.ts'
import { postgres } from '../../../src/engines/postgres/index.ts'
import type { Fact } from '../../../src/telemetry/event.ts'
import { platformDatabase, withClient } from '../../support/database.ts'

export const root = join(import.meta.dirname, '../../..')

export interface World {
  readonly sourceUrl: string
  readonly warehouseUrl: string
  readonly project: Project
  /** Each with a key of its own; the first two are of different shards. */
  readonly tenants: readonly Tenant[]
  readonly models: readonly string[]
  readonly facts: Fact[]
  /** Options of a run, each with an id of its own. */
  options(change?: Partial<RollupOptions>): RollupOptions
  run(change?: Partial<RollupOptions>): ReturnType<typeof runRollup>
  reconcile(change?: Partial<ReconcileOptions>): ReturnType<typeof reconcile>
  /** A statement of the source, on a connection of its own. */
  sql(text: string, values?: unknown[]): Promise<QueryResult>
  /** A connection that stays open until the test ends. */
  connect(): Promise<Client>
  warehouse<T>(work: (session: Session) => Promise<T>): Promise<T>
  ask<R = Row>(text: string): Promise<R[]>
}

export interface Tenant {
  readonly organization: string
  readonly key: string
}

export async function makeWorld(project?: Project): Promise<World> {
  const { url } = await platformDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'plinth-analytics-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const warehouseUrl = `duckdb:${join(folder, 'warehouse.duckdb')}`
  const warehouse = <T>(work: (session: Session) => Promise<T>) =>
    withSession(duckdb, warehouseUrl, { waitMs: 10_000 }, work)
  await warehouse(migrateWarehouse)
  const loaded = project ?? (await loadProject(join(root, 'analytics'), { root }))
  const people = await withClient(url, makeTenants)
  const facts: Fact[] = []
  const options = (change: Partial<RollupOptions> = {}): RollupOptions => ({
    source: { engine: postgres, url },
    warehouse: { engine: duckdb, url: warehouseUrl },
    emit: fact => facts.push(fact),
    runId: randomUUID(),
    owner: 'a test',
    waitMs: 20_000,
    ...change,
  })
  return {
    sourceUrl: url,
    warehouseUrl,
    project: loaded,
    ...people,
    facts,
    options,
    run: change => runRollup(loaded, options(change)),
    reconcile: change => reconcile(loaded, { ...options(), ...change }),
    sql: (text, values) => withClient(url, client => client.query(text, values)),
    connect: async () => {
      const client = new Client({ connectionString: url })
      // The database is dropped with force when the test ends.
      client.on('error', () => undefined)
      await client.connect()
      onTestFinished(() => client.end())
      return client
    },
    warehouse,
    ask: <R>(text: string) => warehouse(async session => (await session.query<R>(text)).rows),
  }
}

export async function migrateWarehouse(session: Session): Promise<void> {
  const migrations = join(root, 'db/migrations/analytics')
  for (const file of readdirSync(migrations)
    .filter(name => name.endsWith('.up.sql'))
    .sort())
    await session.script(readFileSync(join(migrations, file), 'utf8'))
}

export interface EventChange {
  readonly tenant?: Tenant | undefined
  readonly model?: string
  readonly id?: string
  readonly at?: string
  readonly inputTokens?: number
  readonly status?: 'success' | 'rate_limited' | 'error'
  readonly errorCode?: string | null
  readonly cost?: string
  readonly latencyMs?: number
  readonly region?: string
}

/** The values of an insert into platform.usage_events, by `insertEvent`. */
export function event(world: Pick<World, 'tenants' | 'models'>, change: EventChange = {}): unknown[] {
  const tenant = change.tenant ?? world.tenants[0]
  return [
    tenant?.organization,
    change.id ?? randomUUID(),
    change.at ?? '2026-03-10T10:15:00.123456Z',
    tenant?.key,
    change.model ?? world.models[0],
    change.inputTokens ?? 10,
    5,
    change.latencyMs ?? 120,
    change.status ?? 'success',
    change.errorCode ?? null,
    change.region ?? 'eu-west-1',
    change.cost ?? '0.000123',
  ]
}

export const insertEvent = `
insert into platform.usage_events
  (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, error_code, region, cost)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`

/** Many events at once, spread over hours and days from 2026-03-01 on. */
export async function fillEvents(world: World, count: number): Promise<void> {
  await world.sql(
    `insert into platform.usage_events
       (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, error_code, region, cost)
     select tenant.organization, gen_random_uuid(), timestamptz '2026-03-01T00:00:00Z' + n * interval '7 minutes 13.000019 seconds', tenant.key,
       ($3::uuid[])[1 + n % 2], n % 1000, n % 77, n % 900, case n % 10 when 0 then 'error' when 1 then 'rate_limited' else 'success' end,
       case n % 10 when 0 then 'upstream "timeout", again' when 1 then null end, 'eu-west-1', (n % 9973) * 0.000001
     from generate_series(1, $4::int) as n
     join unnest($1::uuid[], $2::uuid[]) with ordinality as tenant (organization, key, number) on tenant.number = 1 + n % array_length($1, 1)`,
    [world.tenants.map(tenant => tenant.organization), world.tenants.map(tenant => tenant.key), world.models, count],
  )
}

/** Asserts that the warehouse equals what the source answers, cell by cell, computed by PostgreSQL alone. */
export async function expectExact(world: World): Promise<void> {
  const source = await world.sql(`
    select to_char(date_trunc('hour', occurred_at, 'UTC') at time zone 'UTC', 'YYYY-MM-DD HH24') as hour, organization_id::text, model_id::text,
      count(*)::text as requests, sum(input_tokens)::text as input, sum(output_tokens)::text as output,
      count(*) filter (where status = 'error')::text as errors, count(*) filter (where status = 'rate_limited')::text as limited,
      sum(latency_ms)::text as latency, max(latency_ms) as slowest, sum(cost)::numeric(38, 6)::text as cost
    from platform.usage_events group by 1, 2, 3 order by 1, 2, 3`)
  const measures = `cast(requests as varchar) as requests, cast(input_tokens as varchar) as input, cast(output_tokens as varchar) as output,
    cast(errors as varchar) as errors, cast(rate_limited as varchar) as limited, cast(latency_ms_sum as varchar) as latency,
    latency_ms_max as slowest, cast(cost as varchar) as cost`
  const keys = 'cast(organization_id as varchar) as organization_id, cast(model_id as varchar) as model_id'
  const hours = await world.ask(
    `select strftime(bucket_hour at time zone 'UTC', '%Y-%m-%d %H') as hour, ${keys}, ${measures} from analytics.usage_hourly order by 1, 2, 3`,
  )
  expect(hours).toEqual(source.rows)
  const days = await world.sql(`
    select to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD') as day, organization_id::text, model_id::text,
      count(*)::text as requests, sum(input_tokens)::text as input, sum(output_tokens)::text as output,
      count(*) filter (where status = 'error')::text as errors, count(*) filter (where status = 'rate_limited')::text as limited,
      sum(latency_ms)::text as latency, max(latency_ms) as slowest, sum(cost)::numeric(38, 6)::text as cost
    from platform.usage_events group by 1, 2, 3 order by 1, 2, 3`)
  expect(
    await world.ask(
      `select cast(bucket_day as varchar) as day, ${keys}, ${measures} from analytics.usage_daily order by 1, 2, 3`,
    ),
  ).toEqual(days.rows)
  const events = await world.sql('select count(*)::text as rows from platform.usage_events')
  expect(await world.ask('select cast(count(*) as varchar) as rows from raw.usage_events')).toEqual(events.rows)
}

async function makeTenants(client: Client): Promise<{ tenants: Tenant[]; models: string[] }> {
  const tenants: Tenant[] = []
  // The last byte of the id is the shard.
  for (const [index, shard] of ['00', '3f', '07', '80'].entries()) {
    const organization = `${randomUUID().slice(0, 34)}${shard}`
    const key = randomUUID()
    await client.query('insert into platform.organizations (id, slug, display_name) values ($1, $2, $3)', [
      organization,
      `tenant-${index}`,
      `Tenant ${index}`,
    ])
    await client.query(
      'insert into platform.api_keys (organization_id, id, name, secret_hash) values ($1, $2, $3, $4)',
      [organization, key, 'main', Buffer.from(key.replaceAll('-', '').repeat(2), 'hex')],
    )
    tenants.push({ organization, key })
  }
  const models: string[] = []
  for (const name of ['small', 'large']) {
    const { rows } = await client.query<{ id: string }>(
      `insert into platform.model_registry_entries (name, revision, target, cost_per_1k_tokens) values ($1, 1, 'managed', 0.5) returning id`,
      [name],
    )
    models.push(rows[0]?.id ?? '')
  }
  return { tenants, models }
}
