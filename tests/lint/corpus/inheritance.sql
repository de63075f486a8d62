-- Tables that inherit, and several tables in one transaction.
-- before
create table vehicles (id bigint generated always as identity primary key, wheels int);
create table trucks (load int) inherits (vehicles);
create table ramps (id bigint generated always as identity primary key);
-- rows
insert into vehicles (wheels) select 4 from generate_series(1, 50);
insert into trucks (id, wheels, load) select i, 6, 10 from generate_series(1, 50) i;
-- step 202603130001_column
-- expect: lock AccessExclusiveLock on public.trucks, AccessExclusiveLock on public.vehicles; quiet
alter table vehicles add column plate text;
-- step 202603130002_not_null
-- expect: lock AccessExclusiveLock on public.trucks, AccessExclusiveLock on public.vehicles; finds lock-set-not-null
alter table vehicles alter column wheels set not null;
-- step 202603130003_several
-- expect: lock AccessExclusiveLock on public.ramps; quiet
alter table ramps add column height int;
-- expect: lock AccessExclusiveLock on public.trucks; quiet
alter table trucks add column axles int;
-- step 202603130004_twice
-- expect: lock AccessExclusiveLock on public.trucks, AccessExclusiveLock on public.vehicles; finds lock-check-validation
alter table vehicles add constraint vehicles_wheels_check check (wheels > 0);
-- step 202603130005_child
-- expect: lock ShareUpdateExclusiveLock on public.vehicles; quiet
create table vans (doors int, constraint vans_pkey primary key (id)) inherits (vehicles);
