-- The platform hour by hour, for the graph of the last days: requests, errors, tokens.
select
  bucket_hour,
  sum(requests) as requests,
  sum(errors) as errors,
  sum(rate_limited) as rate_limited,
  sum(input_tokens + output_tokens) as tokens,
  sum(cost) as cost
from {{ ref('platform_hourly') }}
where {{ in_window_of_hours('bucket_hour') }}
group by bucket_hour
order by bucket_hour
