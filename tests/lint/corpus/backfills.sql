-- Values are filled in afterwards.
-- before
create table people (id bigint generated always as identity primary key, first_name text not null, last_name text not null, full_name text, region text);
-- rows
insert into people (first_name, last_name) select 'f' || i, 'l' || i from generate_series(1, 200) i;
-- step 202603020001_all
-- expect: finds data-update-all
update people set full_name = first_name || ' ' || last_name;
-- step 202603020002_some
-- expect: quiet
update people set region = 'west' where id % 2 = 0 and region is null;
-- step 202603020003_tautology
-- expect: finds data-update-all
update people set region = 'east' where 1 = 1;
-- step 202603020004_with_schema
-- expect: lock AccessExclusiveLock on public.people; quiet
alter table people add column initials text;
-- expect: finds lock-held-while-working
update people set initials = left(first_name, 1) || left(last_name, 1) where initials is null;
-- step 202603020005_copy
-- expect: quiet
create table regions (name text primary key);
-- expect: quiet
insert into regions select distinct region from people where region is not null;
-- expect: quiet
update regions set name = upper(name);
