-- A copy of the operational usage events, cell by cell: the rows of an hour and a shard of organizations are replaced together, so
-- what is here equals the source at the snapshot that the cursor names. Nothing else writes here.
--
-- BigQuery enforces no keys. Reconciliation compares each cell's count, sums and hash with the source, which finds a duplicate as well as a
-- missing row. Ids are kept as text, as PostgreSQL writes them.
--
-- A day is a partition: a run names the days that it replaces as literals, and pays for no others.

create schema if not exists raw;

create table if not exists raw.usage_events (
  organization_id string not null options (description = 'Tenant that made the call.'),
  event_id string not null options (description = 'Id that the sender gave the event.'),
  occurred_at timestamp not null options (description = 'When the call was made; usage is counted in this hour, however late it arrives.'),
  received_at timestamp not null options (description = 'When the platform received the event.'),
  api_key_id string not null options (description = 'Key of the same tenant with which the call was made.'),
  model_id string not null options (description = 'Model revision that was called.'),
  input_tokens int64 not null options (description = 'Tokens sent to the model.'),
  output_tokens int64 not null options (description = 'Tokens that the model answered.'),
  latency_ms int64 not null options (description = 'Duration of the call in milliseconds.'),
  status string not null options (description = 'success, rate_limited or error.'),
  error_code string options (description = 'Why the call failed, for machines; null for a success.'),
  region string not null options (description = 'Region that served the call.'),
  cost numeric(18, 6) not null options (description = 'What the call cost, in US dollars.'),
  bucket_hour timestamp not null options (description = 'Start of the hour (UTC) of occurred_at: the first half of the cell.'),
  shard int64 not null options (description = 'Shard of the organization, 0 to 63: the second half of the cell.')
)
partition by timestamp_trunc(bucket_hour, day)
cluster by shard, organization_id, model_id
options (description = 'Calls of models, one row each, copied from platform.usage_events.');
