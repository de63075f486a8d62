-- What one pass could do is done twice.
-- before
create table samples (id bigint generated always as identity primary key, a int, b int, c text, d text);
-- rows
insert into samples (a, b, c, d) select i, i, 'c', 'd' from generate_series(1, 100) i;
-- step 202603170001_twice
-- expect: lock AccessExclusiveLock on public.samples; rewrite public.samples; finds rewrite-column-type
alter table samples alter column a type bigint;
-- expect: rewrite public.samples; finds lock-mergeable-alters, rewrite-column-type
alter table samples alter column b type bigint;
-- step 202603170002_plain_twice
-- expect: lock AccessExclusiveLock on public.samples; quiet
alter table samples add column e int;
-- expect: quiet
alter table samples add column f int;
-- step 202603170003_several_parts
-- expect: lock AccessExclusiveLock on public.samples; quiet
alter table samples add column g int, add column h text not null default '', alter column c set default 'c';
