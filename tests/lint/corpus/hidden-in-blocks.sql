-- What a text reader does not see: blocks, dynamic SQL and functions.
-- before
create table accounts (id bigint generated always as identity primary key, email text not null, note text, balance numeric(12,2) not null default 0);
create function add_ids() returns void language plpgsql as $$ begin alter table accounts add column token uuid not null default gen_random_uuid(); end $$;
create function hello() returns text language sql immutable as $$ select 'hello'::text $$;
-- rows
insert into accounts (email) select i || '@example.test' from generate_series(1, 200) i;
-- step 202601130001_in_block
-- expect: lock AccessExclusiveLock on public.accounts; rewrite public.accounts; finds rewrite-table
do $$ begin alter table accounts add column secret_id uuid default gen_random_uuid(); end $$;
-- step 202601130002_dynamic
-- expect: lock AccessExclusiveLock on public.accounts; finds data-drop-column
do $$ begin execute 'alter table ' || 'accounts' || ' drop column note'; end $$;
-- step 202601130003_function
-- expect: lock AccessExclusiveLock on public.accounts; rewrite public.accounts; finds rewrite-table
select add_ids();
-- step 202601130004_block_index
-- expect: lock ShareLock on public.accounts; finds lock-index-nonconcurrent
do $$ begin execute format('create index on %I (email)', 'accounts'); end $$;
-- step 202601130005_harmless_block
-- expect: quiet
do $$ begin raise notice 'nothing happens'; end $$;
-- expect: quiet
do $$ begin perform count(*) from accounts; end $$;
-- expect: quiet
select hello();
-- expect: quiet
do $$ begin create table fresh (id bigint primary key, email text); create index fresh_email_idx on fresh (email); end $$;
-- step 202601130006_loop
-- expect: lock AccessExclusiveLock on public.accounts; finds lock-hidden-work
do $$ declare c text; begin foreach c in array array['email'] loop execute format('alter table accounts add constraint %I check (length(%I) > 0)', 'accounts_' || c || '_check', c); end loop; end $$;
