-- Keys of new tables.
-- before
create table anchors (id uuid primary key);
-- rows
insert into anchors select gen_random_uuid() from generate_series(1, 20);
-- step 202602030001_keys
-- expect: quiet
create table with_identity (id bigint generated always as identity primary key);
-- expect: finds type-small-key
create table with_serial (id serial primary key);
-- expect: finds type-small-key
create table with_int_identity (id int generated always as identity primary key);
-- expect: quiet
create table with_small_list (code smallint primary key, name text not null);
-- expect: quiet
create table with_uuid (id uuid primary key default gen_random_uuid());
-- expect: finds index-primary-key
create table without_key (name text not null);
-- expect: finds type-odd-key
create table with_time (at timestamptz primary key);
-- expect: finds type-foreign-key
create table mismatched (id bigint primary key, ref int not null constraint mismatched_ref_fkey references with_identity (id));
-- expect: quiet
create index mismatched_ref_idx on mismatched (ref);
-- expect: quiet
create temporary table scratch (name text);
