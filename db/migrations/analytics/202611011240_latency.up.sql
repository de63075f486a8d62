-- Latencies as a sketch of one percent of relative error, kept as rows: sketches merge by adding up rows of the same bin, and take away
-- by replacing, so a quantile of any tenants, models and stretch of time is exact to compute again. Filled by the transforms of the same
-- names.

create table analytics.latency_hourly (
  bucket_hour timestamptz not null,
  organization_id uuid not null,
  model_id uuid not null,
  shard smallint not null,
  latency_bin smallint not null check (latency_bin >= -1),
  requests bigint not null check (requests > 0)
);

comment on table analytics.latency_hourly is 'Latency sketch of each hour, organization and model: how many calls fell into each bin.';
comment on column analytics.latency_hourly.bucket_hour is 'Start of the hour, UTC.';
comment on column analytics.latency_hourly.organization_id is 'Tenant.';
comment on column analytics.latency_hourly.model_id is 'Model revision.';
comment on column analytics.latency_hourly.shard is 'Shard of the organization, 0 to 63: with the hour, the cell that is replaced as a whole.';
comment on column analytics.latency_hourly.latency_bin is 'Bin b holds latencies above (1.01/0.99)^(b-1) and at most (1.01/0.99)^b milliseconds; -1 holds zero.';
comment on column analytics.latency_hourly.requests is 'Calls whose latency fell into the bin.';

create table analytics.latency_daily (
  bucket_day date not null,
  organization_id uuid not null,
  model_id uuid not null,
  shard smallint not null,
  latency_bin smallint not null check (latency_bin >= -1),
  requests bigint not null check (requests > 0)
);

comment on table analytics.latency_daily is 'Latency sketch of each day, organization and model: how many calls fell into each bin.';
comment on column analytics.latency_daily.bucket_day is 'The day, UTC.';
comment on column analytics.latency_daily.organization_id is 'Tenant.';
comment on column analytics.latency_daily.model_id is 'Model revision.';
comment on column analytics.latency_daily.shard is 'Shard of the organization, 0 to 63: with the day, the cell that is replaced as a whole.';
comment on column analytics.latency_daily.latency_bin is 'Bin b holds latencies above (1.01/0.99)^(b-1) and at most (1.01/0.99)^b milliseconds; -1 holds zero.';
comment on column analytics.latency_daily.requests is 'Calls whose latency fell into the bin.';
