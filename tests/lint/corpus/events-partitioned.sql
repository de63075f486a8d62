-- Events by month.
-- before
create table events (id bigint generated always as identity, happened_at timestamptz not null, kind text not null, primary key (id, happened_at)) partition by range (happened_at);
create table events_2026_01 partition of events for values from ('2026-01-01') to ('2026-02-01');
create table events_2026_02 partition of events for values from ('2026-02-01') to ('2026-03-01');
create table events_2026_03 (like events including all excluding identity);
create table events_2026_04 (like events including all excluding identity);
alter table events_2026_04 add constraint events_2026_04_bounds check (happened_at >= '2026-04-01' and happened_at < '2026-05-01' and happened_at is not null);
-- rows
insert into events (happened_at, kind) select '2026-01-01'::timestamptz + i * interval '1 hour', 'k' from generate_series(1, 1000) i;
insert into events_2026_03 (id, happened_at, kind) select i, '2026-03-01'::timestamptz + i * interval '1 hour', 'k' from generate_series(1, 300) i;
-- step 202601150001_next
-- expect: lock AccessExclusiveLock on public.events_2026_03, ShareUpdateExclusiveLock on public.events; finds lock-attach-partition
alter table events attach partition events_2026_03 for values from ('2026-03-01') to ('2026-04-01');
-- step 202601150002_prepared
-- expect: lock AccessExclusiveLock on public.events_2026_04, ShareUpdateExclusiveLock on public.events; quiet
alter table events attach partition events_2026_04 for values from ('2026-04-01') to ('2026-05-01');
-- expect: quiet
alter table events_2026_04 drop constraint events_2026_04_bounds;
-- step 202601150003_may
-- expect: lock AccessExclusiveLock on public.events; quiet
create table events_2026_05 partition of events for values from ('2026-05-01') to ('2026-06-01');
-- step 202601150004_index
-- expect: lock ShareLock on public.events, ShareLock on public.events_2026_01, ShareLock on public.events_2026_02, ShareLock on public.events_2026_03, ShareLock on public.events_2026_04, ShareLock on public.events_2026_05; finds lock-index-nonconcurrent
create index events_kind_idx on events (kind);
-- step 202601150005_detach
-- expect: lock AccessExclusiveLock on public.events, AccessExclusiveLock on public.events_2026_01; finds lock-detach-nonconcurrent
alter table events detach partition events_2026_01;
-- step 202601150006_detach_gently
-- expect: lock AccessExclusiveLock on public.events_2026_02, ShareUpdateExclusiveLock on public.events; quiet
alter table events detach partition events_2026_02 concurrently;
-- step 202601150007_write
-- expect: finds partition-direct-write
insert into events_2026_05 (happened_at, kind) values ('2026-05-02', 'k');
