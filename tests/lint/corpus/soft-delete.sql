-- Rows that are marked as gone.
-- before
create table coupons (id bigint generated always as identity primary key, code text not null, deleted_at timestamptz);
create table campaigns (id bigint generated always as identity primary key, name text not null);
-- rows
insert into coupons (code) select 'c' || i from generate_series(1, 80) i;
-- step 202603140001_unique
-- expect: lock ShareUpdateExclusiveLock on public.coupons; quiet
create unique index concurrently coupons_code_key on coupons (code);
-- step 202603140002_partial
-- expect: lock ShareUpdateExclusiveLock on public.coupons; quiet
create unique index concurrently coupons_live_code_key on coupons (code) where deleted_at is null;
-- step 202603140003_flag
-- expect: lock AccessExclusiveLock on public.campaigns; quiet
alter table campaigns add column deleted_at timestamptz;
-- step 202603140004_purge
-- expect: quiet
delete from coupons where deleted_at < now() - interval '1 year';
