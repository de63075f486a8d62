-- Defaults that differ by row, and those that do not.
-- before
create sequence tickets_seq;
create table tickets (id bigint generated always as identity primary key, title text not null);
create function next_code() returns text language plpgsql volatile as $$ begin return md5(random()::text); end $$;
create function house_style() returns text language sql stable as $$ select current_setting('server_version') $$;
-- rows
insert into tickets (title) select 't' || i from generate_series(1, 200) i;
-- step 202602080001_constant
-- expect: lock AccessExclusiveLock on public.tickets; quiet
alter table tickets add column state text not null default 'open';
-- expect: quiet
alter table tickets add column opened_at timestamptz default current_timestamp;
-- expect: quiet
alter table tickets add column due_at timestamptz default now() + interval '3 days';
-- expect: quiet
alter table tickets add column style text default house_style();
-- expect: quiet
alter table tickets alter column title set default 'untitled';
-- step 202602080002_random
-- expect: lock AccessExclusiveLock on public.tickets; rewrite public.tickets; finds rewrite-volatile-default
alter table tickets add column draw double precision default random();
-- step 202602080003_code
-- expect: lock AccessExclusiveLock on public.tickets; rewrite public.tickets; finds rewrite-volatile-default
alter table tickets add column code text default next_code();
-- step 202602080004_sequence
-- expect: lock AccessExclusiveLock on public.tickets; rewrite public.tickets; finds rewrite-volatile-default
alter table tickets add column number bigint default nextval('tickets_seq');
-- step 202602080005_later
-- expect: lock AccessExclusiveLock on public.tickets; quiet
alter table tickets add column token uuid;
-- expect: quiet
alter table tickets alter column token set default gen_random_uuid();
