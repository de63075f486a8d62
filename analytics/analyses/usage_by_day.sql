-- The platform day by day: what was asked of it, what it cost, and how much of it failed.
select
  bucket_day,
  sum(requests) as requests,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  sum(cost) as cost,
  {{ share('sum(errors)', 'sum(requests)') }} as error_rate,
  {{ share('sum(rate_limited)', 'sum(requests)') }} as rate_limited_rate,
  round(sum(latency_ms_sum) / sum(requests), 1) as latency_ms_mean,
  max(latency_ms_max) as latency_ms_max
from {{ ref('platform_daily') }}
where {{ in_window_of_days('bucket_day') }}
group by bucket_day
order by bucket_day
