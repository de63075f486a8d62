-- Where calls are served: requests, errors and mean latency by region.
select
  region,
  sum(requests) as requests,
  sum(input_tokens + output_tokens) as tokens,
  sum(cost) as cost,
  {{ share('sum(errors)', 'sum(requests)') }} as error_rate,
  round(sum(latency_ms_sum) / sum(requests), 1) as latency_ms_mean
from {{ ref('platform_daily') }}
where {{ in_window_of_days('bucket_day') }}
group by region
order by requests desc, region
