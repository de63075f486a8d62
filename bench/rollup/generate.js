// Events, in PostgreSQL and in DuckDB: the same everywhere for the same numbers, since they are drawn by hashing their numbers.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

export function migrations(track) {
  const folder = join(root, 'db/migrations', track)
  return readdirSync(folder)
    .filter(name => name.endsWith('.up.sql'))
    .sort()
    .map(name => readFileSync(join(folder, name), 'utf8'))
}

export const start = '2026-01-01T00:00:00Z'

/** Raw events in a DuckDB warehouse, in the order of time; see `drawEvents`. */
export async function fillWarehouse(session, { note, ...options }) {
  const slice = 20_000_000
  await drawTenants(session, options)
  for (let from = 0; from < options.events; from += slice) {
    const until = Math.min(from + slice, options.events)
    await drawEvents(session, { ...options, from, until })
    note?.(until)
  }
  await forgetTenants(session)
}

/** What ids are made of is looked up, since making text into an id costs more than all the rest. */
export async function drawTenants(session, { organizations, models }) {
  await session.query(
    `create or replace temp table organization as
     select n, cast(digits as uuid) as id, cast(cast('0x' || right(digits, 2) as integer) & 63 as smallint) as shard
     from (select n, md5(concat('organization ', n)) as digits from range(${organizations}) as numbers (n)) as drawn`,
  )
  await session.query(
    `create or replace temp table model as
     select n, cast(md5(concat('model ', n)) as uuid) as id from range(${models}) as numbers (n)`,
  )
}

export async function forgetTenants(session) {
  await session.query('drop table organization')
  await session.query('drop table model')
}

/**
 * The events from number `from` until before `until` of `events` that are spread evenly over the hours. Organizations are drawn by a power
 * law: the one of rank r gets a share of about r^-skew. Columns that no rollup reads, such as the event's own id, hold values that take
 * no time to make.
 */
export async function drawEvents(session, { from, until, events, organizations, models, hours, skew }) {
  const exponent = 1 - skew
  const rank =
    skew === 0
      ? `floor(u * ${organizations})`
      : skew === 1
        ? `floor(power(${organizations}, u)) - 1`
        : `floor(power((power(${organizations}, ${exponent}) - 1) * u + 1, ${1 / exponent})) - 1`
  await session.query(`
    insert into raw.usage_events
    with drawn as (
      select i, hash(i) as h, hash(i + 4611686018427387904) / 18446744073709551616.0 as u,
        make_timestamp(epoch_us(timestamptz '${start}') + cast(i * ${(hours * 3_600_000_000) / events} as bigint)) as moment
      from range(${from}, ${until}) as numbers (i)
    ), placed as (
      select *, least(greatest(cast(${rank} as bigint), 0), ${organizations - 1}) as r from drawn
    )
    select organization.id, model.id, moment, moment, organization.id, model.id,
      cast(h % 4000 as integer), cast((h >> 12) % 1000 as integer), cast(exp(((h >> 22) % 1000) / 110.0) as integer) + 3,
      case (h >> 32) % 50 when 0 then 'error' when 1 then 'rate_limited' else 'success' end,
      case (h >> 32) % 50 when 0 then 'upstream_timeout' end,
      case (h >> 38) % 3 when 0 then 'eu-west-1' when 1 then 'us-east-1' else 'ap-southeast-2' end,
      cast(((h >> 40) % 50000) / 1000000.0 as decimal(18, 6)),
      date_trunc('hour', moment), organization.shard
    from placed
    join organization on organization.n = placed.r
    join model on model.n = (placed.r * 7 + (h >> 50) % 2) % ${models}`)
}

/** An operational database with tenants, and a function that makes events there by COPY of generated text. */
export async function makeTenants(client, { organizations, models }) {
  for (const script of migrations('operational')) await client.query(script)
  await client.query('set session_replication_role = replica')
  await client.query(`
    insert into platform.organizations (id, slug, display_name)
    select md5('organization ' || n)::uuid, 'tenant-' || n, 'Tenant ' || n from generate_series(1, ${organizations}) as n`)
  await client.query(`
    insert into platform.api_keys (organization_id, id, name, secret_hash)
    select id, md5(id::text)::uuid, 'main', decode(md5(id::text) || md5(slug), 'hex') from platform.organizations`)
  await client.query(`
    insert into platform.model_registry_entries (id, name, revision, target, cost_per_1k_tokens)
    select md5('model ' || n)::uuid, 'model-' || n, 1, 'managed', 0.5 from generate_series(1, ${models}) as n`)
  await client.query('set session_replication_role = origin')
  await client.query('analyze')
}

/** A query that answers events in the columns' order, from number `from` on, spread evenly over the hours, a third power of skew over tenants. */
export function eventsQuery({ from = 1, count, organizations, models, hours, begin = start }) {
  return `
    select md5('organization ' || tenant)::uuid as organization_id, md5('event ' || n)::uuid as event_id, at as occurred_at,
      at + interval '2 seconds' as received_at, md5(md5('organization ' || tenant)::uuid::text)::uuid as api_key_id,
      md5('model ' || 1 + n % ${models})::uuid as model_id, ((n * 7919) % 4000)::int as input_tokens,
      ((n * 104729) % 1000)::int as output_tokens, (exp((n * 31 % 1000) / 110.0))::int + 3 as latency_ms,
      case n % 50 when 0 then 'error' when 1 then 'rate_limited' else 'success' end as status,
      case n % 50 when 0 then 'upstream_timeout' end as error_code,
      (array['eu-west-1', 'us-east-1', 'ap-southeast-2'])[1 + n % 3] as region,
      (((n * 6151) % 50000) * 0.000001)::numeric(18, 6) as cost
    from (
      select n, timestamptz '${begin}' + (n - ${from}) * (interval '1 hour' * ${hours} / ${count}) as at,
        1 + floor(power((n * 2654435761 % 4294967296) / 4294967296.0, 3) * ${organizations})::int as tenant
      from generate_series(${from}::bigint, ${from + count - 1}::bigint) as n
    ) as drawn`
}

/** Without the checks that cost a row each, as a restore would fill it; marks are not written. */
export async function fillSource(client, options) {
  const span = `timestamptz '${options.begin ?? start}' + interval '1 hour' * ${options.hours}`
  await client.query(`select platform.ensure_usage_event_partitions('${options.begin ?? start}', ${span})`)
  await client.query('set session_replication_role = replica')
  await client.query(`insert into platform.usage_events ${eventsQuery(options)}`)
  await client.query('set session_replication_role = origin')
  await client.query('vacuum analyze platform.usage_events')
}
