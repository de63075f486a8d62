-- What is known of people, with a manifest beside it.
-- classes: {"public.persons":{"id":{"class":"public"},"name":{"class":"internal"}}}
-- before
create table persons (id bigint generated always as identity primary key, name text not null);
-- rows
insert into persons (name) select 'p' || i from generate_series(1, 20) i;
-- step 202603110001_birthday
-- expect: lock AccessExclusiveLock on public.persons; finds governance-unclassified
alter table persons add column born_on date;
-- step 202603110002_renamed_constraint
-- expect: lock AccessExclusiveLock on public.persons; quiet
alter table persons add constraint persons_name_check check (name <> '') not valid;
-- step 202603110003_validated
-- expect: lock ShareUpdateExclusiveLock on public.persons; quiet
alter table persons validate constraint persons_name_check;
