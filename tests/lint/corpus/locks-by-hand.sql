-- Locks that nobody needs, and settings around them.
-- before
create table queue (id bigint generated always as identity primary key, payload jsonb not null, done boolean not null default false);
-- rows
insert into queue (payload) select '{}' from generate_series(1, 100);
-- step 202603050001_lock
-- expect: lock AccessExclusiveLock on public.queue; finds lock-explicit
lock table queue in access exclusive mode;
-- step 202603050002_gentle
-- expect: quiet
set local lock_timeout = '3s';
-- expect: quiet
select count(*) from queue where not done;
-- expect: lock AccessExclusiveLock on public.queue; quiet
alter table queue add column attempts int not null default 0;
-- step 202603050003_forever
-- expect: finds lock-timeout-disabled
set local lock_timeout = 0;
-- expect: lock AccessExclusiveLock on public.queue; quiet
alter table queue add column failed_at timestamptz;
-- step 202603050004_take
-- expect: quiet
delete from queue where id in (select id from queue where not done order by id limit 10 for update skip locked);
