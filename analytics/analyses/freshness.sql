-- How far behind each organization's usage is, stalest first: minutes between its newest event and the newest of all, and how long that event took
-- to arrive.
with newest as (
  select max(last_occurred_at) as last_occurred_at
  from {{ ref('organization_freshness') }}
)
select
  freshness.organization_id,
  freshness.last_occurred_at,
  freshness.last_received_at,
  {{ minutes_between('freshness.last_occurred_at', 'newest.last_occurred_at') }} as minutes_behind_the_newest,
  freshness.requests
from {{ ref('organization_freshness') }} as freshness
cross join newest
order by minutes_behind_the_newest desc, freshness.organization_id
