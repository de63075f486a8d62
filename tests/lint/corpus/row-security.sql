-- Row security comes and goes.
-- before
create table files (id bigint generated always as identity primary key, owner text not null, path text not null);
alter table files enable row level security;
create policy own on files using (owner = current_user) with check (owner = current_user);
create table shares (id bigint generated always as identity primary key, owner text not null);
-- rows
insert into files (owner, path) select 'postgres', '/' || i from generate_series(1, 50) i;
-- step 202603080001_on
-- expect: lock AccessExclusiveLock on public.shares; quiet
create policy own on shares using (owner = current_user) with check (owner = current_user);
-- expect: quiet
alter table shares enable row level security;
-- step 202603080002_off
-- expect: lock AccessExclusiveLock on public.files; finds data-drop-policy
drop policy own on files;
-- step 202603080003_disable
-- expect: lock AccessExclusiveLock on public.shares; finds data-disable-row-security, tenant-row-security
alter table shares disable row level security;
-- step 202603080004_rename
-- expect: lock AccessExclusiveLock on public.files; quiet
create policy own on files using (owner = current_user) with check (owner = current_user);
-- expect: quiet
alter policy own on files rename to files_own;
