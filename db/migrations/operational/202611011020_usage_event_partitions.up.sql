-- Partitions of usage_events: how wide, how far ahead, how long they are kept, and the functions that make and drop
-- them.
--
-- Names follow from the start of a partition (usage_events_20261102), whatever its width, so that every database that
-- needs a partition gives it the same name. A new width applies to what is made from then on; existing partitions keep
-- their bounds.

create table platform.partition_settings (
  table_name text not null,
  width text not null default 'week',
  partitions_behind integer not null default 4,
  partitions_ahead integer not null default 8,
  retention_days integer,
  constraint partition_settings_pk
    primary key (table_name),
  constraint partition_settings_width_check
    check (width in ('day', 'week', 'month')),
  constraint partition_settings_partitions_behind_range_check
    check (partitions_behind between 0 and 500),
  constraint partition_settings_partitions_ahead_range_check
    check (partitions_ahead between 1 and 500),
  constraint partition_settings_retention_days_positive_check
    check (retention_days > 0)
);

comment on table platform.partition_settings is
  'How each partitioned table is cut by time; read whenever partitions are made or dropped.';
comment on column platform.partition_settings.table_name is 'Partitioned table, with its schema.';
comment on column platform.partition_settings.width is
  'Width of partitions that are made from now on: day, week (from Monday) or month, in UTC.';
comment on column platform.partition_settings.partitions_behind is
  'Partitions kept ready before the present one, for late events.';
comment on column platform.partition_settings.partitions_ahead is 'Partitions kept ready after the present one.';
comment on column platform.partition_settings.retention_days is
  'Days after which a partition may be dropped once its usage is sealed; null keeps it for ever.';

insert into platform.partition_settings (table_name, width, partitions_behind, partitions_ahead, retention_days)
values ('platform.usage_events', 'week', 4, 8, 400);

alter table platform.partition_settings
  enable row level security;

alter table platform.partition_settings
  force row level security;

create policy partition_settings_analytics
  on platform.partition_settings
  for select
  to plinth_analytics
  using (true);

create policy partition_settings_migrator
  on platform.partition_settings
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select
  on platform.partition_settings
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.partition_settings
  to plinth_migrator;

-- The catalog prints bounds in the session's own time zone and date style, so both are fixed before they are read back.
create function platform.usage_event_partitions()
  returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
  set datestyle = 'ISO'
as $function$
  select
    part.relname::text,
    substring(part.bounds from $$FROM \('([^']+)'\)$$)::timestamptz,
    substring(part.bounds from $$TO \('([^']+)'\)$$)::timestamptz
  from (
    select
      child.relname,
      pg_get_expr(child.relpartbound, child.oid) as bounds
    from pg_inherits as inheritance
    join pg_class as child on child.oid = inheritance.inhrelid
    where inheritance.inhparent = 'platform.usage_events'::regclass
  ) as part
  where part.bounds <> 'DEFAULT'
  order by 2
$function$;

comment on function platform.usage_event_partitions() is
  'Partitions of usage_events by time, without the default one: name, first instant, and the instant before which it '
  'ends.';

