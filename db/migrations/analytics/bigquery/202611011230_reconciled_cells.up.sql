-- When each cell was last proved equal to the source. It is kept beside the rollups rather than in their rows: a reconciliation that
-- finds nothing would otherwise rewrite every row it looked at, and rows would differ from their recomputation by a time.

create table if not exists analytics.reconciled_cells (
  bucket_hour timestamp not null options (description = 'Start of the hour, UTC.'),
  shard int64 not null options (description = 'Shard of organizations, 0 to 63.'),
  reconciled_at timestamp not null options (description = 'When source and warehouse were compared, by the clock of the source.'),
  source_rows int64 not null options (description = 'Rows of the source in this cell at that time.'),
  run_id string not null options (description = 'The run that compared them.')
)
partition by timestamp_trunc(bucket_hour, day)
cluster by shard
options (description = 'When each hour and shard was last proved equal to the source.');

create or replace view analytics.usage_hourly_reconciled
options (description = 'Usage by hour with the time at which its hour was last proved equal to the source.')
as
select
  usage.*,
  cell.reconciled_at
from analytics.usage_hourly as usage
left join analytics.reconciled_cells as cell
  on cell.bucket_hour = usage.bucket_hour
  and cell.shard = usage.shard;

create or replace view analytics.usage_daily_reconciled
options (description = 'Usage by day with the oldest time at which one of its hours was proved equal to the source.')
as
select
  usage.*,
  day.reconciled_at
from analytics.usage_daily as usage
left join (
  select
    date(bucket_hour, 'UTC') as bucket_day,
    shard,
    min(reconciled_at) as reconciled_at
  from analytics.reconciled_cells
  group by bucket_day, shard
) as day
  on day.bucket_day = usage.bucket_day
  and day.shard = usage.shard;
