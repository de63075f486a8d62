-- Types as people choose them.
-- before
create table anything (id bigint generated always as identity primary key);
-- rows
insert into anything default values;
-- step 202602060001_types
-- expect: lock AccessExclusiveLock on public.anything; finds type-timestamp
alter table anything add column made_at timestamp;
-- expect: quiet
alter table anything add column seen_at timestamptz;
-- expect: finds type-timetz
alter table anything add column opens timetz;
-- expect: quiet
alter table anything add column closes time;
-- expect: quiet
alter table anything add column title varchar(80);
-- expect: quiet
alter table anything add column extra jsonb not null default '{}';
-- expect: finds type-system
alter table anything add column object oid;
-- expect: quiet
alter table anything add column day date not null default current_date;
-- expect: quiet
alter table anything add column tags text[] not null default '{}';
-- expect: finds type-float-money
alter table anything add column price real;
-- expect: quiet
alter table anything add column latitude double precision;
