-- Indexes that help and indexes that do not.
-- before
create table visits (id bigint generated always as identity primary key, site text not null, path text not null, seen_at timestamptz not null, paid boolean not null default false);
create index visits_site_seen_at_idx on visits (site, seen_at);
create index visits_path_idx on visits (path);
create index visits_old_idx on visits (seen_at);
-- rows
insert into visits (site, path, seen_at) select 's' || i % 3, '/' || i, now() from generate_series(1, 400) i;
-- step 202602040001_redundant
-- expect: lock ShareUpdateExclusiveLock on public.visits; finds index-redundant
create index concurrently visits_site_idx on visits (site);
-- step 202602040002_duplicate
-- expect: lock ShareUpdateExclusiveLock on public.visits; finds index-duplicate
create index concurrently visits_path_again_idx on visits (path);
-- step 202602040003_partial
-- expect: lock ShareUpdateExclusiveLock on public.visits; quiet
create index concurrently visits_unpaid_idx on visits (seen_at) where not paid;
-- step 202602040004_expression
-- expect: lock ShareLock on public.visits; finds lock-index-nonconcurrent
create index visits_lower_path_idx on visits (lower(path));
-- step 202602040005_drop
-- expect: lock AccessExclusiveLock on public.visits; finds lock-drop-index-nonconcurrent
drop index visits_old_idx;
-- step 202602040006_drop_gently
-- expect: lock ShareUpdateExclusiveLock on public.visits; quiet
drop index concurrently visits_unpaid_idx;
-- step 202602040010_only
-- expect: lock ShareLock on public.visits; finds lock-index-nonconcurrent
create unique index if not exists visits_seen_key on visits (site, path, seen_at);
