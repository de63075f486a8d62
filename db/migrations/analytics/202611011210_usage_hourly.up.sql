-- Usage of one organization and model in one hour. Filled by the transform of the same name; an hour without usage has no row.
--
-- Wide decimals are kept uncompressed: DuckDB takes sixty times as long to read them back from its bit packing, longer than all other
-- columns of a rollup together.

create schema analytics;

create table analytics.usage_hourly (
  bucket_hour timestamptz not null,
  organization_id uuid not null,
  model_id uuid not null,
  shard smallint not null,
  requests bigint not null check (requests > 0),
  input_tokens bigint not null check (input_tokens >= 0),
  output_tokens bigint not null check (output_tokens >= 0),
  errors bigint not null check (errors >= 0),
  rate_limited bigint not null check (rate_limited >= 0),
  latency_ms_sum bigint not null check (latency_ms_sum >= 0),
  latency_ms_max integer not null check (latency_ms_max >= 0),
  cost decimal(38, 6) using compression uncompressed not null check (cost >= 0)
);

comment on table analytics.usage_hourly is 'Usage by hour, organization and model: one row for each that had a call.';
comment on column analytics.usage_hourly.bucket_hour is 'Start of the hour, UTC.';
comment on column analytics.usage_hourly.organization_id is 'Tenant.';
comment on column analytics.usage_hourly.model_id is 'Model revision.';
comment on column analytics.usage_hourly.shard is 'Shard of the organization, 0 to 63: with the hour, the cell that is replaced as a whole.';
comment on column analytics.usage_hourly.requests is 'Calls, whatever became of them.';
comment on column analytics.usage_hourly.input_tokens is 'Tokens sent to the model.';
comment on column analytics.usage_hourly.output_tokens is 'Tokens that the model answered.';
comment on column analytics.usage_hourly.errors is 'Calls that failed.';
comment on column analytics.usage_hourly.rate_limited is 'Calls that were refused because of a rate limit.';
comment on column analytics.usage_hourly.latency_ms_sum is 'Sum of the calls'' durations in milliseconds; divided by requests it is the mean.';
comment on column analytics.usage_hourly.latency_ms_max is 'Longest duration of a call in milliseconds.';
comment on column analytics.usage_hourly.cost is 'Cost in US dollars, exact.';
