-- Domains over text.
-- before
create domain email as text check (value like '%@%');
create domain code as text;
create table contacts (id bigint generated always as identity primary key, email email not null, code code);
-- rows
insert into contacts (email) select i || '@example.test' from generate_series(1, 100) i;
-- step 202603070001_check
-- expect: lock ShareLock on public.contacts; finds lock-domain-constraint
alter domain code add constraint code_check check (length(value) < 20);
-- step 202603070002_not_valid
-- expect: quiet
alter domain email add constraint email_length check (length(value) < 300) not valid;
-- step 202603070003_default
-- expect: quiet
alter domain code set default 'none';
-- expect: quiet
create domain percentage as numeric check (value between 0 and 100);
-- expect: quiet
create table discounts (id bigint generated always as identity primary key, share percentage not null);
