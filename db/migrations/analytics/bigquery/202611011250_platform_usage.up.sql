-- Totals of the whole platform by model and region: a few rows an hour, however many organizations there are. Filled by the transforms of
-- the same names.

create table if not exists analytics.platform_hourly (
  bucket_hour timestamp not null options (description = 'Start of the hour, UTC.'),
  shard int64 not null options (description = 'Shard of organizations, 0 to 63: with the hour, the cell that is replaced as a whole.'),
  model_id string not null options (description = 'Model revision.'),
  region string not null options (description = 'Region that served the calls.'),
  requests int64 not null options (description = 'Calls, whatever became of them.'),
  input_tokens int64 not null options (description = 'Tokens sent to the model.'),
  output_tokens int64 not null options (description = 'Tokens that the model answered.'),
  errors int64 not null options (description = 'Calls that failed.'),
  rate_limited int64 not null options (description = 'Calls that were refused because of a rate limit.'),
  latency_ms_sum int64 not null options (description = 'Sum of the calls\' durations in milliseconds; divided by requests it is the mean.'),
  latency_ms_max int64 not null options (description = 'Longest duration of a call in milliseconds.'),
  cost numeric(35, 6) not null options (description = 'Cost in US dollars, exact.')
)
partition by timestamp_trunc(bucket_hour, day)
cluster by shard, model_id
options (description = 'Usage of the whole platform by hour, model and region, in a row for each shard: sum over shards to read it.');

create table if not exists analytics.platform_daily (
  bucket_day date not null options (description = 'The day, UTC.'),
  shard int64 not null options (description = 'Shard of organizations, 0 to 63: with the day, the cell that is replaced as a whole.'),
  model_id string not null options (description = 'Model revision.'),
  region string not null options (description = 'Region that served the calls.'),
  requests int64 not null options (description = 'Calls, whatever became of them.'),
  input_tokens int64 not null options (description = 'Tokens sent to the model.'),
  output_tokens int64 not null options (description = 'Tokens that the model answered.'),
  errors int64 not null options (description = 'Calls that failed.'),
  rate_limited int64 not null options (description = 'Calls that were refused because of a rate limit.'),
  latency_ms_sum int64 not null options (description = 'Sum of the calls\' durations in milliseconds; divided by requests it is the mean.'),
  latency_ms_max int64 not null options (description = 'Longest duration of a call in milliseconds.'),
  cost numeric(35, 6) not null options (description = 'Cost in US dollars, exact.')
)
partition by bucket_day
cluster by shard, model_id
options (description = 'Usage of the whole platform by day, model and region, in a row for each shard: sum over shards to read it.');
