-- The three roles that every service, job and migration works under, and the schema that holds the platform's tables.
--
-- Roles belong to the whole server, so another database may have made them already, or may be making them right now:
-- whoever comes second finds the name taken (42710) or loses the race for it (23505), and goes on with the role that is
-- there.

do $roles$
declare
  wanted record;
begin
  for wanted in
    select role_name, purpose
    from (values
      ('plinth_app', 'Services that act for one tenant at a time: the organization in the setting plinth.organization_id.'),
      ('plinth_analytics', 'Rollups and reports; reads every organization''s usage, never e-mails or secrets; writes nothing.'),
      ('plinth_migrator', 'Migrations, seeds, retention and repair; reads and writes every organization.')
    ) as roles (role_name, purpose)
    order by role_name
  loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = wanted.role_name) then
        execute format('create role %I nologin', wanted.role_name);
        execute format('comment on role %I is %L', wanted.role_name, wanted.purpose);
      end if;
    exception
      when duplicate_object or unique_violation then
        null;
    end;
  end loop;

  -- A role that was made by hand could carry attributes that switch row security off.
  for wanted in
    select rolname as role_name
    from pg_catalog.pg_roles
    where rolname in ('plinth_app', 'plinth_analytics', 'plinth_migrator')
      and (rolsuper or rolbypassrls)
    order by rolname
  loop
    raise exception using
      errcode = 'invalid_role_specification',
      message = format('The role %I would ignore row-level security.', wanted.role_name),
      detail = 'It has the attribute SUPERUSER or BYPASSRLS.',
      hint = format('Run: alter role %I nosuperuser nobypassrls;', wanted.role_name);
  end loop;

  -- Row security is forced on the owner too, so an owner that is not a superuser works through plinth_migrator.
  if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user)
    and not pg_catalog.pg_has_role(current_user, 'plinth_migrator', 'usage')
  then
    begin
      execute format('grant plinth_migrator to %I', current_user);
    exception
      when unique_violation then
        null;
      when insufficient_privilege then
        raise exception using
          errcode = 'insufficient_privilege',
          message = format('%I may not act as plinth_migrator.', current_user),
          detail = 'The role was made by somebody else, and the tables'' owner must be a member of it.',
          hint = format('Let an administrator run: grant plinth_migrator to %I;', current_user);
    end;
  end if;
end
$roles$;

create schema platform;

comment on schema platform is
  'Operational data of the platform, shared by its services: tenants, users, keys, models, usage and the audit log.';

grant usage
  on schema platform
  to plinth_app, plinth_analytics, plinth_migrator;
