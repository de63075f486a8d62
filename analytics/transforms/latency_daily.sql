{{ config(
    unique_key=['bucket_day', 'shard'],
    meta={'plinth': {'bucket': 'bucket_day', 'grain': 'day', 'shard': 'shard', 'organization': 'organization_id'}}
) }}

select
  {{ utc_day('latency.bucket_hour') }} as bucket_day,
  latency.organization_id,
  latency.model_id,
  latency.shard,
  latency.latency_bin,
  cast(sum(latency.requests) as bigint) as requests
from {{ ref('latency_hourly') }} as latency
{% if is_incremental() %}
where {{ in_changed_cells('latency.bucket_hour', 'latency.shard', 'day', 'latency.organization_id') }}
{% endif %}
group by
  {{ utc_day('latency.bucket_hour') }},
  latency.organization_id,
  latency.model_id,
  latency.shard,
  latency.latency_bin
