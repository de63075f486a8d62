-- Which models are used: requests, tokens and cost by day, with each model's share of the day's cost.
with models as (
  select
    bucket_day,
    model_id,
    sum(requests) as requests,
    sum(input_tokens + output_tokens) as tokens,
    sum(cost) as cost
  from {{ ref('platform_daily') }}
  where {{ in_window_of_days('bucket_day') }}
  group by bucket_day, model_id
),
totals as (
  select bucket_day, sum(cost) as cost
  from models
  group by bucket_day
)
select
  models.bucket_day,
  models.model_id,
  models.requests,
  models.tokens,
  models.cost,
  {{ share('models.cost', 'totals.cost') }} as share_of_cost
from models
inner join totals on totals.bucket_day = models.bucket_day
order by models.bucket_day, models.model_id
