-- A not null that is validated later, as PostgreSQL 18 has it.
-- since: 18
-- before
create table guests (id bigint generated always as identity primary key, name text, room int, floor int);
-- rows
insert into guests (name, room) select 'g' || i, i from generate_series(1, 60) i;
-- step 202603160001_later
-- expect: lock AccessExclusiveLock on public.guests; quiet
alter table guests add constraint guests_name_not_null not null name not valid;
-- step 202603160002_validate
-- expect: lock ShareUpdateExclusiveLock on public.guests; quiet
alter table guests validate constraint guests_name_not_null;
-- step 202603160003_now
-- expect: lock AccessExclusiveLock on public.guests; finds lock-set-not-null
alter table guests add constraint guests_room_not_null not null room;
-- step 202603160004_virtual
-- expect: lock AccessExclusiveLock on public.guests; quiet
alter table guests add column next_room int generated always as (room + 1) virtual;
