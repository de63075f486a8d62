-- People of a tenant. The database never holds an e-mail address that it could read: only an envelope that the
-- application seals (AES-256-GCM) and a keyed hash for looking it up.

create table platform.users (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  email_ciphertext bytea,
  email_hash bytea,
  role text not null default 'developer',
  status text not null default 'invited',
  last_login_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint users_pk
    primary key (organization_id, id),
  constraint users_organization_fk
    foreign key (organization_id)
    references platform.organizations (id),
  -- Version byte 1, key id of 16, nonce of 12, the shortest address there is (a@b), tag of 16. No text starts with byte
  -- 1.
  constraint users_email_ciphertext_envelope_check
    check (octet_length(email_ciphertext) between 48 and 4096 and get_byte(email_ciphertext, 0) = 1),
  constraint users_email_hash_length_check
    check (octet_length(email_hash) = 32),
  -- Only a deleted user may be without e-mail: that is what erasure leaves.
  constraint users_email_present_check
    check (deleted_at is not null or (email_ciphertext is not null and email_hash is not null)),
  constraint users_role_check
    check (role in ('owner', 'admin', 'developer', 'billing')),
  constraint users_status_check
    check (status in ('active', 'invited', 'disabled')),
  constraint users_deleted_after_created_check
    check (deleted_at >= created_at)
);

comment on table platform.users is
  'People who may sign in to an organization; someone in two organizations is two rows.';
comment on column platform.users.organization_id is 'Tenant that the user belongs to.';
comment on column platform.users.id is 'User within the tenant.';
comment on column platform.users.email_ciphertext is
  'E-mail address in an encrypted envelope whose first byte is version 1; null once a deleted user is erased.';
comment on column platform.users.email_hash is
  'Keyed hash (HMAC-SHA256, 32 bytes) of the normalized e-mail address; unique among the tenant''s living users.';
comment on column platform.users.role is 'What the user may do: owner, admin, developer or billing.';
comment on column platform.users.status is 'invited: has not signed in yet; active; disabled: may not sign in.';
comment on column platform.users.last_login_at is 'When the user signed in last; null before the first time.';
comment on column platform.users.created_at is 'When the user was invited or added.';
comment on column platform.users.updated_at is 'When the row changed last; kept by a trigger.';
comment on column platform.users.deleted_at is
  'When the user was removed; null while the user lives. The address may then be used again.';

create unique index users_email_hash_key
  on platform.users (organization_id, email_hash)
  where deleted_at is null;

create trigger users_touch_updated_at
  before update on platform.users
  for each row
  when (old.* is distinct from new.*)
  execute function platform.touch_updated_at();

create trigger users_refuse_organization_change
  before update on platform.users
  for each row
  when (old.organization_id is distinct from new.organization_id)
  execute function platform.refuse_column_change(
    'organization_id',
    'Add the person to the other organization as a new user.'
  );

alter table platform.users
  enable row level security;

alter table platform.users
  force row level security;

create policy users_tenant
  on platform.users
  for all
  to plinth_app
  using (organization_id = (select platform.current_organization_id()))
  with check (organization_id = (select platform.current_organization_id()));

create policy users_analytics
  on platform.users
  for select
  to plinth_analytics
  using (true);

create policy users_migrator
  on platform.users
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select, insert, update
  on platform.users
  to plinth_app;

grant select (organization_id, id, role, status, last_login_at, created_at, updated_at, deleted_at)
  on platform.users
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.users
  to plinth_migrator;
