{{ config(severity='warn') }}

-- A sender's clock that runs ahead: the events count, in an hour that nobody expects.
select bucket_hour
from {{ ref('usage_hourly') }}
where bucket_hour > {{ day_after('current_timestamp') }}
