-- Which hours of usage changed, for whom. A mark commits or vanishes with the change that it tells of, so a rollup that
-- takes the marks of a snapshot misses nothing: neither late rows, nor updates, deletes and truncates, nor transactions
-- still in flight. A mark names an hour and one of 64 shards of organizations rather than an organization, so a bulk
-- load leaves few of them.

create table platform.usage_event_marks (
  id bigint not null generated always as identity,
  xid bigint not null default pg_current_xact_id()::text::bigint,
  bucket_hour timestamptz not null,
  shard smallint not null,
  constraint usage_event_marks_pk
    primary key (id),
  constraint usage_event_marks_bucket_hour_aligned_check
    check (bucket_hour = date_trunc('hour', bucket_hour, 'UTC')),
  constraint usage_event_marks_shard_range_check
    check (shard between 0 and 63)
);

comment on table platform.usage_event_marks is
  'Hours and shards of usage that changed and have yet to be rolled up; written by triggers, trimmed after every '
  'target has passed them.';
comment on column platform.usage_event_marks.id is
  'Order in which marks were written, which is not the order in which they were committed.';
comment on column platform.usage_event_marks.xid is
  'Transaction that made the change, as a bigint copy of its xid8; pg_visible_in_snapshot tells whether a snapshot '
  'holds it.';
comment on column platform.usage_event_marks.bucket_hour is 'Start of the hour (UTC) whose usage changed.';
comment on column platform.usage_event_marks.shard is
  'Shard of the organizations whose usage changed: platform.organization_shard(organization_id).';

create index usage_event_marks_xid_idx
  on platform.usage_event_marks (xid);

alter table platform.usage_event_marks
  enable row level security;

alter table platform.usage_event_marks
  force row level security;

create policy usage_event_marks_analytics
  on platform.usage_event_marks
  for select
  to plinth_analytics
  using (true);

create policy usage_event_marks_migrator
  on platform.usage_event_marks
  for all
  to plinth_migrator
  using (true)
  with check (true);

grant select
  on platform.usage_event_marks
  to plinth_analytics;

grant select, insert, update, delete, truncate
  on platform.usage_event_marks
  to plinth_migrator;

-- Tenants write events but may not see marks, which tell of other tenants: the triggers run with the rights of the
-- owner.
create function platform.mark_usage_events()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if tg_op = 'INSERT' then
    insert into platform.usage_event_marks (bucket_hour, shard)
    select distinct
      date_trunc('hour', occurred_at, 'UTC'),
      platform.organization_shard(organization_id)
    from new_rows;
  elsif tg_op = 'UPDATE' then
    -- An update may move an event to another hour or organization: both places change.
    insert into platform.usage_event_marks (bucket_hour, shard)
    select
      date_trunc('hour', occurred_at, 'UTC'),
      platform.organization_shard(organization_id)
    from old_rows
    union
    select
      date_trunc('hour', occurred_at, 'UTC'),
      platform.organization_shard(organization_id)
    from new_rows;
  elsif tg_op = 'DELETE' then
    insert into platform.usage_event_marks (bucket_hour, shard)
    select distinct
      date_trunc('hour', occurred_at, 'UTC'),
      platform.organization_shard(organization_id)
    from old_rows;
  else
    -- Truncate has no transition table; this runs before it, when the rows are still there.
    execute format(
      'insert into platform.usage_event_marks (bucket_hour, shard)
       select distinct
         date_trunc(''hour'', occurred_at, ''UTC''),
         platform.organization_shard(organization_id)
       from %I.%I',
      tg_table_schema,
      tg_table_name
    );
  end if;
  return null;
end
$function$;

comment on function platform.mark_usage_events() is
  'Statement trigger: marks every hour and shard whose usage events the statement inserts, updates, deletes or '
  'truncates.';

revoke all
  on function platform.mark_usage_events()
  from public;

create trigger usage_events_mark_insert
  after insert on platform.usage_events
  referencing new table as new_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_update
  after update on platform.usage_events
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_delete
  after delete on platform.usage_events
  referencing old table as old_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_truncate
  before truncate on platform.usage_events
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_insert
  after insert on platform.usage_events_default
  referencing new table as new_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_update
  after update on platform.usage_events_default
  referencing old table as old_rows new table as new_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_delete
  after delete on platform.usage_events_default
  referencing old table as old_rows
  for each statement
  execute function platform.mark_usage_events();

create trigger usage_events_mark_truncate
  before truncate on platform.usage_events_default
  for each statement
  execute function platform.mark_usage_events();
