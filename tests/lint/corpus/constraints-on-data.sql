-- Constraints arrive at tables that have rows.
-- before
create table members (id bigint generated always as identity primary key, email text not null, age int, team_id bigint, city text);
create table teams (id bigint generated always as identity primary key, name text not null);
create table bookings (id bigint generated always as identity primary key, room int not null, during tstzrange not null);
-- rows
insert into teams (name) select 't' || i from generate_series(1, 10) i;
insert into members (email, age, team_id, city) select i || '@example.test', 30, 1 + i % 10, 'Bern' from generate_series(1, 300) i;
insert into bookings (room, during) select i, tstzrange('2026-01-01', '2026-01-02') from generate_series(1, 50) i;
-- step 202602010001_check
-- expect: lock AccessExclusiveLock on public.members; finds lock-check-validation
alter table members add constraint members_age_check check (age >= 0);
-- step 202602010002_foreign_key
-- expect: lock ShareRowExclusiveLock on public.members, ShareRowExclusiveLock on public.teams; finds index-foreign-key, lock-foreign-key-validation
alter table members add constraint members_team_id_fkey foreign key (team_id) references teams (id);
-- step 202602010003_not_null
-- expect: lock AccessExclusiveLock on public.members; finds lock-set-not-null
alter table members alter column city set not null;
-- step 202602010004_two_in_one
-- expect: lock AccessExclusiveLock on public.members; quiet
alter table members add constraint members_email_check check (position('@' in email) > 1) not valid;
-- expect: lock ShareUpdateExclusiveLock on public.members; finds lock-validate-in-transaction
alter table members validate constraint members_email_check;
-- step 202602010005_exclusion
-- expect: lock AccessExclusiveLock on public.bookings; finds lock-exclusion-constraint
alter table bookings add constraint bookings_during_excl exclude using gist (during with &&) where (room < 0);
-- step 202602010006_loosen
-- expect: lock AccessExclusiveLock on public.members; quiet
alter table members alter column city drop not null;
-- expect: quiet
alter table members alter column city set default 'Bern';
-- expect: quiet
alter table members drop constraint members_age_check;
-- expect: finds constraint-always-true, lock-check-validation
alter table members add constraint members_nothing_check check (true);
