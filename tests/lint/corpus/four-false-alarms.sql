-- What text linters cry wolf about.
-- before
create table users (id bigint generated always as identity primary key, name varchar(20) not null, code varchar(8));
create function fixed_plan() returns text language plpgsql immutable as $$ begin return 'free'; end $$;
create function volatile_but_inlined() returns int language sql volatile as $$ select 7 $$;
-- rows
insert into users (name) select 'n' || i from generate_series(1, 300) i;
-- step 202601140001_quiet
-- expect: lock AccessExclusiveLock on public.users; quiet
alter table users add column created_at timestamptz not null default now();
-- expect: quiet
alter table users alter column name type varchar(200);
-- expect: quiet
alter table users alter column code type text;
-- expect: quiet
alter table users add column plan text not null default fixed_plan();
-- expect: quiet
alter table users add column lucky int not null default volatile_but_inlined();
-- step 202601140002_new_table
-- expect: lock ShareRowExclusiveLock on public.users; quiet
create table sessions (id bigint generated always as identity primary key, user_id bigint not null constraint sessions_user_id_fkey references users (id), seen_at timestamptz);
-- expect: quiet
create index sessions_user_id_idx on sessions (user_id);
-- expect: quiet
alter table sessions alter column seen_at set not null;
-- expect: quiet
alter table sessions add constraint sessions_seen_at_check check (seen_at > '2020-01-01');
-- expect: lock AccessExclusiveLock on public.users; rewrite public.users; finds rewrite-volatile-default
alter table users add column touched_at timestamptz not null default clock_timestamp();
