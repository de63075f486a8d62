-- States of an order.
-- before
create type order_state as enum ('new', 'paid', 'sent');
create table orders (id bigint generated always as identity primary key, state order_state not null default 'new');
-- rows
insert into orders (state) select 'paid' from generate_series(1, 100);
-- step 202601190001_value
-- expect: quiet
alter type order_state add value 'lost';
-- step 202601190002_rename
-- expect: finds compat-rename-enum-value
alter type order_state rename value 'sent' to 'shipped';
-- step 202601190003_swap
-- expect: quiet
create type order_state_next as enum ('new', 'paid', 'shipped', 'lost', 'back');
-- expect: lock AccessExclusiveLock on public.orders; quiet
alter table orders alter column state drop default;
-- expect: lock ShareLock on public.orders; rewrite public.orders; finds rewrite-column-type
alter table orders alter column state type order_state_next using state::text::order_state_next;
-- expect: quiet
alter table orders alter column state set default 'new';
-- expect: quiet
drop type order_state;
-- step 202601190004_used
-- expect: quiet
alter type order_state_next add value 'returned';
-- expect: quiet
insert into orders (state) values ('returned');
