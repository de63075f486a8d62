-- Names change under the feet of programs.
-- before
create schema billing;
create table clients (id bigint generated always as identity primary key, title text not null, constraint clients_title_check check (title <> ''));
create table billing.bills (id bigint generated always as identity primary key, total numeric(10,2) not null);
create view client_titles as select id, title from clients;
create sequence spare_numbers;
-- rows
insert into clients (title) select 'c' || i from generate_series(1, 50) i;
-- step 202602110001_column
-- expect: lock AccessExclusiveLock on public.clients; finds compat-rename-column
alter table clients rename column title to name;
-- step 202602110002_table
-- expect: lock AccessExclusiveLock on public.clients; finds compat-rename-table
alter table clients rename to customers;
-- step 202602110003_schema
-- expect: finds compat-rename-schema
alter schema billing rename to invoicing;
-- step 202602110004_move
-- expect: lock AccessExclusiveLock on invoicing.bills; finds compat-rename-table
alter table invoicing.bills set schema public;
-- step 202602110005_view
-- expect: lock AccessExclusiveLock on public.client_titles; finds compat-rename-table
alter view client_titles rename to customer_titles;
-- step 202602110006_harmless
-- expect: lock AccessExclusiveLock on public.customers; quiet
alter table customers rename constraint clients_title_check to customers_title_check;
-- expect: quiet
alter index clients_pkey rename to customers_pkey;
-- expect: quiet
create table drafts (id bigint generated always as identity primary key, boddy text);
-- expect: quiet
alter table drafts rename column boddy to body;
-- expect: quiet
alter table drafts rename to sketches;
