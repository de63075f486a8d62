-- What partitioning gets wrong.
-- before
create table readings (device_id bigint not null, at timestamptz not null, value double precision not null, primary key (device_id, at)) partition by range (at);
create table readings_default partition of readings default;
-- rows
insert into readings select i % 10, '2026-01-01'::timestamptz + i * interval '1 minute', 1 from generate_series(1, 500) i;
-- step 202601160001_default
-- expect: lock AccessExclusiveLock on public.readings, AccessExclusiveLock on public.readings_default; finds lock-default-partition-scan
create table readings_2027 partition of readings for values from ('2027-01-01') to ('2028-01-01');
-- step 202601160002_measures
-- expect: finds partition-none-ahead
create table measures (id bigint not null, at timestamptz not null, primary key (id, at)) partition by range (at);
-- step 202601160003_key
-- expect: fails; finds partition-key-in-unique
create table logs (id bigint primary key, at timestamptz not null) partition by range (at);
