-- What may be forgotten. A warehouse seals the hours that it has counted and proved; only behind what every warehouse has sealed may
-- events be retired, which drops them here and keeps their usage there. Dropping a partition with drop_usage_event_partitions is something
-- else: it takes the usage away from the rollups as well.

create table platform.usage_event_seals (
  consumer text not null,
  sealed_before timestamptz,
  held_from timestamptz,
  updated_at timestamptz not null default now(),
  constraint usage_event_seals_pk
    primary key (consumer),
  constraint usage_event_seals_sealed_before_day_check
    check (sealed_before = date_trunc('day', sealed_before, 'UTC'))
);

comment on table platform.usage_event_seals is
  'How far each warehouse has sealed usage; one that has sealed nothing keeps all events from being retired.';
comment on column platform.usage_event_seals.consumer is 'Warehouse, by the name under which it reads the marks.';
comment on column platform.usage_event_seals.sealed_before is
  'Usage before this day (UTC) is sealed; null while nothing is.';
comment on column platform.usage_event_seals.held_from is
  'First hour with late events that nobody has admitted or dismissed; null when there is none.';
comment on column platform.usage_event_seals.updated_at is 'When the warehouse told this last.';

create table platform.usage_event_retirements (
  partition_name text not null,
  lower_bound timestamptz not null,
  upper_bound timestamptz not null,
  retired_rows bigint not null,
  retired_at timestamptz not null default now(),
  constraint usage_event_retirements_pk
    primary key (partition_name),
  constraint usage_event_retirements_bounds_check
    check (lower_bound < upper_bound),
  constraint usage_event_retirements_retired_rows_not_negative_check
    check (retired_rows >= 0)
);

comment on table platform.usage_event_retirements is
  'Partitions of usage_events that were dropped behind their seals: their usage is in the warehouses alone.';
comment on column platform.usage_event_retirements.partition_name is 'Name that the partition had.';
comment on column platform.usage_event_retirements.lower_bound is 'First instant of the partition.';
comment on column platform.usage_event_retirements.upper_bound is 'The instant before which it ended.';
comment on column platform.usage_event_retirements.retired_rows is 'Events that it held.';
comment on column platform.usage_event_retirements.retired_at is 'When it was dropped.';

alter table platform.usage_event_seals
  enable row level security;

alter table platform.usage_event_seals
  force row level security;

create policy usage_event_seals_analytics
  on platform.usage_event_seals
  for select
  to plinth_analytics
  using (true);

create policy usage_event_seals_migrator
  on platform.usage_event_seals
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select
  on platform.usage_event_seals
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.usage_event_seals
  to plinth_migrator;

alter table platform.usage_event_retirements
  enable row level security;

alter table platform.usage_event_retirements
  force row level security;

create policy usage_event_retirements_analytics
  on platform.usage_event_retirements
  for select
  to plinth_analytics
  using (true);

create policy usage_event_retirements_migrator
  on platform.usage_event_retirements
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select
  on platform.usage_event_retirements
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.usage_event_retirements
  to plinth_migrator;

create function platform.retire_usage_event_partitions(present timestamptz default now())
  returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz, retired_rows bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
as $function$
declare
  doomed record;
  retention_ends timestamptz;
  sealed_until timestamptz;
begin
  -- What is looked at under the locks below must be what is there, not what an older snapshot shows.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'invalid_transaction_state',
      message = 'Partitions are retired at the isolation level read committed alone.',
      hint = 'Begin the transaction without an isolation level.';
  end if;
  select present - settings.retention_days * interval '1 day'
  into retention_ends
  from platform.partition_settings as settings
  where settings.table_name = 'platform.usage_events';
  -- One warehouse that has sealed nothing makes the whole answer null.
  select case
    when count(*) = count(seal.sealed_before) then min(least(seal.sealed_before, coalesce(seal.held_from, 'infinity')))
  end
  into sealed_until
  from platform.usage_event_seals as seal;
  if retention_ends is null or sealed_until is null then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('platform.usage_events partitions', 0));
  for doomed in
    select existing.partition_name, existing.lower_bound, existing.upper_bound
    from platform.usage_event_partitions() as existing
    where existing.upper_bound <= least(retention_ends, sealed_until)
    order by existing.lower_bound
  loop
    -- Counted before the locks, since it may take long: whatever changes meanwhile leaves a mark, which is seen below.
    execute format('select count(*) from platform.%I', doomed.partition_name) into retired_rows;
    lock table only platform.usage_events in access exclusive mode;
    execute format('lock table platform.%I in access exclusive mode', doomed.partition_name);
    -- A mark that is still there tells of a change that some warehouse has not seen. What is retired has no gaps, so later ones wait too.
    exit when exists (
      select
      from platform.usage_event_marks as mark
      where mark.bucket_hour >= doomed.lower_bound
        and mark.bucket_hour < doomed.upper_bound
    );
    execute format('drop table platform.%I', doomed.partition_name);
    insert into platform.usage_event_retirements as known
      (partition_name, lower_bound, upper_bound, retired_rows)
    values
      (doomed.partition_name, doomed.lower_bound, doomed.upper_bound, retire_usage_event_partitions.retired_rows)
    on conflict on constraint usage_event_retirements_pk do update
    set upper_bound = greatest(known.upper_bound, excluded.upper_bound),
        retired_rows = known.retired_rows + excluded.retired_rows,
        retired_at = excluded.retired_at;
    partition_name := doomed.partition_name;
    lower_bound := doomed.lower_bound;
    upper_bound := doomed.upper_bound;
    return next;
  end loop;
end
$function$;

comment on function platform.retire_usage_event_partitions(timestamptz) is
  'Drops the partitions of usage_events whose retention has ended, as far as every warehouse has sealed them and no late event waits '
  'there; answers what it dropped. Call it in a transaction of its own with a short lock_timeout: it waits for those that are at work.';

revoke all
  on function platform.retire_usage_event_partitions(timestamptz)
  from public;

grant execute
  on function platform.retire_usage_event_partitions(timestamptz)
  to plinth_migrator;
