-- Who waits longest: latency of each organization over the whole window, slowest first.
with bins as (
  select
    organization_id,
    latency_bin,
    sum(requests) as requests
  from {{ ref('latency_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by organization_id, latency_bin
)
{{ latency_quantiles('bins', ['organization_id']) }}
order by latency_ms_p95 desc, organization_id
limit {{ var('top', 20) }}
