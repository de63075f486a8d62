{{ config(
    unique_key=['bucket_hour', 'shard'],
    meta={'plinth': {
        'bucket': 'bucket_hour', 'grain': 'hour', 'shard': 'shard', 'organization': 'organization_id',
        'measures': {
            'requests': 'sum', 'input_tokens': 'sum', 'output_tokens': 'sum', 'errors': 'sum', 'rate_limited': 'sum',
            'latency_ms_sum': 'sum', 'latency_ms_max': 'max', 'cost': 'sum',
        },
    }}
) }}

select
  event.bucket_hour,
  event.organization_id,
  event.model_id,
  event.shard,
  count(*) as requests,
  cast(sum(event.input_tokens) as bigint) as input_tokens,
  cast(sum(event.output_tokens) as bigint) as output_tokens,
  {{ count_where("event.status = 'error'") }} as errors,
  {{ count_where("event.status = 'rate_limited'") }} as rate_limited,
  cast(sum(event.latency_ms) as bigint) as latency_ms_sum,
  max(event.latency_ms) as latency_ms_max,
  sum(event.cost) as cost
from {{ source('raw', 'usage_events') }} as event
{% if is_incremental() %}
where {{ in_changed_cells('event.bucket_hour', 'event.shard', 'hour', 'event.organization_id') }}
{% endif %}
group by
  event.bucket_hour,
  event.organization_id,
  event.model_id,
  event.shard
