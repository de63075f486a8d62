-- Totals of the whole platform by model and region: a few rows an hour, however many organizations there are. Filled by the transforms of
-- the same names.
--
-- Wide decimals are kept uncompressed: DuckDB takes sixty times as long to read them back from its bit packing, longer than all other
-- columns of a rollup together.

create table analytics.platform_hourly (
  bucket_hour timestamptz not null,
  shard smallint not null,
  model_id uuid not null,
  region varchar not null,
  requests bigint not null check (requests > 0),
  input_tokens bigint not null check (input_tokens >= 0),
  output_tokens bigint not null check (output_tokens >= 0),
  errors bigint not null check (errors >= 0),
  rate_limited bigint not null check (rate_limited >= 0),
  latency_ms_sum bigint not null check (latency_ms_sum >= 0),
  latency_ms_max integer not null check (latency_ms_max >= 0),
  cost decimal(38, 6) using compression uncompressed not null check (cost >= 0)
);

comment on table analytics.platform_hourly is 'Usage of the whole platform by hour, model and region, in a row for each shard: sum over shards to read it.';
comment on column analytics.platform_hourly.bucket_hour is 'Start of the hour, UTC.';
comment on column analytics.platform_hourly.shard is 'Shard of organizations, 0 to 63: with the hour, the cell that is replaced as a whole.';
comment on column analytics.platform_hourly.model_id is 'Model revision.';
comment on column analytics.platform_hourly.region is 'Region that served the calls.';
comment on column analytics.platform_hourly.requests is 'Calls, whatever became of them.';
comment on column analytics.platform_hourly.input_tokens is 'Tokens sent to the model.';
comment on column analytics.platform_hourly.output_tokens is 'Tokens that the model answered.';
comment on column analytics.platform_hourly.errors is 'Calls that failed.';
comment on column analytics.platform_hourly.rate_limited is 'Calls that were refused because of a rate limit.';
comment on column analytics.platform_hourly.latency_ms_sum is 'Sum of the calls'' durations in milliseconds; divided by requests it is the mean.';
comment on column analytics.platform_hourly.latency_ms_max is 'Longest duration of a call in milliseconds.';
comment on column analytics.platform_hourly.cost is 'Cost in US dollars, exact.';

create table analytics.platform_daily (
  bucket_day date not null,
  shard smallint not null,
  model_id uuid not null,
  region varchar not null,
  requests bigint not null check (requests > 0),
  input_tokens bigint not null check (input_tokens >= 0),
  output_tokens bigint not null check (output_tokens >= 0),
  errors bigint not null check (errors >= 0),
  rate_limited bigint not null check (rate_limited >= 0),
  latency_ms_sum bigint not null check (latency_ms_sum >= 0),
  latency_ms_max integer not null check (latency_ms_max >= 0),
  cost decimal(38, 6) using compression uncompressed not null check (cost >= 0)
);

comment on table analytics.platform_daily is 'Usage of the whole platform by day, model and region, in a row for each shard: sum over shards to read it.';
comment on column analytics.platform_daily.bucket_day is 'The day, UTC.';
comment on column analytics.platform_daily.shard is 'Shard of organizations, 0 to 63: with the day, the cell that is replaced as a whole.';
comment on column analytics.platform_daily.model_id is 'Model revision.';
comment on column analytics.platform_daily.region is 'Region that served the calls.';
comment on column analytics.platform_daily.requests is 'Calls, whatever became of them.';
comment on column analytics.platform_daily.input_tokens is 'Tokens sent to the model.';
comment on column analytics.platform_daily.output_tokens is 'Tokens that the model answered.';
comment on column analytics.platform_daily.errors is 'Calls that failed.';
comment on column analytics.platform_daily.rate_limited is 'Calls that were refused because of a rate limit.';
comment on column analytics.platform_daily.latency_ms_sum is 'Sum of the calls'' durations in milliseconds; divided by requests it is the mean.';
comment on column analytics.platform_daily.latency_ms_max is 'Longest duration of a call in milliseconds.';
comment on column analytics.platform_daily.cost is 'Cost in US dollars, exact.';
