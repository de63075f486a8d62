-- Foreign keys of tables that come with them.
-- before
create table customers (id bigint generated always as identity primary key, name text not null);
-- rows
insert into customers (name) select 'c' || i from generate_series(1, 100) i;
-- step 202602050001_addresses
-- expect: lock ShareRowExclusiveLock on public.customers; quiet
create table addresses (id bigint generated always as identity primary key, customer_id bigint not null constraint addresses_customer_id_fkey references customers (id), line text not null);
-- expect: quiet
create index addresses_customer_id_idx on addresses (customer_id);
-- expect: finds index-foreign-key
create table phones (id bigint generated always as identity primary key, customer_id bigint not null constraint phones_customer_id_fkey references customers (id), number text not null);
-- expect: quiet
create table preferences (customer_id bigint primary key constraint preferences_customer_id_fkey references customers (id), dark boolean not null default false);
-- expect: quiet
create table friendships (
  customer_id bigint not null constraint friendships_customer_id_fkey references customers (id),
  friend_id bigint not null constraint friendships_friend_id_fkey references customers (id),
  constraint friendships_pkey primary key (customer_id, friend_id)
);
-- expect: quiet
create index friendships_friend_id_idx on friendships (friend_id);
-- expect: quiet
insert into preferences (customer_id) select id from customers where id < 10;
