-- When each cell was last proved equal to the source. It is kept beside the rollups rather than in their rows: a reconciliation that
-- finds nothing would otherwise rewrite every row it looked at, and rows would differ from their recomputation by a time.

create table analytics.reconciled_cells (
  bucket_hour timestamptz not null,
  shard smallint not null,
  reconciled_at timestamptz not null,
  source_rows bigint not null check (source_rows >= 0),
  run_id varchar not null
);

comment on table analytics.reconciled_cells is 'When each hour and shard was last proved equal to the source.';
comment on column analytics.reconciled_cells.bucket_hour is 'Start of the hour, UTC.';
comment on column analytics.reconciled_cells.shard is 'Shard of organizations, 0 to 63.';
comment on column analytics.reconciled_cells.reconciled_at is 'When source and warehouse were compared, by the clock of the source.';
comment on column analytics.reconciled_cells.source_rows is 'Rows of the source in this cell at that time.';
comment on column analytics.reconciled_cells.run_id is 'The run that compared them.';

create view analytics.usage_hourly_reconciled as
select
  usage.*,
  cell.reconciled_at
from analytics.usage_hourly as usage
left join analytics.reconciled_cells as cell
  on cell.bucket_hour = usage.bucket_hour
  and cell.shard = usage.shard;

comment on view analytics.usage_hourly_reconciled is 'Usage by hour with the time at which its hour was last proved equal to the source.';

create view analytics.usage_daily_reconciled as
select
  usage.*,
  day.reconciled_at
from analytics.usage_daily as usage
left join (
  select
    cast(bucket_hour at time zone 'UTC' as date) as bucket_day,
    shard,
    min(reconciled_at) as reconciled_at
  from analytics.reconciled_cells
  group by all
) as day
  on day.bucket_day = usage.bucket_day
  and day.shard = usage.shard;

comment on view analytics.usage_daily_reconciled is 'Usage by day with the oldest time at which one of its hours was proved equal to the source.';
