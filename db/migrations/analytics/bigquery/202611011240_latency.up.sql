-- Latencies as a sketch of one percent of relative error, kept as rows: sketches merge by adding up rows of the same bin, and take away
-- by replacing, so a quantile of any tenants, models and stretch of time is exact to compute again. Filled by the transforms of the same
-- names.

create table if not exists analytics.latency_hourly (
  bucket_hour timestamp not null options (description = 'Start of the hour, UTC.'),
  organization_id string not null options (description = 'Tenant.'),
  model_id string not null options (description = 'Model revision.'),
  shard int64 not null options (description = 'Shard of the organization, 0 to 63: with the hour, the cell that is replaced as a whole.'),
  latency_bin int64 not null options (description = 'Bin b holds latencies above (1.01/0.99)^(b-1) and at most (1.01/0.99)^b milliseconds; -1 holds zero.'),
  requests int64 not null options (description = 'Calls whose latency fell into the bin.')
)
partition by timestamp_trunc(bucket_hour, day)
cluster by shard, organization_id, model_id
options (description = 'Latency sketch of each hour, organization and model: how many calls fell into each bin.');

create table if not exists analytics.latency_daily (
  bucket_day date not null options (description = 'The day, UTC.'),
  organization_id string not null options (description = 'Tenant.'),
  model_id string not null options (description = 'Model revision.'),
  shard int64 not null options (description = 'Shard of the organization, 0 to 63: with the day, the cell that is replaced as a whole.'),
  latency_bin int64 not null options (description = 'Bin b holds latencies above (1.01/0.99)^(b-1) and at most (1.01/0.99)^b milliseconds; -1 holds zero.'),
  requests int64 not null options (description = 'Calls whose latency fell into the bin.')
)
partition by bucket_day
cluster by shard, organization_id, model_id
options (description = 'Latency sketch of each day, organization and model: how many calls fell into each bin.');
