-- Extensions, rights and comments.
-- before
create table readings (id bigint generated always as identity primary key, value double precision not null);
create function total() returns double precision language sql stable as $$ select sum(value) from readings $$;
-- rows
insert into readings (value) select i from generate_series(1, 50) i;
-- step 202603090001_rights
-- expect: quiet
grant select, insert on readings to pg_monitor;
-- expect: quiet
revoke insert on readings from pg_monitor;
-- expect: quiet
grant execute on function total() to pg_monitor;
-- expect: lock ShareUpdateExclusiveLock on public.readings; quiet
comment on column readings.value is 'Degrees.';
-- step 202603090002_public
-- expect: finds security-grant-public
grant insert on readings to public;
-- expect: finds security-grant-all
grant all privileges on all tables in schema public to pg_monitor;
-- step 202603090003_default_rights
-- expect: finds security-grant-public
alter default privileges in schema public grant select on tables to public;
-- expect: quiet
alter default privileges in schema public revoke execute on functions from public;
