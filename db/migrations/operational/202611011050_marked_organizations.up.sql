-- A mark names the organizations that changed in its hour and shard, where they are few, so that a rollup reads and replaces what is
-- theirs rather than the whole cell: late events spread over a year would otherwise have most days of it computed anew. Where they are
-- many it names none and means all of the shard, as marks without names always did. The number of marks stays the same, and the
-- shard is computed for each organization rather than for each event.

alter table platform.usage_event_marks
  add column organizations uuid[];

comment on column platform.usage_event_marks.organizations is
  'The organizations whose usage changed in this hour and shard, where they are few; null: any of the shard.';

create or replace function platform.mark_usage_events()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if tg_op = 'INSERT' then
    insert into platform.usage_event_marks (bucket_hour, shard, organizations)
    select
      bucket_hour,
      platform.organization_shard(organization_id),
      case when count(*) <= 8 then array_agg(organization_id) end
    from (select distinct date_trunc('hour', occurred_at, 'UTC') as bucket_hour, organization_id from new_rows) as changed
    group by 1, 2;
  elsif tg_op = 'UPDATE' then
    -- An update may move an event to another hour or organization: both places change.
    insert into platform.usage_event_marks (bucket_hour, shard, organizations)
    select
      bucket_hour,
      platform.organization_shard(organization_id),
      case when count(*) <= 8 then array_agg(organization_id) end
    from (
      select date_trunc('hour', occurred_at, 'UTC') as bucket_hour, organization_id from old_rows
      union
      select date_trunc('hour', occurred_at, 'UTC') as bucket_hour, organization_id from new_rows
    ) as changed
    group by 1, 2;
  elsif tg_op = 'DELETE' then
    insert into platform.usage_event_marks (bucket_hour, shard, organizations)
    select
      bucket_hour,
      platform.organization_shard(organization_id),
      case when count(*) <= 8 then array_agg(organization_id) end
    from (select distinct date_trunc('hour', occurred_at, 'UTC') as bucket_hour, organization_id from old_rows) as changed
    group by 1, 2;
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
  'truncates, and the organizations where they are few.';
