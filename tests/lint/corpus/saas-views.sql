-- Views and rollups over tables with row security.
-- settings: {"tenantColumn":"organization_id"}
-- before
create table invoices (id bigint generated always as identity primary key, organization_id bigint not null, amount numeric(12,2) not null, issued_on date not null);
create index invoices_organization_id_idx on invoices (organization_id, issued_on);
alter table invoices enable row level security;
alter table invoices force row level security;
create view recent_invoices with (security_invoker = true) as select id, organization_id from invoices;
create policy tenant on invoices using (organization_id = current_setting('app.organization', true)::bigint) with check (organization_id = current_setting('app.organization', true)::bigint);
-- rows
insert into invoices (organization_id, amount, issued_on) select 1 + i % 5, i, date '2026-01-01' + i % 30 from generate_series(1, 300) i;
-- step 202601120001_views
-- expect: finds tenant-view-invoker
create view open_invoices as select id, organization_id, amount from invoices where amount > 0;
-- expect: quiet
create view late_invoices with (security_invoker = true) as select id, organization_id, amount from invoices where issued_on < current_date;
-- step 202601120002_rollup
-- expect: finds tenant-materialized-view
create materialized view invoice_days as select organization_id, issued_on, sum(amount) as total from invoices group by organization_id, issued_on;
-- expect: quiet
create unique index invoice_days_key on invoice_days (organization_id, issued_on);
-- step 202601120003_refresh
-- expect: lock AccessExclusiveLock on public.invoice_days; rewrite public.invoice_days; finds lock-refresh-nonconcurrent
refresh materialized view invoice_days;
-- step 202601120004_refresh_gently
-- expect: lock ExclusiveLock on public.invoice_days; quiet
refresh materialized view concurrently invoice_days;
-- step 202601120005_more
-- expect: lock AccessExclusiveLock on public.late_invoices; quiet
create or replace view late_invoices with (security_invoker = true) as select id, organization_id, amount, issued_on from invoices where issued_on < current_date;
-- expect: lock AccessExclusiveLock on public.recent_invoices; finds compat-view-change
drop view recent_invoices;
