-- Tokens of each organization by month against its budget, and what they cost. Budgets stand in the operational database, so a dashboard gives
-- them as the variable `token_budgets`, by organization; those that it does not name have `token_budget`.
with months as (
  select
    {{ month_of('bucket_day') }} as bucket_month,
    organization_id,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost,
    max(bucket_day) as last_day
  from {{ ref('usage_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by {{ month_of('bucket_day') }}, organization_id
),
budgeted as (
  select
    *,
    case
      {% for organization, budget in var('token_budgets', {}).items() -%}
      when cast(organization_id as {{ dbt.type_string() }}) = '{{ organization }}' then {{ budget }}
      {% endfor -%}
      when true then {{ var('token_budget', 10000000) }}
    end as token_budget
  from months
)
select
  bucket_month,
  organization_id,
  tokens,
  token_budget,
  {{ share('tokens', 'token_budget') }} as share_of_budget,
  tokens > token_budget as is_over_budget,
  cost,
  last_day
from budgeted
order by share_of_budget desc, bucket_month, organization_id
