{{ config(
    unique_key=['bucket_hour', 'shard'],
    meta={'plinth': {
        'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard', 'organization': 'organization_id',
        'sketch': {'of': 'latency_ms', 'bin': 'latency_bin', 'count': 'requests', 'value': 'latency_of_bin'},
    }}
) }}

select
  event.bucket_hour,
  event.organization_id,
  event.model_id,
  event.shard,
  {{ latency_bin('event.latency_ms') }} as latency_bin,
  count(*) as requests
from {{ source('raw', 'usage_events') }} as event
{% if is_incremental() %}
where {{ in_changed_cells('event.bucket_hour', 'event.shard', 'hour', 'event.organization_id') }}
{% endif %}
group by
  event.bucket_hour,
  event.organization_id,
  event.model_id,
  event.shard,
  {{ latency_bin('event.latency_ms') }}
