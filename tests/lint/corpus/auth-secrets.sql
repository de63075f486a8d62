-- Signing in.
-- before
create table users (id bigint generated always as identity primary key, email text not null unique);
-- rows
insert into users (email) select i || '@example.test' from generate_series(1, 50) i;
-- step 202601180001_credentials
-- expect: lock ShareRowExclusiveLock on public.users; finds security-plaintext-password
create table credentials (user_id bigint primary key constraint credentials_user_id_fkey references users (id), password text not null);
-- expect: quiet
create table logins (user_id bigint primary key constraint logins_user_id_fkey references users (id), password_hash text not null, changed_at timestamptz not null default now());
-- expect: lock AccessExclusiveLock on public.users; finds security-plaintext-secret
alter table users add column api_key text;
-- expect: quiet
alter table users add column api_key_hash bytea;
-- expect: quiet
alter table users add column password_changed_at timestamptz;
-- step 202601180002_functions
-- expect: finds security-definer-path, security-definer-public
create function who() returns text language sql security definer as $$ select current_user::text $$;
-- expect: quiet
create function calm_who() returns text language sql security definer set search_path = pg_catalog as $$ select current_user::text $$;
-- expect: quiet
revoke execute on function calm_who() from public;
-- expect: quiet
create function plain_who() returns text language sql as $$ select current_user::text $$;
-- step 202601180003_grants
-- expect: finds security-grant-public
grant select on users to public;
-- expect: finds security-grant-all
grant all on users to pg_monitor;
-- expect: quiet
grant select on users to pg_monitor;
-- expect: finds security-inserted-secret
insert into credentials (user_id, password) select 1, 'Tr0ub4dor&3-horse' where exists (select from users where id = 1);
