-- The same shop, by the book: nothing waits for anything.
-- before
create table products (id bigint generated always as identity primary key, sku text not null, name text not null, price numeric(10,2), supplier_id bigint);
create table suppliers (id bigint generated always as identity primary key, name text not null);
-- rows
insert into suppliers (name) select 'supplier ' || i from generate_series(1, 20) i;
insert into products (sku, name, price, supplier_id) select 'S' || i, 'thing ' || i, i, 1 + i % 20 from generate_series(1, 500) i;
-- step 202601010900_name_index
-- expect: lock ShareUpdateExclusiveLock on public.products; quiet
create index concurrently products_name_idx on products (name);
-- step 202601010901_sku_index
-- expect: lock ShareUpdateExclusiveLock on public.products; quiet
create unique index concurrently products_sku_idx on products (sku);
-- step 202601010902_supplier_index
-- expect: lock ShareUpdateExclusiveLock on public.products; quiet
create index concurrently products_supplier_id_idx on products (supplier_id);
-- step 202601010903_constraints
-- expect: lock AccessExclusiveLock on public.products; quiet
alter table products add constraint products_sku_key unique using index products_sku_idx;
-- expect: quiet
set local lock_timeout = '2s';
-- expect: lock ShareRowExclusiveLock on public.products, ShareRowExclusiveLock on public.suppliers; quiet
alter table products add constraint products_supplier_id_fkey foreign key (supplier_id) references suppliers (id) not valid;
-- expect: quiet
alter table products add constraint products_price_present check (price is not null) not valid;
-- step 202601010904_validate
-- expect: lock ShareUpdateExclusiveLock on public.products; quiet
alter table products validate constraint products_supplier_id_fkey;
-- expect: quiet
alter table products validate constraint products_price_present;
-- step 202601010905_price_not_null
-- expect: lock AccessExclusiveLock on public.products; quiet
alter table products alter column price set not null;
-- expect: quiet
alter table products drop constraint products_price_present;
