{{ config(materialized='view') }}

-- How fresh each organization's usage is: its newest event, when its newest event arrived, and how many events there are of the hours
-- since the day before. An organization without usage has no row.
select
  event.organization_id,
  max(event.occurred_at) as last_occurred_at,
  max(event.received_at) as last_received_at,
  max(event.bucket_hour) as last_bucket_hour,
  count(*) as requests
from {{ source('raw', 'usage_events') }} as event
group by event.organization_id
