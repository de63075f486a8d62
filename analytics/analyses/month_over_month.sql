-- Each month against the one before it: requests, tokens, cost, active organizations. The first month has nothing to be compared with.
with months as (
  select
    {{ month_of('bucket_day') }} as bucket_month,
    sum(requests) as requests,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost,
    count(distinct organization_id) as organizations
  from {{ ref('usage_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by {{ month_of('bucket_day') }}
)
select
  present.bucket_month,
  present.requests,
  present.tokens,
  present.cost,
  present.organizations,
  round(present.requests / nullif(past.requests, 0) - 1, 4) as requests_growth,
  round(present.cost / nullif(past.cost, 0) - 1, 4) as cost_growth,
  present.organizations - past.organizations as organizations_more
from months as present
left join months as past on past.bucket_month = {{ month_before('present.bucket_month') }}
order by present.bucket_month
