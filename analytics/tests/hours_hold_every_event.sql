-- Every event is counted once, in its own hour.
with counted as (
  select bucket_hour, sum(requests) as requests, sum(input_tokens + output_tokens) as tokens, sum(cost) as cost
  from {{ ref('usage_hourly') }}
  group by bucket_hour
),
present as (
  select
    {{ utc_hour('occurred_at') }} as bucket_hour,
    count(*) as requests,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost
  from {{ source('raw', 'usage_events') }}
  group by {{ utc_hour('occurred_at') }}
)
select coalesce(counted.bucket_hour, present.bucket_hour) as bucket_hour
from counted
full outer join present on present.bucket_hour = counted.bucket_hour
where counted.requests is distinct from present.requests
  or counted.tokens is distinct from present.tokens
  or counted.cost is distinct from present.cost
