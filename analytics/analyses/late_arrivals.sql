-- How late events arrive, by the day on which they arrived: within the hour, within the day, within the week, later, and before their own time.
with arrivals as (
  select
    {{ utc_day('received_at') }} as arrival_day,
    {{ minutes_between('occurred_at', 'received_at') }} as minutes_late
  from {{ source('raw', 'usage_events') }}
  where {{ in_window_of_hours('received_at') }}
)
select
  arrival_day,
  count(*) as events,
  {{ count_where('minutes_late < 0') }} as from_the_future,
  {{ count_where('minutes_late between 0 and 59') }} as within_the_hour,
  {{ count_where('minutes_late between 60 and 1439') }} as within_the_day,
  {{ count_where('minutes_late between 1440 and 10079') }} as within_the_week,
  {{ count_where('minutes_late >= 10080') }} as later,
  max(minutes_late) as minutes_late_max
from arrivals
group by arrival_day
order by arrival_day
