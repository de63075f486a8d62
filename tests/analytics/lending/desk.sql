create schema desk;
create table desk.people (id integer, full_name varchar, kind varchar);
insert into desk.people values
  (1, ' Ada ', 'adult'), (2, 'Grace', 'staff'), (3, 'Edsger', 'child'), (4, null, 'adult'), (5, 'Barbara', 'guest');
create table desk.loans (loan_id integer, member_id integer, isbn varchar, lent_on date, returned_on date, received_at timestamp);
insert into desk.loans
select
  n,
  1 + n % 5,
  'isbn ' || n % 11,
  date '2026-01-01' + cast(n * 3 % 120 as integer),
  case when n % 7 = 0 then null else date '2026-01-01' + cast(n * 3 % 120 + n % 23 as integer) end,
  timestamp '2026-05-01 00:00:00' + interval 1 hour * n
from range(1, 200) as loans (n);
