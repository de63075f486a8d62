-- Versioned SQL files with a transaction of their own.
-- before
create table accounts (id bigint generated always as identity primary key, owner text not null, opened_on date not null default current_date);
-- rows
insert into accounts (owner) select 'o' || i from generate_series(1, 60) i;
-- step 202603030001_wrapped
begin;
-- expect: lock AccessExclusiveLock on public.accounts; quiet
alter table accounts add column closed_on date;
-- expect: lock ShareLock on public.accounts; finds lock-index-nonconcurrent
create index accounts_owner_idx on accounts (owner);
commit;
-- step 202603030002_concurrently_wrapped
begin;
-- expect: fails; finds lock-concurrently-in-transaction
create index concurrently accounts_opened_on_idx on accounts (opened_on);
commit;
