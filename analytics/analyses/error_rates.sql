-- Errors and refusals by hour and model, worst first. Hours with fewer calls than the variable `calls_min` (10 without it) say nothing.
select
  bucket_hour,
  model_id,
  sum(requests) as requests,
  sum(errors) as errors,
  sum(rate_limited) as rate_limited,
  {{ share('sum(errors)', 'sum(requests)') }} as error_rate,
  {{ share('sum(rate_limited)', 'sum(requests)') }} as rate_limited_rate
from {{ ref('platform_hourly') }} as platform
where {{ in_window_of_hours('bucket_hour') }}
group by bucket_hour, model_id
having sum(platform.requests) >= {{ var('calls_min', 10) }}
order by error_rate desc, rate_limited_rate desc, bucket_hour, model_id
limit 100
