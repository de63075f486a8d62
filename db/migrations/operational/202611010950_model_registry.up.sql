-- Models and what they cost. An entry is never overwritten: a new price or target is a new revision, so that usage of
-- last month still points at what it really cost. Immutability also means that usage can be checked against an entry
-- without a lock.

create table platform.model_registry_entries (
  id uuid not null default gen_random_uuid(),
  organization_id uuid,
  name text not null,
  revision integer not null default 1,
  target text not null,
  cost_per_1k_tokens numeric(12, 6) not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint model_registry_entries_pk
    primary key (id),
  constraint model_registry_entries_revision_key
    unique nulls not distinct (organization_id, name, revision),
  constraint model_registry_entries_organization_fk
    foreign key (organization_id)
    references platform.organizations (id),
  constraint model_registry_entries_name_format_check
    check (name ~ '^[a-z0-9][a-z0-9._/-]*$' and char_length(name) <= 100),
  constraint model_registry_entries_revision_positive_check
    check (revision >= 1),
  constraint model_registry_entries_target_check
    check (target in ('managed', 'self_hosted')),
  constraint model_registry_entries_cost_not_negative_check
    check (cost_per_1k_tokens >= 0 and cost_per_1k_tokens <> 'NaN'),
  constraint model_registry_entries_metadata_object_check
    check (jsonb_typeof(metadata) = 'object')
);

comment on table platform.model_registry_entries is
  'Models that may be called, one row a revision; rows are only ever added.';
comment on column platform.model_registry_entries.id is 'The revision, as usage events refer to it.';
comment on column platform.model_registry_entries.organization_id is
  'Tenant that owns the model; null for a global one, which every tenant may read and use.';
comment on column platform.model_registry_entries.name is
  'Model name: lower case letters, digits and . _ / -, at most 100 characters.';
comment on column platform.model_registry_entries.revision is
  'Revision of the name within its owner, from 1; the highest one is current.';
comment on column platform.model_registry_entries.target is 'Where it runs: managed by a provider, or self_hosted.';
comment on column platform.model_registry_entries.cost_per_1k_tokens is
  'Price of 1000 tokens, input or output, in US dollars.';
comment on column platform.model_registry_entries.metadata is
  'Further facts as a JSON object, such as context length; no secrets.';
comment on column platform.model_registry_entries.created_at is 'When the revision was registered.';

create trigger model_registry_entries_refuse_change
  before update or delete or truncate on platform.model_registry_entries
  for each statement
  execute function platform.refuse_row_change('Insert a row with the next revision instead.');

alter table platform.model_registry_entries
  enable always trigger model_registry_entries_refuse_change;

alter table platform.model_registry_entries
  enable row level security;

alter table platform.model_registry_entries
  force row level security;

create policy model_registry_entries_tenant
  on platform.model_registry_entries
  for all
  to plinth_app
  using (organization_id = (select platform.current_organization_id()))
  with check (organization_id = (select platform.current_organization_id()));

create policy model_registry_entries_global
  on platform.model_registry_entries
  for select
  to plinth_app
  using (organization_id is null and (select platform.current_organization_id()) is not null);

create policy model_registry_entries_analytics
  on platform.model_registry_entries
  for select
  to plinth_analytics
  using (true);

create policy model_registry_entries_migrator
  on platform.model_registry_entries
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select, insert
  on platform.model_registry_entries
  to plinth_app;

grant select (id, organization_id, name, revision, target, cost_per_1k_tokens, metadata, created_at)
  on platform.model_registry_entries
  to plinth_analytics;

grant select, insert
  on platform.model_registry_entries
  to plinth_migrator;
