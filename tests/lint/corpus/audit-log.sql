-- An audit log, filled by triggers.
-- before
create table documents (id bigint generated always as identity primary key, title text not null);
create table log (id bigint generated always as identity primary key, at timestamptz not null default now(), what text not null);
create function write_log() returns trigger language plpgsql as $$ begin insert into log (what) values (tg_op); return null; end $$;
create trigger documents_log after insert on documents for each row execute function write_log();
-- rows
insert into documents (title) select 'd' || i from generate_series(1, 50) i;
-- step 202603010001_trigger
-- expect: lock ShareRowExclusiveLock on public.documents; quiet
create trigger documents_log_delete after delete on documents for each row execute function write_log();
-- step 202603010002_off
-- expect: lock ShareRowExclusiveLock on public.documents; finds data-disable-trigger
alter table documents disable trigger documents_log;
-- step 202603010003_insert
-- expect: quiet
insert into documents (title) values ('fresh');
-- step 202603010004_replace
-- expect: quiet
create or replace function write_log() returns trigger language plpgsql as $$ begin insert into log (what) values (lower(tg_op)); return null; end $$;
-- step 202603010005_replica
-- expect: finds security-trigger-bypass
set session_replication_role = replica;
