-- A shop begins to keep stock, with plain SQL as Flyway runs it.
-- before
create table products (id bigint generated always as identity primary key, sku text not null, name text not null, price numeric(10,2) not null);
create table orders (id bigint generated always as identity primary key, product_id bigint not null references products (id), quantity int not null, placed_at timestamptz not null default now());
create index orders_product_id_idx on orders (product_id);
-- rows
insert into products (sku, name, price) select 'S' || i, 'thing ' || i, i from generate_series(1, 200) i;
insert into orders (product_id, quantity) select 1 + i % 200, 1 from generate_series(1, 1000) i;
-- step 202601010900_stock
-- expect: quiet
create table warehouses (
  id bigint generated always as identity primary key,
  code text not null constraint warehouses_code_key unique
);
-- expect: lock ShareRowExclusiveLock on public.products; quiet
create table stock (
  product_id bigint not null constraint stock_product_id_fkey references products (id),
  warehouse_id bigint not null constraint stock_warehouse_id_fkey references warehouses (id),
  on_hand int not null default 0 constraint stock_on_hand_check check (on_hand >= 0),
  constraint stock_pkey primary key (product_id, warehouse_id)
);
-- expect: quiet
create index stock_warehouse_id_idx on stock (warehouse_id);
-- expect: lock AccessExclusiveLock on public.products; quiet
alter table products add column weight_grams int;
-- expect: quiet
alter table products add column archived boolean not null default false;
-- expect: quiet
alter table products add column listed_at timestamptz not null default now();
-- expect: lock ShareLock on public.products; rewrite public.products; finds rewrite-volatile-default
alter table products add column public_id uuid not null default gen_random_uuid();
-- step 202601020900_search
-- expect: lock ShareLock on public.products; finds lock-index-nonconcurrent
create index products_name_idx on products (name);
-- expect: lock AccessExclusiveLock on public.products; finds lock-unique-constraint
alter table products add constraint products_sku_key unique (sku);
-- expect: finds lock-held-while-working
update products set archived = true where price > 150;