-- Row security, grants and statement triggers are not inherited, so a partition gets its own. Taking the triggers from
-- the parent's catalog means that a trigger added to the parent later is not forgotten here.
create function platform.arm_usage_event_partition(partition_name text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $function$
declare
  trigger_definition text;
begin
  execute format('alter table platform.%I enable row level security', partition_name);
  execute format('alter table platform.%I force row level security', partition_name);
  execute format(
    'create policy usage_events_analytics on platform.%I for select to plinth_analytics using (true)',
    partition_name
  );
  execute format(
    'create policy usage_events_migrator on platform.%I for all to plinth_migrator using (true) with check (true)',
    partition_name
  );
  execute format(
    'grant select, insert, update, delete, truncate on platform.%I to plinth_migrator',
    partition_name
  );
  for trigger_definition in
    select pg_get_triggerdef(parent_trigger.oid)
    from pg_trigger as parent_trigger
    where parent_trigger.tgrelid = 'platform.usage_events'::regclass
      and not parent_trigger.tgisinternal
      and parent_trigger.tgtype & 1 = 0
    order by parent_trigger.tgname
  loop
    execute replace(
      trigger_definition,
      ' ON platform.usage_events ',
      format(' ON platform.%I ', partition_name)
    );
  end loop;
end
$function$;

comment on function platform.arm_usage_event_partition(text) is
  'Gives a new partition of usage_events the row security, grants and statement triggers of its parent.';

-- Readers of the parent go on: attaching needs less of a lock than "create table … partition of". Writers wait at the
-- parent: one that had already chosen the default partition for its row would otherwise wake up to find the row refused.
-- Rows that wait in the default partition are moved first, since with them the new partition would be refused.
create function platform.make_usage_event_partition(lower_bound timestamptz, upper_bound timestamptz)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
  set datestyle = 'ISO'
as $function$
declare
  partition_name text := 'usage_events_' || to_char(lower_bound, 'YYYYMMDD');
  moved_rows bigint;
begin
  lock table only platform.usage_events in share row exclusive mode;
  lock table platform.usage_events_default in access exclusive mode;
  execute format(
    'create table platform.%I (like platform.usage_events including defaults including constraints including comments)',
    partition_name
  );
  execute format(
    'with moved as (
       delete from platform.usage_events_default
       where occurred_at >= %L
         and occurred_at < %L
       returning *
     )
     insert into platform.%I
     select *
     from moved',
    lower_bound,
    upper_bound,
    partition_name
  );
  get diagnostics moved_rows = row_count;
  perform platform.arm_usage_event_partition(partition_name);
  execute format(
    'alter table platform.usage_events attach partition platform.%I for values from (%L) to (%L)',
    partition_name,
    lower_bound,
    upper_bound
  );
  execute format(
    'comment on table platform.%I is %L',
    partition_name,
    format('Usage events from %s until before %s (UTC).', lower_bound::date, upper_bound::date)
  );
  return moved_rows;
end
$function$;

comment on function platform.make_usage_event_partition(timestamptz, timestamptz) is
  'Makes one partition of usage_events, moves the rows for it out of the default partition, and answers how many they '
  'were.';

create function platform.ensure_usage_event_partitions(from_time timestamptz, to_time timestamptz)
  returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz, moved_rows bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
as $function$
declare
  partition_width text;
  step interval;
  piece_start timestamptz;
  bucket_end timestamptz;
  taken record;
begin
  select settings.width
  into strict partition_width
  from platform.partition_settings as settings
  where settings.table_name = 'platform.usage_events';
  step := ('1 ' || partition_width)::interval;

  if from_time is null or to_time is null or not isfinite(from_time) or not isfinite(to_time) or from_time > to_time then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'Partitions need a time range whose start is not after its end.',
      hint = 'Call platform.ensure_usage_event_partitions(from_time, to_time) with two finite times in order.';
  end if;
  if to_time - from_time > step * 1000 then
    raise exception using
      errcode = 'program_limit_exceeded',
      message = format('The time range would need more than 1000 partitions of a %s.', partition_width),
      hint = 'Shorten the range, or widen platform.partition_settings.width.';
  end if;

  -- Who comes second waits here, then finds the partitions made.
  perform pg_advisory_xact_lock(hashtextextended('platform.usage_events partitions', 0));

  piece_start := date_trunc(partition_width, from_time, 'UTC');
  while piece_start <= to_time loop
    bucket_end := date_trunc(partition_width, piece_start, 'UTC') + step;
    -- Partitions of another width may cover a part of this stretch of time; only the gaps between them are made.
    for taken in
      select
        existing.lower_bound as starts,
        existing.upper_bound as ends
      from platform.usage_event_partitions() as existing
      where existing.lower_bound < bucket_end
        and existing.upper_bound > piece_start
      union all
      select
        bucket_end,
        bucket_end
      order by starts
    loop
      if taken.starts > piece_start then
        partition_name := 'usage_events_' || to_char(piece_start, 'YYYYMMDD');
        lower_bound := piece_start;
        upper_bound := taken.starts;
        moved_rows := platform.make_usage_event_partition(lower_bound, upper_bound);
        return next;
      end if;
      piece_start := greatest(piece_start, taken.ends);
    end loop;
  end loop;
