-- Types change; some cost nothing.
-- before
create table films (id int primary key, title varchar(50) not null, rating numeric(3,1), made date, code char(4), minutes int, released timestamp, ip cidr, bits varbit(8));
create index films_title_idx on films (title);
-- rows
insert into films select i, 'f' || i, 5.0, '2020-01-01', 'abcd', 90, now() from generate_series(1, 200) i;
-- step 202602090001_free
-- expect: lock AccessExclusiveLock on public.films; quiet
alter table films alter column title type varchar(100);
-- expect: quiet
alter table films alter column title type text;
-- expect: quiet
alter table films alter column rating type numeric(5,1);
-- expect: quiet
alter table films alter column rating type numeric;
-- expect: quiet
alter table films alter column ip type inet;
-- expect: quiet
alter table films alter column bits type varbit(16);
-- step 202602090002_bigint
-- expect: lock AccessExclusiveLock on public.films; rewrite public.films; finds rewrite-column-type
alter table films alter column id type bigint;
-- step 202602090003_char
-- expect: lock AccessExclusiveLock on public.films; rewrite public.films; finds rewrite-column-type
alter table films alter column code type text;
-- step 202602090004_zone
-- expect: lock AccessExclusiveLock on public.films; finds rewrite-timestamp-zone
alter table films alter column released type timestamptz;
-- step 202602090005_smaller
-- expect: lock AccessExclusiveLock on public.films; rewrite public.films; finds data-narrow-type, rewrite-column-type
alter table films alter column minutes type smallint;
-- step 202602090006_using
-- expect: lock AccessExclusiveLock on public.films; rewrite public.films; finds rewrite-column-type
alter table films alter column made type text using made::text;
