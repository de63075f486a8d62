drop schema platform;

-- Roles are shared with the server's other databases, and with the logins that were made members of them. What somebody
-- still needs stays; a role that stays costs nothing, and the next up uses it again.
do $roles$
declare
  unwanted text;
begin
  foreach unwanted in array array['plinth_analytics', 'plinth_app', 'plinth_migrator']
  loop
    if exists (
      select
      from pg_catalog.pg_auth_members as membership
      join pg_catalog.pg_roles as granted on granted.oid = membership.roleid
      join pg_catalog.pg_roles as member on member.oid = membership.member
      where granted.rolname = unwanted
        and member.rolname <> current_user
    ) then
      raise notice 'The role % has members and stays.', unwanted;
      continue;
    end if;
    begin
      execute format('drop role if exists %I', unwanted);
    exception
      when dependent_objects_still_exist or object_in_use or insufficient_privilege or undefined_object then
        raise notice 'The role % is needed elsewhere on this server and stays.', unwanted;
    end;
  end loop;
end
$roles$;
