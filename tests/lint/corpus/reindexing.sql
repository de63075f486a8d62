-- Indexes are built anew.
-- before
create table hits (id bigint generated always as identity primary key, path text not null);
create index hits_path_idx on hits (path);
-- rows
insert into hits (path) select '/' || i from generate_series(1, 200) i;
-- step 202602040007_reindex
-- expect: lock ShareLock on public.hits; finds lock-reindex-nonconcurrent
reindex table hits;
-- step 202602040008_reindex_gently
-- expect: lock ShareUpdateExclusiveLock on public.hits; quiet
reindex table concurrently hits;
-- step 202602040009_rename
-- expect: quiet
alter index hits_path_idx rename to hits_path_index;
