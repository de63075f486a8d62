with hours as (
  select
    {{ utc_day('bucket_hour') }} as bucket_day,
    organization_id,
    model_id,
    sum(requests) as requests,
    sum(cost) as cost
  from {{ ref('usage_hourly') }}
  group by {{ utc_day('bucket_hour') }}, organization_id, model_id
)
select coalesce(day.bucket_day, hours.bucket_day) as bucket_day
from {{ ref('usage_daily') }} as day
full outer join hours
  on hours.bucket_day = day.bucket_day
  and hours.organization_id = day.organization_id
  and hours.model_id = day.model_id
where day.requests is distinct from hours.requests
  or day.cost is distinct from hours.cost
