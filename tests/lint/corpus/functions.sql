-- Functions change.
-- before
create table scores (id bigint generated always as identity primary key, points int not null);
create function best() returns int language sql stable as $$ select max(points) from scores $$;
create function worst(low int) returns int language sql stable as $$ select min(points) from scores where points > low $$;
-- rows
insert into scores (points) select i from generate_series(1, 50) i;
-- step 202603100001_replace
-- expect: quiet
create or replace function best() returns int language sql stable as $$ select coalesce(max(points), 0) from scores $$;
-- step 202603100002_overload
-- expect: quiet
create function mean() returns numeric language sql stable as $$ select avg(points) from scores $$;
-- step 202603100003_signature
-- expect: finds compat-routine-change
drop function worst(int);
-- expect: quiet
create function worst(low int, high int) returns int language sql stable as $$ select min(points) from scores where points between low and high $$;
-- step 202603100004_dynamic
-- expect: finds security-dynamic-sql
create function count_of(relation text) returns bigint language plpgsql as $$ declare n bigint; begin execute 'select count(*) from ' || relation into n; return n; end $$;
-- expect: quiet
create function count_safely(relation text) returns bigint language plpgsql as $$ declare n bigint; begin execute format('select count(*) from %I', relation) into n; return n; end $$;
