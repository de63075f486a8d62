-- Storage is moved about.
-- before
create table archive (id bigint generated always as identity primary key, body text not null, kind text not null);
create index archive_kind_idx on archive (kind);
create unlogged table cache (key text primary key, value text);
-- rows
insert into archive (body, kind) select repeat('x', 100), 'k' from generate_series(1, 300) i;
insert into cache select 'k' || i, 'v' from generate_series(1, 100) i;
-- step 202602100001_unlogged
-- expect: lock AccessExclusiveLock on public.archive; rewrite public.archive; finds data-unlogged, rewrite-storage
alter table archive set unlogged;
-- step 202602100002_logged
-- expect: lock AccessExclusiveLock on public.cache; rewrite public.cache; finds rewrite-storage
alter table cache set logged;
-- step 202602100003_vacuum_full
-- expect: lock AccessExclusiveLock on public.archive; rewrite public.archive; finds lock-vacuum-full
vacuum full archive;
-- step 202602100004_vacuum
-- expect: lock ShareUpdateExclusiveLock on public.archive; quiet
vacuum archive;
-- step 202602100005_cluster
-- expect: lock AccessExclusiveLock on public.archive; rewrite public.archive; finds lock-vacuum-full
cluster archive using archive_kind_idx;
-- step 202602100006_parameters
-- expect: lock ShareUpdateExclusiveLock on public.archive; quiet
alter table archive set (fillfactor = 80);
-- expect: quiet
alter table archive set (autovacuum_vacuum_scale_factor = 0.05);
-- expect: quiet
alter table archive alter column body set statistics 500;
-- expect: lock AccessExclusiveLock on public.archive; quiet
alter table archive alter column body set storage external;
-- expect: quiet
analyze archive;
