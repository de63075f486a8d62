-- Marks without names mean all organizations of their shard, so nothing that was marked is missed.

create or replace function platform.mark_usage_events()
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

alter table platform.usage_event_marks
  drop column organizations;
