-- How many organizations made a call on each day, how many calls they made, and what a call and an organization cost.
select
  bucket_day,
  count(distinct organization_id) as organizations,
  sum(requests) as requests,
  round(sum(requests) / count(distinct organization_id), 1) as requests_per_organization,
  round(sum(cost) / sum(requests), 6) as cost_per_request,
  round(sum(cost) / count(distinct organization_id), 6) as cost_per_organization
from {{ ref('usage_daily') }}
where {{ in_window_of_days('bucket_day') }}
group by bucket_day
order by bucket_day
