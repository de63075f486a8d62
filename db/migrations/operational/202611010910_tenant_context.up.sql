-- What every table of the platform leans on: who the tenant is, where a tenant's usage is counted, and the triggers
-- that keep a row honest. Bodies written as `return` are bound when they are created, so no search_path can lead them
-- astray, and the planner can still inline them; everything else sets its search_path, with pg_temp last.

-- A session without a tenant, or with one that is no uuid, has no tenant: policies then match no row. A cast that
-- failed would instead show the value in an error. The nil uuid names the platform's own audit chain and can never be a
-- tenant.
create function platform.current_organization_id()
  returns uuid
  language sql
  stable
  parallel safe
  return case
    when current_setting('plinth.organization_id', true) ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
      then nullif(current_setting('plinth.organization_id', true)::uuid, '00000000-0000-0000-0000-000000000000'::uuid)
  end;

comment on function platform.current_organization_id() is
  'The tenant of this session: the setting plinth.organization_id as a uuid; null when it is unset, empty or no uuid.';

create function platform.organization_shard(organization_id uuid)
  returns smallint
  language sql
  immutable
  strict
  parallel safe
  return (get_byte(uuid_send(organization_id), 15) & 63)::smallint;

comment on function platform.organization_shard(uuid) is
  'The shard, 0 to 63, in which an organization''s usage is counted: the low six bits of its id. It never changes.';

create function platform.touch_updated_at()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $function$
begin
  new.updated_at := now();
  return new;
end
$function$;

comment on function platform.touch_updated_at() is
  'Row trigger: stamps updated_at with the time of the transaction that changes the row.';

create function platform.refuse_column_change()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $function$
begin
  raise exception using
    errcode = 'check_violation',
    message = format('%I.%I.%I is immutable.', tg_table_schema, tg_table_name, tg_argv[0]),
    detail = 'The value is written once, when the row is inserted; others refer to it.',
    hint = tg_argv[1],
    schema = tg_table_schema,
    table = tg_table_name,
    column = tg_argv[0],
    constraint = format('%s_%s_immutable', tg_table_name, tg_argv[0]);
end
$function$;

comment on function platform.refuse_column_change() is
  'Row trigger (column, hint): refuses a change of an immutable column with check_violation and '
  '<table>_<column>_immutable.';

create function platform.refuse_row_change()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $function$
begin
  raise exception using
    errcode = 'restrict_violation',
    message = format('%I.%I is append-only: %s is refused.', tg_table_schema, tg_table_name, lower(tg_op)),
    detail = 'Its rows are history; they are neither changed nor removed, not even by the owner of the table.',
    hint = tg_argv[0],
    schema = tg_table_schema,
    table = tg_table_name,
    constraint = format('%s_append_only', tg_table_name);
end
$function$;

comment on function platform.refuse_row_change() is
  'Statement trigger (hint): refuses update, delete and truncate with restrict_violation and <table>_append_only.';

revoke all
  on function
    platform.current_organization_id(),
    platform.organization_shard(uuid),
    platform.touch_updated_at(),
    platform.refuse_column_change(),
    platform.refuse_row_change()
  from public;

grant execute
  on function
    platform.current_organization_id(),
    platform.organization_shard(uuid)
  to plinth_app, plinth_analytics, plinth_migrator;
