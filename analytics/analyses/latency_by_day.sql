-- Latency of each model, day by day: median, and what one call in twenty and one in a hundred exceed.
with bins as (
  select
    bucket_day,
    model_id,
    latency_bin,
    sum(requests) as requests
  from {{ ref('latency_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by bucket_day, model_id, latency_bin
)
{{ latency_quantiles('bins', ['bucket_day', 'model_id']) }}
order by bucket_day, model_id
