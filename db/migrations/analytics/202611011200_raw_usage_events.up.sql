-- A copy of the operational usage events, cell by cell: the rows of an hour and a shard of organizations are replaced together, so
-- what is here equals the source at the snapshot that the cursor names. Nothing else writes here.
--
-- There is no primary key: DuckDB would keep an index of every event in memory to enforce what the source has enforced already.
-- Reconciliation compares each cell's count, sums and hash with the source, which finds a duplicate as well as a missing row.

create schema raw;

create table raw.usage_events (
  organization_id uuid not null,
  event_id uuid not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null,
  api_key_id uuid not null,
  model_id uuid not null,
  input_tokens integer not null,
  output_tokens integer not null,
  latency_ms integer not null,
  status varchar not null,
  error_code varchar,
  region varchar not null,
  cost decimal(18, 6) not null,
  bucket_hour timestamptz not null,
  shard smallint not null
);

comment on table raw.usage_events is 'Calls of models, one row each, copied from platform.usage_events.';
comment on column raw.usage_events.organization_id is 'Tenant that made the call.';
comment on column raw.usage_events.event_id is 'Id that the sender gave the event.';
comment on column raw.usage_events.occurred_at is 'When the call was made; usage is counted in this hour, however late it arrives.';
comment on column raw.usage_events.received_at is 'When the platform received the event.';
comment on column raw.usage_events.api_key_id is 'Key of the same tenant with which the call was made.';
comment on column raw.usage_events.model_id is 'Model revision that was called.';
comment on column raw.usage_events.input_tokens is 'Tokens sent to the model.';
comment on column raw.usage_events.output_tokens is 'Tokens that the model answered.';
comment on column raw.usage_events.latency_ms is 'Duration of the call in milliseconds.';
comment on column raw.usage_events.status is 'success, rate_limited or error.';
comment on column raw.usage_events.error_code is 'Why the call failed, for machines; null for a success.';
comment on column raw.usage_events.region is 'Region that served the call.';
comment on column raw.usage_events.cost is 'What the call cost, in US dollars.';
comment on column raw.usage_events.bucket_hour is 'Start of the hour (UTC) of occurred_at: the first half of the cell.';
comment on column raw.usage_events.shard is 'Shard of the organization, 0 to 63: the second half of the cell.';
