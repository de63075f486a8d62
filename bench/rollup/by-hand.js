import { Readable } from 'node:stream'

// What somebody would write who knows which organizations changed in which hours: the least that replaces what is theirs, with nothing that
// makes it safe or proves it.
export async function byHand({ source, warehouse }, { withSession, withTransaction, loadCsv, postgres, duckdb }) {
  const settings = { TimeZone: 'UTC', jit: 'off', max_parallel_workers_per_gather: '0' }
  await withSession(postgres, source.url, { settings }, reader =>
    withSession(duckdb, warehouse.url, { waitMs: 10_000 }, async session => {
      const { rows: cells } = await reader.query(
        'select distinct bucket_hour as hour, shard, unnest(organizations)::text as organization from platform.usage_event_marks',
      )
      await withTransaction(session, async () => {
        await session.query(
          'create or replace temp table changed (hour timestamptz, shard smallint, organization uuid)',
        )
        await loadCsv(session, {
          table: 'temp.main.changed',
          columns: changedColumns,
          source: Readable.from(cells.map(({ hour, shard, organization }) => `${hour},${shard},${organization}\n`)),
        })
        await session.query(
          'create or replace temp table changed_day as select distinct cast(make_timestamp(epoch_us(hour)) as date) as day, shard, organization from changed',
        )
        await session.query(
          'delete from raw.usage_events as e using changed as c where c.hour = e.bucket_hour and c.organization = e.organization_id',
        )
        await loadCsv(session, { table: 'raw.usage_events', columns, source: reader.copyOut(copy) })
        for (const { table, bucket, changed, time, whose, text } of tables) {
          await session.query(
            `delete from analytics.${table} as t using ${changed} as c where c.${time} = t.${bucket} and ${whose('t')}`,
          )
          await session.query(`insert into analytics.${table} by name ${text}`)
        }
      })
    }),
  )
}

// Each organization is looked up by its key.
const copy = `copy (
  select e.*, c.bucket_hour, platform.organization_shard(e.organization_id)
  from (select distinct bucket_hour, unnest(organizations) as organization from platform.usage_event_marks) as c
  cross join lateral (
    select e.*
    from platform.usage_events as e
    where e.organization_id = c.organization and e.occurred_at >= c.bucket_hour and e.occurred_at < c.bucket_hour + interval '1 hour'
    offset 0
  ) as e
) to stdout (format csv)`

const changedColumns = [
  { name: 'hour', type: 'timestamptz' },
  { name: 'shard', type: 'smallint' },
  { name: 'organization', type: 'uuid' },
]

const columns = [
  ['organization_id', 'uuid'],
  ['event_id', 'uuid'],
  ['occurred_at', 'timestamptz'],
  ['received_at', 'timestamptz'],
  ['api_key_id', 'uuid'],
  ['model_id', 'uuid'],
  ['input_tokens', 'integer'],
  ['output_tokens', 'integer'],
  ['latency_ms', 'integer'],
  ['status', 'varchar'],
  ['error_code', 'varchar'],
  ['region', 'varchar'],
  ['cost', 'decimal(18, 6)'],
  ['bucket_hour', 'timestamptz'],
  ['shard', 'smallint'],
].map(([name, type]) => ({ name, type }))

const counted = `count(*) as requests, cast(sum(input_tokens) as bigint) as input_tokens, cast(sum(output_tokens) as bigint) as output_tokens,
  count(*) filter (where status = 'error') as errors, count(*) filter (where status = 'rate_limited') as rate_limited,
  cast(sum(latency_ms) as bigint) as latency_ms_sum, max(latency_ms) as latency_ms_max, sum(cost) as cost`
const summed = `cast(sum(requests) as bigint) as requests, cast(sum(input_tokens) as bigint) as input_tokens,
  cast(sum(output_tokens) as bigint) as output_tokens, cast(sum(errors) as bigint) as errors, cast(sum(rate_limited) as bigint) as rate_limited,
  cast(sum(latency_ms_sum) as bigint) as latency_ms_sum, max(latency_ms_max) as latency_ms_max, sum(cost) as cost`
const bin =
  'cast(case when latency_ms <= 0 then -1 else ceil(ln(latency_ms) / ln(1.01 / 0.99)) end as smallint) as latency_bin'

const tables = [
  hour('usage_hourly', `organization_id, model_id`, counted),
  day('usage_daily', 'usage_hourly', 'organization_id, model_id', summed),
  hour('platform_hourly', 'model_id, region', counted),
  day('platform_daily', 'platform_hourly', 'model_id, region', summed),
  hour('latency_hourly', `organization_id, model_id, ${bin}`, 'count(*) as requests'),
  day(
    'latency_daily',
    'latency_hourly',
    'organization_id, model_id, latency_bin',
    'cast(sum(requests) as bigint) as requests',
  ),
]

/** Totals of the platform know no organizations: their whole shard is computed. */
function whoseOf(keys) {
  return keys.startsWith('organization_id')
    ? alias => `c.organization = ${alias}.organization_id`
    : alias => `c.shard = ${alias}.shard`
}

function hour(table, keys, measures) {
  const whose = whoseOf(keys)
  const text = `select e.bucket_hour, e.shard, ${keys}, ${measures}
    from raw.usage_events as e semi join changed as c on c.hour = e.bucket_hour and ${whose('e')} group by all`
  return { table, bucket: 'bucket_hour', changed: 'changed', time: 'hour', whose, text }
}

function day(table, from, keys, measures) {
  const whose = whoseOf(keys)
  const text = `select cast(make_timestamp(epoch_us(e.bucket_hour)) as date) as bucket_day, e.shard, ${keys}, ${measures}
    from analytics.${from} as e semi join changed_day as c on c.day = cast(make_timestamp(epoch_us(e.bucket_hour)) as date) and ${whose('e')} group by all`
  return { table, bucket: 'bucket_day', changed: 'changed_day', time: 'day', whose, text }
}
