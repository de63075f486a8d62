{{ config(
    unique_key=['bucket_day', 'shard'],
    meta={'plinth': {'bucket': 'bucket_day', 'grain': 'day', 'shard': 'shard'}}
) }}

select
  {{ utc_day('platform.bucket_hour') }} as bucket_day,
  platform.shard,
  platform.model_id,
  platform.region,
  cast(sum(platform.requests) as bigint) as requests,
  cast(sum(platform.input_tokens) as bigint) as input_tokens,
  cast(sum(platform.output_tokens) as bigint) as output_tokens,
  cast(sum(platform.errors) as bigint) as errors,
  cast(sum(platform.rate_limited) as bigint) as rate_limited,
  cast(sum(platform.latency_ms_sum) as bigint) as latency_ms_sum,
  max(platform.latency_ms_max) as latency_ms_max,
  sum(platform.cost) as cost
from {{ ref('platform_hourly') }} as platform
{% if is_incremental() %}
where {{ in_changed_cells('platform.bucket_hour', 'platform.shard', 'day') }}
{% endif %}
group by
  {{ utc_day('platform.bucket_hour') }},
  platform.shard,
  platform.model_id,
  platform.region
