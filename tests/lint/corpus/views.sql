-- Views grow and shrink.
-- before
create table staff (id bigint generated always as identity primary key, name text not null, desk text);
create view staff_list as select id, name from staff;
create materialized view staff_count as select count(*) as n from staff;
-- rows
insert into staff (name) select 's' || i from generate_series(1, 40) i;
-- step 202602130001_grow
-- expect: lock AccessExclusiveLock on public.staff_list; quiet
create or replace view staff_list as select id, name, desk from staff;
-- step 202602130002_new
-- expect: quiet
create view desks as select distinct desk from staff;
-- expect: quiet
create view names as select name from staff;
-- expect: quiet
comment on view names is 'Who works here.';
-- expect: quiet
grant select on names to pg_monitor;
-- step 202602130003_shrink
-- expect: lock AccessExclusiveLock on public.staff_list; finds compat-view-change
drop view staff_list;
-- expect: quiet
create view staff_list as select id from staff;
-- step 202602130004_materialized
-- expect: lock AccessExclusiveLock on public.staff_count; rewrite public.staff_count; finds lock-refresh-nonconcurrent
refresh materialized view staff_count;
-- step 202602130005_drop
-- expect: lock AccessExclusiveLock on public.staff_count; finds compat-view-change
drop materialized view staff_count;
