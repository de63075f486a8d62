-- The organizations that cost most, with their share of everything. The variable `top` says how many; 20 without it.
with organizations as (
  select
    organization_id,
    sum(requests) as requests,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost,
    sum(errors) as errors,
    max(bucket_day) as last_day
  from {{ ref('usage_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by organization_id
),
total as (
  select sum(cost) as cost
  from organizations
)
select
  organizations.organization_id,
  organizations.requests,
  organizations.tokens,
  organizations.cost,
  {{ share('organizations.cost', 'total.cost') }} as share_of_cost,
  {{ share('organizations.errors', 'organizations.requests') }} as error_rate,
  organizations.last_day
from organizations
cross join total
order by organizations.cost desc, organizations.organization_id
limit {{ var('top', 20) }}
