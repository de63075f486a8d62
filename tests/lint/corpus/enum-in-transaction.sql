-- A value of an enum is used as it is added.
-- before
create type mood as enum ('good', 'bad');
create table days (id bigint generated always as identity primary key, mood mood not null default 'good');
-- rows
insert into days default values;
-- step 202603040001_used
begin;
-- expect: quiet
alter type mood add value 'so-so';
-- expect: fails; finds compat-enum-value-in-transaction
insert into days (mood) values ('so-so');
commit;
