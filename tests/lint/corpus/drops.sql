-- Things go.
-- before
create schema legacy;
create table legacy.things (id bigint primary key, note text);
create table parts (id bigint generated always as identity primary key, name text not null, color text, weight int default 5);
create table usages (id bigint generated always as identity primary key, part_id bigint not null references parts (id));
create index usages_part_id_idx on usages (part_id);
create view red_parts as select id, name from parts where color = 'red';
create function part_name(bigint) returns text language sql stable as $$ select name from parts where id = $1 $$;
create function unused(int) returns int language sql immutable as $$ select $1 $$;
create sequence leftover_seq;
-- rows
insert into legacy.things select i, 'n' from generate_series(1, 30) i;
insert into parts (name, color) select 'p' || i, 'red' from generate_series(1, 30) i;
insert into usages (part_id) select i from generate_series(1, 30) i;
-- step 202602120001_schema
-- expect: lock AccessExclusiveLock on legacy.things; finds data-drop-schema
drop schema legacy cascade;
-- step 202602120002_column
-- expect: lock AccessExclusiveLock on public.parts; finds data-drop-column
alter table parts drop column weight;
-- step 202602120003_cascade
-- expect: lock AccessExclusiveLock on public.parts, AccessExclusiveLock on public.red_parts; finds data-cascade, data-drop-column
alter table parts drop column color cascade;
-- step 202602120004_function
-- expect: finds compat-routine-change
drop function unused(int);
-- step 202602120005_sequence
-- expect: quiet
drop sequence leftover_seq;
-- step 202602120006_default
-- expect: lock AccessExclusiveLock on public.usages; quiet
alter table usages alter column part_id drop not null;
-- step 202602120007_table
-- expect: lock AccessExclusiveLock on public.parts, AccessExclusiveLock on public.usages; finds data-cascade, data-drop-table
drop table parts cascade;
-- step 202602120008_own
-- expect: quiet
create table passing (id bigint primary key);
-- expect: quiet
drop table passing;
-- expect: quiet
drop table if exists never_there;
