-- Usage of one organization and model in one day (UTC), made from the hours. Filled by the transform of the same name.

create table if not exists analytics.usage_daily (
  bucket_day date not null options (description = 'The day, UTC.'),
  organization_id string not null options (description = 'Tenant.'),
  model_id string not null options (description = 'Model revision.'),
  shard int64 not null options (description = 'Shard of the organization, 0 to 63: with the day, the cell that is replaced as a whole.'),
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
cluster by shard, organization_id, model_id
options (description = 'Usage by day, organization and model: one row for each that had a call.');
