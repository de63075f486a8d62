-- The fact table: one row for each call of a model. Partitioned by time, so that old usage leaves by dropping a
-- partition and a query with a time bound reads only what it needs. The partitions themselves are made in a later
-- migration.
--
-- The primary key must hold the partition key, so an event is identified by tenant, time and event id together: the
-- same event sent twice is one row; sent again with another time, it is another event. Time comes before the event id,
-- so that the key also serves a tenant's usage in a time range, newest first; a further index for that cost a third of
-- the insert rate.

create table platform.usage_events (
  organization_id uuid not null,
  event_id uuid not null,
  occurred_at timestamptz not null,
  received_at timestamptz not null default now(),
  api_key_id uuid not null,
  model_id uuid not null,
  input_tokens integer not null default 0,
  output_tokens integer not null default 0,
  latency_ms integer not null default 0,
  status text not null default 'success',
  error_code text,
  region text not null,
  cost numeric(18, 6) not null default 0,
  constraint usage_events_pk
    primary key (organization_id, occurred_at, event_id),
  -- A key belongs to an organization that exists, so this reference vouches for the tenant as well.
  constraint usage_events_api_key_fk
    foreign key (organization_id, api_key_id)
    references platform.api_keys (organization_id, id),
  -- plinth:allow index-foreign-key reason="models are retired, never deleted; an index would cost every insert"
  constraint usage_events_model_fk
    foreign key (model_id)
    references platform.model_registry_entries (id),
  constraint usage_events_occurred_at_range_check
    check (occurred_at >= '2000-01-01T00:00:00Z' and occurred_at < '2100-01-01T00:00:00Z'),
  constraint usage_events_input_tokens_not_negative_check
    check (input_tokens >= 0),
  constraint usage_events_output_tokens_not_negative_check
    check (output_tokens >= 0),
  constraint usage_events_latency_ms_not_negative_check
    check (latency_ms >= 0),
  constraint usage_events_status_check
    check (status in ('success', 'rate_limited', 'error')),
  constraint usage_events_error_code_check
    check (error_code is null or (status <> 'success' and char_length(error_code) between 1 and 100)),
  constraint usage_events_region_format_check
    check (region ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  constraint usage_events_cost_not_negative_check
    check (cost >= 0 and cost <> 'NaN')
) partition by range (occurred_at);

comment on table platform.usage_events is 'Calls of models, one row each; partitioned by the time of the call.';
comment on column platform.usage_events.organization_id is 'Tenant that made the call.';
comment on column platform.usage_events.event_id is
  'Id that the sender gave the event; sending the same event again changes nothing.';
comment on column platform.usage_events.occurred_at is
  'When the call was made, by the sender''s clock; usage is counted in this hour, however late it arrives.';
comment on column platform.usage_events.received_at is 'When the platform received the event.';
comment on column platform.usage_events.api_key_id is 'Key of the same tenant with which the call was made.';
comment on column platform.usage_events.model_id is
  'Model revision that was called: a global one or one of the tenant''s own.';
comment on column platform.usage_events.input_tokens is 'Tokens sent to the model.';
comment on column platform.usage_events.output_tokens is 'Tokens that the model answered.';
comment on column platform.usage_events.latency_ms is 'Duration of the call in milliseconds.';
comment on column platform.usage_events.status is 'success, rate_limited or error.';
comment on column platform.usage_events.error_code is 'Why the call failed, for machines; null for a success.';
comment on column platform.usage_events.region is 'Region that served the call, such as eu-west-1.';
comment on column platform.usage_events.cost is
  'What the call cost, in US dollars, at the price of the model revision.';

-- The usage of one key, newest first; also what a delete of a key looks up. usage_events_model_fk needs no index, since
-- models are never deleted.
create index usage_events_api_key_idx
  on platform.usage_events (organization_id, api_key_id, occurred_at);

-- All tenants' events of an hour, for rollups: a few pages a day, since events arrive roughly in order.
create index usage_events_occurred_at_brin
  on platform.usage_events
  using brin (occurred_at)
  with (pages_per_range = 32, autosummarize = on);

create table platform.usage_events_default
  partition of platform.usage_events
  default;

comment on table platform.usage_events_default is
  'Usage events for whose time no partition was made; should be empty, which platform.usage_event_default_rows '
  'watches.';

-- A model is global or belongs to one tenant, which no plain foreign key can say. Entries are immutable, so what holds
-- when the event is written holds for ever. Runs with the rights of the owner, so that it sees every model and the
-- answer does not depend on who asks; it says the same whether the model is missing or another tenant's.
create function platform.check_usage_event_models()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if exists (
    select
    from (select distinct organization_id, model_id from new_rows) as used
    left join platform.model_registry_entries as model on model.id = used.model_id
    where model.id is null
      or model.organization_id <> used.organization_id
  ) then
    raise exception using
      errcode = 'foreign_key_violation',
      message = 'A usage event uses a model that its organization does not have.',
      detail = 'model_id must be an entry of platform.model_registry_entries that is global or of the same organization.',
      hint = 'Take the model_id from the models that the organization can read.',
      schema = 'platform',
      table = 'usage_events',
      column = 'model_id',
      constraint = 'usage_events_model_of_organization';
  end if;
  return null;
end
$function$;

comment on function platform.check_usage_event_models() is
  'Statement trigger: refuses usage events whose model is neither global nor of their organization.';

revoke all
  on function platform.check_usage_event_models()
  from public;

-- A statement aimed at a partition fires the partition's triggers and not the parent's, so both have them.
create trigger usage_events_check_models_insert
  after insert on platform.usage_events
  referencing new table as new_rows
  for each statement
  execute function platform.check_usage_event_models();

create trigger usage_events_check_models_update
  after update on platform.usage_events
  referencing new table as new_rows
  for each statement
  execute function platform.check_usage_event_models();

create trigger usage_events_check_models_insert
  after insert on platform.usage_events_default
  referencing new table as new_rows
  for each statement
  execute function platform.check_usage_event_models();

create trigger usage_events_check_models_update
  after update on platform.usage_events_default
  referencing new table as new_rows
  for each statement
  execute function platform.check_usage_event_models();

alter table platform.usage_events
  enable row level security;

alter table platform.usage_events
  force row level security;

create policy usage_events_tenant
  on platform.usage_events
  for all
  to plinth_app
  using (organization_id = (select platform.current_organization_id()))
  with check (organization_id = (select platform.current_organization_id()));

create policy usage_events_analytics
  on platform.usage_events
  for select
  to plinth_analytics
  using (true);

create policy usage_events_migrator
  on platform.usage_events
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select, insert
  on platform.usage_events
  to plinth_app;

grant select
  on platform.usage_events
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.usage_events
  to plinth_migrator;

-- Policies of the parent do not hold for a statement aimed at a partition. Tenants have no business there: no policy,
-- no grant.
alter table platform.usage_events_default
  enable row level security;

alter table platform.usage_events_default
  force row level security;

create policy usage_events_analytics
  on platform.usage_events_default
  for select
  to plinth_analytics
  using (true);

create policy usage_events_migrator
  on platform.usage_events_default
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select
  on platform.usage_events_default
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.usage_events_default
  to plinth_migrator;

create view platform.usage_event_default_rows
  with (security_invoker = true)
as
select
  count(*) as row_count,
  min(occurred_at) as first_occurred_at,
  max(occurred_at) as last_occurred_at
from platform.usage_events_default;

comment on view platform.usage_event_default_rows is
  'Watches the default partition: row_count should be 0; otherwise platform.ensure_usage_event_partitions(first, last) '
  'moves the rows out.';
comment on column platform.usage_event_default_rows.row_count is 'Usage events for whose time no partition was made.';
comment on column platform.usage_event_default_rows.first_occurred_at is
  'Time of the earliest of them; null when there is none.';
comment on column platform.usage_event_default_rows.last_occurred_at is
  'Time of the latest of them; null when there is none.';

grant select
  on platform.usage_event_default_rows
  to plinth_analytics, plinth_migrator;
