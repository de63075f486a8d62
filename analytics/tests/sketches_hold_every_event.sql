-- Each hour's sketch counts as many calls as the hour, and so does the platform's total.
with hours as (
  select bucket_hour, sum(requests) as requests
  from {{ ref('usage_hourly') }}
  group by bucket_hour
),
sketches as (
  select bucket_hour, sum(requests) as requests
  from {{ ref('latency_hourly') }}
  group by bucket_hour
),
totals as (
  select bucket_hour, sum(requests) as requests
  from {{ ref('platform_hourly') }}
  group by bucket_hour
)
select coalesce(hours.bucket_hour, sketches.bucket_hour, totals.bucket_hour) as bucket_hour
from hours
full outer join sketches on sketches.bucket_hour = hours.bucket_hour
full outer join totals on totals.bucket_hour = coalesce(hours.bucket_hour, sketches.bucket_hour)
where hours.requests is distinct from sketches.requests
  or hours.requests is distinct from totals.requests
