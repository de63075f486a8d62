// What somebody would write who knows which cells changed: the least that replaces them, with nothing that makes it safe or proves it.
export async function byHand({ source, warehouse }, { withSession, withTransaction, loadCsv, postgres, duckdb }) {
  const settings = { TimeZone: 'UTC', jit: 'off', max_parallel_workers_per_gather: '0' }
  await withSession(postgres, source.url, { settings }, reader =>
    withSession(duckdb, warehouse.url, { waitMs: 10_000 }, async session => {
      const { rows: cells } = await reader.query(
        'select bucket_hour as hour, shard from platform.usage_event_marks group by 1, 2',
      )
      await withTransaction(session, async () => {
        await session.query('create or replace temp table changed (hour timestamptz, shard smallint)')
        for (let from = 0; from < cells.length; from += 5000)
          await session.query(
            `insert into changed values ${cells
              .slice(from, from + 5000)
              .map(({ hour, shard }) => `('${hour}', ${shard})`)
              .join(', ')}`,
          )
        await session.query(
          'create or replace temp table changed_day as select distinct cast(hour as date) as day, shard from changed',
        )
        await session.query(
          'delete from raw.usage_events as e using changed as c where c.hour = e.bucket_hour and c.shard = e.shard',
        )
        await loadCsv(session, { table: 'raw.usage_events', columns, source: reader.copyOut(copy) })
        for (const { table, bucket, changed, time, text } of tables) {
          await session.query(
            `delete from analytics.${table} as t using ${changed} as c where c.${time} = t.${bucket} and c.shard = t.shard`,
          )
          await session.query(`insert into analytics.${table} by name ${text}`)
        }
      })
    }),
  )
}

// Each hour is looked up by the index on time.
const copy = `copy (
  select e.*, c.bucket_hour, platform.organization_shard(e.organization_id)
  from (select bucket_hour, array_agg(distinct shard) as shards from platform.usage_event_marks group by 1) as c
  cross join lateral (
    select e.*
    from platform.usage_events as e
    where e.occurred_at >= c.bucket_hour and e.occurred_at < c.bucket_hour + interval '1 hour'
      and platform.organization_shard(e.organization_id) = any (c.shards)
    offset 0
  ) as e
) to stdout (format csv)`

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

function hour(table, keys, measures) {
  const text = `select e.bucket_hour, e.shard, ${keys}, ${measures}
    from raw.usage_events as e semi join changed as c on c.hour = e.bucket_hour and c.shard = e.shard group by all`
  return { table, bucket: 'bucket_hour', changed: 'changed', time: 'hour', text }
}

function day(table, from, keys, measures) {
  const text = `select cast(e.bucket_hour as date) as bucket_day, e.shard, ${keys}, ${measures}
    from analytics.${from} as e semi join changed_day as c on c.day = cast(e.bucket_hour as date) and c.shard = e.shard group by all`
  return { table, bucket: 'bucket_day', changed: 'changed_day', time: 'day', text }
}
