{{ config(
    unique_key=['bucket_day', 'shard'],
    meta={'plinth': {'bucket': 'bucket_day', 'grain': 'day', 'shard': 'shard', 'organization': 'organization_id'}}
) }}

-- The hours are replaced before this runs, so a day is always the sum of the hours that stand beside it.
select
  {{ utc_day('usage.bucket_hour') }} as bucket_day,
  usage.organization_id,
  usage.model_id,
  usage.shard,
  cast(sum(usage.requests) as bigint) as requests,
  cast(sum(usage.input_tokens) as bigint) as input_tokens,
  cast(sum(usage.output_tokens) as bigint) as output_tokens,
  cast(sum(usage.errors) as bigint) as errors,
  cast(sum(usage.rate_limited) as bigint) as rate_limited,
  cast(sum(usage.latency_ms_sum) as bigint) as latency_ms_sum,
  max(usage.latency_ms_max) as latency_ms_max,
  sum(usage.cost) as cost
from {{ ref('usage_hourly') }} as usage
{% if is_incremental() %}
where {{ in_changed_cells('usage.bucket_hour', 'usage.shard', 'day', 'usage.organization_id') }}
{% endif %}
group by
  {{ utc_day('usage.bucket_hour') }},
  usage.organization_id,
  usage.model_id,
  usage.shard