end
$function$;

comment on function platform.ensure_usage_event_partitions(timestamptz, timestamptz) is
  'Makes the partitions of usage_events that are missing between two times, both included, and answers those it made. '
  'Call it in a transaction of its own with a short lock_timeout: writers of usage_events, api_keys and '
  'model_registry_entries wait while it works, and it waits for those that are at work.';

create function platform.maintain_usage_event_partitions(present timestamptz default now())
  returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz, moved_rows bigint)
  language sql
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
as $function$
  select made.*
  from platform.partition_settings as settings
  cross join lateral platform.ensure_usage_event_partitions(
    present - settings.partitions_behind * ('1 ' || settings.width)::interval,
    present + settings.partitions_ahead * ('1 ' || settings.width)::interval
  ) as made
  where settings.table_name = 'platform.usage_events'
$function$;

comment on function platform.maintain_usage_event_partitions(timestamptz) is
  'Keeps as many partitions of usage_events ready around the present as partition_settings asks for, and answers those '
  'it made.';

create function platform.drop_usage_event_partitions(before timestamptz)
  returns table (partition_name text, lower_bound timestamptz, upper_bound timestamptz, dropped_rows bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set timezone = 'UTC'
as $function$
declare
  doomed record;
begin
  if before is null then
    raise exception using
      errcode = 'invalid_parameter_value',
      message = 'Dropping partitions needs a time before which they end.',
      hint = 'Call platform.drop_usage_event_partitions(before) with a time.';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('platform.usage_events partitions', 0));
  for doomed in
    select existing.partition_name, existing.lower_bound, existing.upper_bound
    from platform.usage_event_partitions() as existing
    where existing.upper_bound <= before
    order by existing.lower_bound
  loop
    -- No row may arrive between the marks and the drop; the drop takes these locks anyway.
    lock table only platform.usage_events in access exclusive mode;
    execute format('lock table platform.%I in access exclusive mode', doomed.partition_name);
    execute format(
      'insert into platform.usage_event_marks (bucket_hour, shard)
       select distinct
         date_trunc(''hour'', occurred_at, ''UTC''),
         platform.organization_shard(organization_id)
       from platform.%I',
      doomed.partition_name
    );
    execute format('select count(*) from platform.%I', doomed.partition_name) into dropped_rows;
    execute format('drop table platform.%I', doomed.partition_name);
    partition_name := doomed.partition_name;
    lower_bound := doomed.lower_bound;
    upper_bound := doomed.upper_bound;
    return next;
  end loop;
end
$function$;

comment on function platform.drop_usage_event_partitions(timestamptz) is
  'Drops the partitions of usage_events that end at or before a time, after marking the hours they held; answers what '
  'it dropped. Rows in the default partition stay.';

revoke all
  on function
    platform.usage_event_partitions(),
    platform.arm_usage_event_partition(text),
    platform.make_usage_event_partition(timestamptz, timestamptz),
    platform.ensure_usage_event_partitions(timestamptz, timestamptz),
    platform.maintain_usage_event_partitions(timestamptz),
    platform.drop_usage_event_partitions(timestamptz)
  from public;

grant execute
  on function platform.usage_event_partitions()
  to plinth_analytics, plinth_migrator;

grant execute
  on function
    platform.ensure_usage_event_partitions(timestamptz, timestamptz),
    platform.maintain_usage_event_partitions(timestamptz),
    platform.drop_usage_event_partitions(timestamptz)
  to plinth_migrator;

-- plinth:allow lock-default-partition-scan reason="nothing was written to the fact table yet"
select count(*) as partitions_made
from platform.maintain_usage_event_partitions();
