-- Who did what, when, to whom. Append-only, and evident when somebody with enough rights edits it all the same: at
-- commit each entry gets a seal that hashes it together with the seal before it, one chain for each organization and
-- one for the platform.
--
-- Sealing at commit rather than at insert keeps the lock on a chain short, and gives concurrent transactions one order.
-- The nil uuid stands for the platform's own chain, so that it has a key like any other.

create table platform.audit_log_entries (
  id bigint not null generated always as identity,
  organization_id uuid,
  chain_id uuid not null
    generated always as (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)) stored,
  actor_kind text not null,
  actor_id text not null,
  action text not null,
  subject_kind text,
  subject_id text,
  context jsonb not null default '{}',
  occurred_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  transaction_id bigint not null default pg_current_xact_id()::text::bigint,
  constraint audit_log_entries_pk
    primary key (chain_id, id),
  constraint audit_log_entries_organization_fk
    foreign key (organization_id)
    references platform.organizations (id),
  constraint audit_log_entries_actor_kind_check
    check (actor_kind in ('user', 'api_key', 'service', 'migration', 'system')),
  constraint audit_log_entries_actor_id_length_check
    check (char_length(actor_id) between 1 and 200),
  constraint audit_log_entries_action_format_check
    check (action ~ '^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)+$' and char_length(action) <= 100),
  constraint audit_log_entries_subject_together_check
    check ((subject_kind is null) = (subject_id is null)),
  constraint audit_log_entries_subject_length_check
    check (char_length(subject_kind) between 1 and 100 and char_length(subject_id) between 1 and 200),
  constraint audit_log_entries_context_object_check
    check (jsonb_typeof(context) = 'object'),
  constraint audit_log_entries_occurred_at_finite_check
    check (isfinite(occurred_at) and isfinite(recorded_at))
);

comment on table platform.audit_log_entries is
  'Who did what to what, and when; rows are only ever added, and each is sealed into a chain at commit.';
comment on column platform.audit_log_entries.id is
  'Order in which entries were written; the order that counts is the position of the seal.';
comment on column platform.audit_log_entries.organization_id is
  'Tenant that the entry concerns; null for the platform itself.';
comment on column platform.audit_log_entries.chain_id is
  'Chain that seals the entry: the tenant, or the nil uuid for the platform.';
comment on column platform.audit_log_entries.actor_kind is 'Who acted: user, api_key, service, migration or system.';
comment on column platform.audit_log_entries.actor_id is
  'Which one: an id or the name of a service; never an e-mail address.';
comment on column platform.audit_log_entries.action is
  'What was done, as subject and verb in the past: users.role_changed.';
comment on column platform.audit_log_entries.subject_kind is
  'What it was done to, such as user; null when the action says it all.';
comment on column platform.audit_log_entries.subject_id is 'Which one; null together with subject_kind.';
comment on column platform.audit_log_entries.context is
  'Further facts as a JSON object; sensitive values only encrypted or hashed.';
comment on column platform.audit_log_entries.occurred_at is 'When it was done.';
comment on column platform.audit_log_entries.recorded_at is 'When the database was told, by its own clock.';
comment on column platform.audit_log_entries.transaction_id is
  'Transaction that wrote the entry, as a bigint copy of its xid8.';

create index audit_log_entries_organization_idx
  on platform.audit_log_entries (organization_id, occurred_at);

-- Finds what a transaction has yet to seal.
create index audit_log_entries_transaction_idx
  on platform.audit_log_entries (transaction_id);

create table platform.audit_log_seals (
  chain_id uuid not null,
  position bigint not null,
  entry_id bigint not null,
  previous_hash bytea not null,
  hash bytea not null,
  sealed_at timestamptz not null default now(),
  constraint audit_log_seals_pk
    primary key (chain_id, position),
  constraint audit_log_seals_entry_key
    unique (chain_id, entry_id),
  -- Two seals on the same predecessor would be a fork.
  constraint audit_log_seals_previous_hash_key
    unique (chain_id, previous_hash),
  constraint audit_log_seals_entry_fk
    foreign key (chain_id, entry_id)
    references platform.audit_log_entries (chain_id, id),
  constraint audit_log_seals_position_positive_check
    check (position >= 1),
  constraint audit_log_seals_previous_hash_length_check
    check (octet_length(previous_hash) = 32),
  constraint audit_log_seals_hash_length_check
    check (octet_length(hash) = 32)
);

comment on table platform.audit_log_seals is
  'Hash chain over the audit log, one chain for each organization; written by a trigger at commit, never changed.';
comment on column platform.audit_log_seals.chain_id is 'Tenant whose chain it is, or the nil uuid for the platform.';
comment on column platform.audit_log_seals.position is 'Position in the chain, from 1 without a gap.';
comment on column platform.audit_log_seals.entry_id is 'Entry of the same chain that is sealed.';
comment on column platform.audit_log_seals.previous_hash is
  'Hash of the seal before; for the first one, platform.audit_chain_origin(chain_id).';
