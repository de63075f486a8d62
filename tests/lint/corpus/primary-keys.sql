-- A table gets, changes and loses its primary key.
-- before
create table places (id bigint not null, code text, name text not null);
create unique index places_code_idx on places (code);
create unique index places_id_idx on places (id);
create table spots (id bigint primary key, place text);
create table marks (id bigint not null, place text);
-- rows
insert into places select i, 'c' || i, 'n' from generate_series(1, 200) i;
insert into spots select i, 'p' from generate_series(1, 200) i;
insert into marks select i, 'p' from generate_series(1, 200) i;
-- step 202602020001_using_index
-- expect: lock AccessExclusiveLock on public.places; quiet
alter table places add constraint places_pkey primary key using index places_id_idx;
-- step 202602020002_direct
-- expect: lock AccessExclusiveLock on public.marks; finds lock-unique-constraint
alter table marks add constraint marks_pkey primary key (id);
-- step 202602020003_lose
-- expect: lock AccessExclusiveLock on public.spots; finds data-drop-primary-key, index-primary-key
alter table spots drop constraint spots_pkey;
-- step 202602020004_nullable
-- expect: lock AccessExclusiveLock on public.places; quiet
alter table places drop constraint places_pkey;
-- expect: finds lock-primary-key-nullable
alter table places add constraint places_pkey primary key using index places_code_idx;
