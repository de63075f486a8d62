-- Replication, statistics and rules around tables.
-- before
create table feeds (id bigint generated always as identity primary key, url text not null, lang text, region text);
-- rows
insert into feeds (url) select 'u' || i from generate_series(1, 40) i;
-- step 202603150001_around
-- expect: lock ShareUpdateExclusiveLock on public.feeds; quiet
create statistics feeds_stats (dependencies) on lang, region from feeds;
-- expect: lock AccessExclusiveLock on public.feeds; quiet
alter table feeds replica identity full;
-- expect: quiet
create type feed_kind as (name text, weight int);
-- expect: quiet
create collation if not exists german (provider = icu, locale = 'de');
-- expect: quiet
create cast (feed_kind as text) with inout;
-- expect: quiet
alter table feeds owner to current_user;
-- step 202603150002_reset
-- expect: lock AccessExclusiveLock on public.feeds; quiet
alter table feeds replica identity default;
-- expect: lock ShareUpdateExclusiveLock on public.feeds; quiet
drop statistics feeds_stats;
