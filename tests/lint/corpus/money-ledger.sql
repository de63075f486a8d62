-- A ledger.
-- before
create table ledgers (id bigint generated always as identity primary key, currency text not null);
create table entries (id bigint generated always as identity primary key, ledger_id bigint not null references ledgers (id), amount numeric(14,2) not null, booked_at timestamptz not null default now());
create index entries_ledger_id_idx on entries (ledger_id);
create table old_entries (id bigint primary key, memo text);
-- rows
insert into ledgers (currency) values ('EUR'), ('USD');
insert into entries (ledger_id, amount) select 1 + i % 2, i from generate_series(1, 400) i;
insert into old_entries select i, 'm' from generate_series(1, 10) i;
-- step 202601170001_fees
-- expect: finds type-float-money
create table fees (id bigint generated always as identity primary key, amount double precision not null);
-- expect: finds type-money
create table tips (id bigint generated always as identity primary key, amount money not null);
-- expect: quiet
create table taxes (id bigint generated always as identity primary key, amount numeric(14,2) not null, rate double precision);
-- step 202601170002_scale
-- expect: lock AccessExclusiveLock on public.entries; rewrite public.entries; finds rewrite-column-type
alter table entries alter column amount type numeric(18,4);
-- step 202601170003_wider
-- expect: lock AccessExclusiveLock on public.entries; quiet
alter table entries alter column amount type numeric(22,4);
-- step 202601170004_clean
-- expect: finds data-delete-all
delete from entries;
-- expect: finds data-update-all
update ledgers set currency = upper(currency);
-- expect: lock AccessExclusiveLock on public.old_entries; finds data-truncate
truncate old_entries;
-- step 202601170005_drop
-- expect: lock AccessExclusiveLock on public.old_entries; finds data-drop-table
drop table old_entries;
-- step 202601170006_fine
-- expect: quiet
update ledgers set currency = 'EUR' where currency = 'eur';
-- expect: quiet
delete from entries where amount = 0;
-- expect: quiet
insert into ledgers (currency) values ('CHF');
