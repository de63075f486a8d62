-- What programs sign in with. The secret is shown once, when it is made; the database holds a keyed hash of it.

create function platform.scopes_are_valid(scopes text[])
  returns boolean
  language sql
  immutable
  parallel safe
  return not exists (
    select
    from unnest(scopes) as scope
    where scope is null
      or scope !~ '^[a-z][a-z0-9_.:-]{0,62}$'
  );

comment on function platform.scopes_are_valid(text[]) is
  'Whether every element is a scope name, such as usage:write: lower case, at most 63 characters, no null.';

revoke all
  on function platform.scopes_are_valid(text[])
  from public;

-- A check constraint runs with the rights of whoever writes the row.
grant execute
  on function platform.scopes_are_valid(text[])
  to plinth_app, plinth_migrator;

create table platform.api_keys (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  name text not null,
  secret_hash bytea not null,
  scopes text[] not null default array['usage:write'],
  status text not null default 'active',
  created_by_user_id uuid,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint api_keys_pk
    primary key (organization_id, id),
  constraint api_keys_secret_hash_key
    unique (secret_hash),
  constraint api_keys_organization_fk
    foreign key (organization_id)
    references platform.organizations (id),
  constraint api_keys_created_by_user_fk
    foreign key (organization_id, created_by_user_id)
    references platform.users (organization_id, id),
  constraint api_keys_name_length_check
    check (name = btrim(name) and char_length(name) between 1 and 100),
  constraint api_keys_secret_hash_length_check
    check (octet_length(secret_hash) = 32),
  constraint api_keys_scopes_count_check
    check (cardinality(scopes) between 1 and 32),
  constraint api_keys_scopes_format_check
    check (platform.scopes_are_valid(scopes)),
  constraint api_keys_status_check
    check (status in ('active', 'rotating', 'revoked')),
  constraint api_keys_deleted_after_created_check
    check (deleted_at >= created_at)
);

comment on table platform.api_keys is 'Keys with which a tenant''s programs call the platform.';
comment on column platform.api_keys.organization_id is 'Tenant that the key belongs to.';
comment on column platform.api_keys.id is 'Key within the tenant; safe to log, unlike the secret.';
comment on column platform.api_keys.name is
  'Name for people, 1 to 100 characters; unique among the tenant''s living keys.';
comment on column platform.api_keys.secret_hash is
  'Keyed hash (HMAC-SHA256, 32 bytes) of the secret; the secret itself is stored nowhere.';
comment on column platform.api_keys.scopes is 'What the key may do, such as usage:write; 1 to 32 names.';
comment on column platform.api_keys.status is
  'active; rotating: still accepted while its successor takes over; revoked: refused.';
comment on column platform.api_keys.created_by_user_id is
  'User of the same tenant who made the key; null when the platform made it.';
comment on column platform.api_keys.last_used_at is 'About when the key was used last; null before the first time.';
comment on column platform.api_keys.created_at is 'When the key was made.';
comment on column platform.api_keys.updated_at is 'When the row changed last; kept by a trigger.';
comment on column platform.api_keys.deleted_at is
  'When the key was removed; null while it lives. Its name may then be used again.';

create unique index api_keys_name_key
  on platform.api_keys (organization_id, name)
  where deleted_at is null;

create index api_keys_created_by_user_idx
  on platform.api_keys (organization_id, created_by_user_id);

create trigger api_keys_touch_updated_at
  before update on platform.api_keys
  for each row
  when (old.* is distinct from new.*)
  execute function platform.touch_updated_at();

create trigger api_keys_refuse_organization_change
  before update on platform.api_keys
  for each row
  when (old.organization_id is distinct from new.organization_id)
  execute function platform.refuse_column_change('organization_id', 'Make a new key in the other organization.');

alter table platform.api_keys
  enable row level security;

alter table platform.api_keys
  force row level security;

create policy api_keys_tenant
  on platform.api_keys
  for all
  to plinth_app
  using (organization_id = (select platform.current_organization_id()))
  with check (organization_id = (select platform.current_organization_id()));

create policy api_keys_analytics
  on platform.api_keys
  for select
  to plinth_analytics
  using (true);

create policy api_keys_migrator
  on platform.api_keys
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select, insert, update
  on platform.api_keys
  to plinth_app;

grant select (
    organization_id, id, name, scopes, status, created_by_user_id, last_used_at, created_at, updated_at, deleted_at
  )
  on platform.api_keys
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.api_keys
  to plinth_migrator;

-- A call brings a key before the session has a tenant; who knows the hash of a secret may learn whose it is, and
-- nothing more.
create function platform.find_api_key(key_secret_hash bytea)
  returns table (organization_id uuid, api_key_id uuid, status text, scopes text[])
  language sql
  stable
  strict
  security definer
  parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select
    api_key.organization_id,
    api_key.id,
    api_key.status,
    api_key.scopes
  from platform.api_keys as api_key
  join platform.organizations as organization on organization.id = api_key.organization_id
  where api_key.secret_hash = key_secret_hash
    and api_key.status in ('active', 'rotating')
    and api_key.deleted_at is null
    and organization.status = 'active'
    and organization.deleted_at is null
$function$;

comment on function platform.find_api_key(bytea) is
  'The usable key with exactly this secret hash, of an active organization; how a service learns whom a call is for.';

revoke all
  on function platform.find_api_key(bytea)
  from public;

grant execute
  on function platform.find_api_key(bytea)
  to plinth_app, plinth_migrator;