comment on column platform.audit_log_seals.hash is
  'SHA-256 over previous_hash and the entry''s canonical text; see platform.audit_seal_hash.';
comment on column platform.audit_log_seals.sealed_at is 'When the transaction that wrote the entry began.';

create function platform.audit_chain_origin(chain_id uuid)
  returns bytea
  language sql
  immutable
  strict
  parallel safe
  return sha256(convert_to('plinth audit chain ' || chain_id::text, 'UTF8'));

comment on function platform.audit_chain_origin(uuid) is
  'What the first seal of a chain points back to: SHA-256 of "plinth audit chain " and the chain''s id, so chains '
  'cannot be swapped.';

-- A JSON array escapes its elements, so no two entries share a text; times are UTC with microseconds, whatever the
-- session says.
create function platform.audit_seal_hash(previous_hash bytea, seal_position bigint, entry platform.audit_log_entries)
  returns bytea
  language sql
  stable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select sha256(
    previous_hash
    || convert_to(
      jsonb_build_array(
        'plinth.audit.1',
        entry.chain_id,
        seal_position,
        entry.id,
        entry.organization_id,
        entry.actor_kind,
        entry.actor_id,
        entry.action,
        entry.subject_kind,
        entry.subject_id,
        entry.context,
        to_char(entry.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        to_char(entry.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        entry.transaction_id
      )::text,
      'UTF8'
    )
  )
$function$;

comment on function platform.audit_seal_hash(bytea, bigint, platform.audit_log_entries) is
  'SHA-256 over the hash before and the UTF-8 text of a JSON array: plinth.audit.1, chain_id, position, then the '
  'entry''s other columns in order of the table.';

-- The trigger fires for each entry; the first firing seals all that the transaction wrote, so that it takes the locks
-- of its chains in one order and two transactions cannot wait for each other.
create function platform.seal_audit_log_entries()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $function$
declare
  entry platform.audit_log_entries;
  last_position bigint;
  last_hash bytea;
begin
  if exists (
    select
    from platform.audit_log_seals as seal
    where seal.chain_id = new.chain_id
      and seal.entry_id = new.id
  ) then
    return null;
  end if;

  perform pg_advisory_xact_lock(lock_key)
  from (
    select distinct hashtextextended('platform.audit_log ' || written.chain_id::text, 0) as lock_key
    from platform.audit_log_entries as written
    where written.transaction_id = pg_current_xact_id()::text::bigint
    order by lock_key
  ) as chains;

  for entry in
    select written.*
    from platform.audit_log_entries as written
    where written.transaction_id = pg_current_xact_id()::text::bigint
      and not exists (
        select
        from platform.audit_log_seals as seal
        where seal.chain_id = written.chain_id
          and seal.entry_id = written.id
      )
    order by written.chain_id, written.id
  loop
    select seal.position, seal.hash
    into last_position, last_hash
    from platform.audit_log_seals as seal
    where seal.chain_id = entry.chain_id
    order by seal.position desc
    limit 1;
    if not found then
      last_position := 0;
      last_hash := platform.audit_chain_origin(entry.chain_id);
    end if;
    insert into platform.audit_log_seals (chain_id, position, entry_id, previous_hash, hash)
    values (
      entry.chain_id,
      last_position + 1,
      entry.id,
      last_hash,
      platform.audit_seal_hash(last_hash, last_position + 1, entry)
    );
  end loop;
  return null;
exception
  -- Under repeatable read the head of the chain is as old as the snapshot. Nothing is wrong; the transaction must run
  -- again.
  when unique_violation then
    raise exception using
      errcode = 'serialization_failure',
      message = 'Another transaction extended the audit chain since this one took its snapshot.',
      hint = 'Run the transaction again, or write audit entries under read committed.',
      schema = 'platform',
      table = 'audit_log_seals',
      constraint = 'audit_log_seals_previous_hash_key';
end
$function$;

comment on function platform.seal_audit_log_entries() is
  'Deferred trigger: at commit, seals every audit entry that the transaction wrote into the chain of its organization.';

create constraint trigger audit_log_entries_seal
  after insert on platform.audit_log_entries
  deferrable
  initially deferred
  for each row
  execute function platform.seal_audit_log_entries();

create trigger audit_log_entries_refuse_change
  before update or delete or truncate on platform.audit_log_entries
  for each statement
  execute function platform.refuse_row_change('Insert an entry that corrects the earlier one.');

create trigger audit_log_seals_refuse_change
  before update or delete or truncate on platform.audit_log_seals
  for each statement
  execute function platform.refuse_row_change('Seals follow from entries; nobody writes them by hand.');

-- Also under session_replication_role = replica, which switches ordinary triggers off.
alter table platform.audit_log_entries
  enable always trigger audit_log_entries_seal,
  enable always trigger audit_log_entries_refuse_change;

alter table platform.audit_log_seals
  enable always trigger audit_log_seals_refuse_change;

-- Everything that is wrong with a chain. An end that was cut off, entries and seals alike, leaves no trace in the chain
-- itself: for that, keep what platform.audit_chain_head answers somewhere else and compare.
create function platform.audit_chain_breaks(organization uuid)
  returns table (seal_position bigint, entry_id bigint, reason text)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $function$
  with chain as (
    select coalesce(organization, '00000000-0000-0000-0000-000000000000'::uuid) as id
  ),
  sealed as (
    select
      seal.*,
      1 + lag(seal.position, 1, 0::bigint) over (order by seal.position) as expected_position,
      lag(seal.hash, 1, platform.audit_chain_origin(seal.chain_id)) over (order by seal.position) as expected_previous_hash
    from platform.audit_log_seals as seal
    where seal.chain_id = (select id from chain)
  ),
  found as (
    select
      sealed.expected_position as seal_position,
      sealed.entry_id,
      case
        when sealed.position <> sealed.expected_position then 'a seal is missing'
        when entry.id is null then 'the entry is missing'
        when sealed.previous_hash <> sealed.expected_previous_hash then 'the seal does not continue the one before'
        when sealed.hash <> platform.audit_seal_hash(sealed.previous_hash, sealed.position, entry)
          then 'the entry was altered'
      end as reason
    from sealed
    left join platform.audit_log_entries as entry
      on entry.chain_id = sealed.chain_id
      and entry.id = sealed.entry_id
    union all
    select
      (select coalesce(max(sealed.position), 0) from sealed) + row_number() over (order by entry.id),
      entry.id,
      'the entry has no seal'
    from platform.audit_log_entries as entry
    where entry.chain_id = (select id from chain)
      and not exists (
        select
        from sealed
        where sealed.entry_id = entry.id
      )
  )
  select
    found.seal_position,
    found.entry_id,
    found.reason
  from found
  where found.reason is not null
  order by found.seal_position, found.entry_id
$function$;

comment on function platform.audit_chain_breaks(uuid) is
  'Everything that is wrong with the audit chain of an organization, or of the platform for null: position, entry and '
  'reason; no row when it is whole.';

create function platform.verify_audit_chain(organization uuid)
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $function$
  select min(broken.seal_position)
  from platform.audit_chain_breaks(organization) as broken
$function$;

comment on function platform.verify_audit_chain(uuid) is
  'First broken position in the audit chain of an organization, or of the platform for null; null when the chain is '
  'whole.';

create function platform.audit_chain_head(organization uuid)
  returns table (seal_position bigint, hash bytea)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $function$
  select
    seal.position,
    seal.hash
  from platform.audit_log_seals as seal
  where seal.chain_id = coalesce(organization, '00000000-0000-0000-0000-000000000000'::uuid)
  order by seal.position desc
  limit 1
$function$;

comment on function platform.audit_chain_head(uuid) is
  'Position and hash of the last seal in a chain, to be kept elsewhere: a head that is gone proves that the end was '
  'cut off.';

alter table platform.audit_log_entries
  enable row level security;

alter table platform.audit_log_entries
  force row level security;

create policy audit_log_entries_tenant
  on platform.audit_log_entries
  for all
  to plinth_app
  using (organization_id = (select platform.current_organization_id()))
  with check (organization_id = (select platform.current_organization_id()));

create policy audit_log_entries_migrator
  on platform.audit_log_entries
  for all
  to plinth_migrator
  using (true)
  with check (true);

alter table platform.audit_log_seals
  enable row level security;

alter table platform.audit_log_seals
  force row level security;

create policy audit_log_seals_tenant
  on platform.audit_log_seals
  for select
  to plinth_app
  using (chain_id = (select platform.current_organization_id()));

create policy audit_log_seals_migrator
  on platform.audit_log_seals
  for all
  to plinth_migrator
  using (true)
  with check (true);

-- What the database itself vouches for, such as recorded_at, nobody may write.
grant
    select,
    insert (organization_id, actor_kind, actor_id, action, subject_kind, subject_id, context, occurred_at)
  on platform.audit_log_entries
  to plinth_app, plinth_migrator;

grant select
  on platform.audit_log_seals
  to plinth_app, plinth_migrator;

revoke all
  on function
    platform.audit_chain_origin(uuid),
    platform.audit_seal_hash(bytea, bigint, platform.audit_log_entries),
    platform.seal_audit_log_entries(),
    platform.audit_chain_breaks(uuid),
    platform.verify_audit_chain(uuid),
    platform.audit_chain_head(uuid)
  from public;

grant execute
  on function
    platform.audit_chain_origin(uuid),
    platform.audit_seal_hash(bytea, bigint, platform.audit_log_entries),
    platform.audit_chain_breaks(uuid),
    platform.verify_audit_chain(uuid),
    platform.audit_chain_head(uuid)
  to plinth_app, plinth_migrator;
