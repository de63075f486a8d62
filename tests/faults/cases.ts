/**
 * What is run and disturbed. Each case is a folder of migrations with the data that people write in between; its legs are the first apply, the
 * rollback of everything, and the apply after that, which brings back what the rollback kept.
 */
import type { Files } from '../migrations/support.ts'

export interface Case {
  readonly name: string
  /** Before the first migration; not the tool's. */
  readonly setup: string
  readonly files: Files
  /** Each step is one transaction, so that a down finds all of its up or nothing. */
  readonly whole: boolean
  /** What people write after the first apply, and after the rollback. */
  readonly afterUp: string
  readonly afterDown: string
}

export const legs = ['apply', 'rollback', 'apply again'] as const
export type Leg = (typeof legs)[number]

const transactional: Case = {
  name: 'transactional',
  whole: true,
  setup:
    'create table visits (id int primary key, page text); insert into visits select n, md5(n::text) from generate_series(1, 50) n;',
  files: {
    '1_people': [
      `create table people (id int primary key, email text not null unique, note text);
insert into people select n, 'p' || n || '@example.com', md5(n::text) from generate_series(1, 200) n;
create view emails as select id, email from people;`,
      'drop view emails;\ndrop table people;',
    ],
    '2_orders': [
      `create table orders (id int primary key, person_id int not null references people, total numeric(12,2) not null, state text default 'new');
insert into orders select n, 1 + n % 200, n * 1.25, 'new' from generate_series(1, 400) n;
create index orders_person on orders (person_id);
create function touch() returns trigger language plpgsql as $$ begin new.state := coalesce(new.state, 'touched'); return new; end $$;
create trigger orders_touch before insert or update on orders for each row execute function touch();
select pg_sleep(0.03);`,
      'drop table orders;\ndrop function touch();',
    ],
    '3_change': [
      `alter table people add column age int not null default 1;
update people set age = id % 90;
alter table orders alter column total type numeric(14,4);
update orders set state = 'old' where id <= 100;
select pg_sleep(0.03);
create materialized view per_person as select person_id, count(*) as orders from orders group by person_id;`,
      `drop materialized view per_person;
update orders set state = 'new' where id <= 100;
alter table orders alter column total type numeric(12,2);
alter table people drop column age;`,
    ],
    '4_rename': [
      'alter table people rename column note to remark;\nupdate people set remark = upper(remark) where id < 20;\nalter table orders rename to purchases;',
      'alter table purchases rename to orders;\nupdate people set remark = lower(remark) where id < 20;\nalter table people rename column remark to note;',
    ],
    '3_change.checks.sql': `-- check: nobody_is_nameless before
select from people where email = '';
-- check: everybody_has_an_age after
select from people where age is null;
-- check: nothing_is_lost after down
select from orders where person_id is null;`,
  },
  afterUp: `insert into people (id, email, remark, age) values (1001, 'new@example.com', 'late', 33);
insert into purchases values (1001, 1001, 9.5, 'new');`,
  afterDown: "insert into visits values (1001, 'late');",
}

const statements: Case = {
  name: 'statement by statement',
  whole: false,
  setup: '',
  files: {
    '1_tables': [
      `create table t (id int, x text);
insert into t select n, md5(n::text) from generate_series(1, 400) n;
create type mood as enum ('calm', 'cross');
create table measures (at int primary key, value int, mood mood) partition by range (at);
create table measures_a partition of measures for values from (-10) to (100);
create table measures_b partition of measures for values from (100) to (200);
insert into measures select n, n * 2, 'calm' from generate_series(0, 199) n;`,
      'drop table measures;\ndrop type mood;\ndrop table t;',
    ],
    '2_index': [
      `set search_path = public;
create index concurrently t_x on t (x);
begin;
create table u (id int);
insert into u select n from generate_series(1, 50) n;
commit;
create index concurrently on t (id);
insert into u values (60);
vacuum t;
reindex index concurrently t_x;
drop index concurrently t_x;
create unique index concurrently if not exists t_id on t (id);`,
      'drop index concurrently t_id;\nbegin;\ndrop table u;\ncommit;\ndrop index concurrently t_id_idx;\nvacuum (analyze) t;',
    ],
    '3_enum': [
      `-- plinth: transaction=statement
alter type mood add value 'glad';
insert into measures values (-5, 5, 'glad');
update measures set mood = 'glad' where at between 0 and 2;
alter table measures detach partition measures_b concurrently;
create table moods as select mood, count(*) from measures group by mood;`,
      `-- plinth: transaction=statement
drop table moods;
alter table measures attach partition measures_b for values from (100) to (200);
update measures set mood = 'calm' where mood = 'glad' and at between 0 and 2;
delete from measures where at = -5;`,
    ],
    '4_procedure': [
      `-- plinth: transaction=none
create table done (part int primary key);
do $$ begin for part in 1..3 loop insert into done values (part) on conflict do nothing; commit; end loop; end $$;
reindex table concurrently t;`,
      'drop table done;',
    ],
    '5_blocks': [
      `begin;
savepoint one;
insert into u values (61);
rollback to savepoint one;
insert into u values (62);
commit;
start transaction;
insert into u values (63);
rollback;
insert into u values (64);
select pg_sleep(0.03);
begin isolation level repeatable read;
insert into u select id + 100 from u;
end;`,
      'begin;\ndelete from u where id > 100;\ncommit;\ndelete from u where id > 60;',
    ],
  },
  afterUp: "insert into u values (999);\ninsert into measures values (-6, 1, 'glad');",
  afterDown: '',
}

const backfill: Case = {
  name: 'backfill',
  whole: false,
  setup: `create table items (id int primary key, n int not null, label text);
insert into items select n, n % 7, 'item ' || n from generate_series(1, 300) n;
create table weights (region text primary key, weight int);
insert into weights values ('eu', 2), ('us', 3);
create table parts (region text, id int, n int not null default 0, primary key (region, id));
insert into parts select case n % 2 when 0 then 'eu' else 'us' end, n from generate_series(1, 120) n;`,
  files: {
    '1_double': [
      '-- plinth: batch=30\nupdate items set n = n + 100;\nupdate parts p set n = p.n + w.weight from weights w where w.region = p.region;',
      '-- plinth: batch=40\nupdate parts p set n = p.n - w.weight from weights w where w.region = p.region;\nupdate items set n = n - 100;',
    ],
    '2_copy': [
      `-- plinth: batch=25
create table copies (id int primary key, n int not null);
insert into copies select id, n from items where id % 2 = 0;
create index concurrently copies_n on copies (n);
delete from items where id % 10 = 0;
update copies set n = n + 1;`,
      `-- plinth: batch=25
update copies set n = n - 1;
insert into items select id, n, 'item ' || id from copies where id % 10 = 0 on conflict do nothing;
drop index concurrently copies_n;
drop table copies;`,
    ],
  },
  afterUp: "insert into items values (1001, 1001, 'late');\ndelete from items where id = 7;",
  afterDown: "insert into items values (1002, 1002, 'later');",
}

const destroying: Case = {
  name: 'destroying in one transaction',
  whole: true,
  setup: `create table customers (id int primary key, name text not null, city text, note text);
insert into customers select n, 'c' || n, 'city ' || n % 9, md5(n::text) from generate_series(1, 200) n;
create table letters (id int primary key, customer_id int references customers, body text);
insert into letters select n, n, repeat('x', n % 50) from generate_series(1, 150) n;
create table codes (code int primary key, price numeric(12,4));
insert into codes select n, n / 3.0 from generate_series(1, 100) n;
create table old_log (id int primary key, line text);
insert into old_log select n, 'line ' || n from generate_series(1, 80) n;`,
  files: {
    '1_columns': [
      'alter table customers drop column note;\nalter table customers add column level int default 1;',
      'alter table customers drop column level;\nalter table customers add column note text;',
    ],
    '2_tables': [
      'drop table letters;\ncreate table messages (id int primary key, text text);',
      'drop table messages;\nselect pg_sleep(0.03);\ncreate table letters (id int primary key, customer_id int references customers, body text);',
    ],
    '3_rows': [
      `delete from customers where id % 5 = 0;
update customers set city = 'somewhere' where id <= 50;
truncate old_log;
alter table codes alter column price type int using price::int;`,
      'alter table codes alter column price type numeric(12,4);',
    ],
  },
  afterUp: `insert into customers (id, name, city, level) values (1001, 'late', 'city 1', 5);
update customers set level = 7 where id = 3;
insert into messages values (1, 'written after the up');
insert into old_log values (1001, 'late');`,
  afterDown: `insert into customers (id, name, note) values (1002, 'later', 'n');
update customers set note = 'changed' where id = 4;`,
}

const destroyingStatements: Case = {
  name: 'destroying statement by statement',
  whole: false,
  setup: destroying.setup,
  files: {
    '1_columns': [
      `create index concurrently customers_name on customers (name);
alter table customers drop column note;
delete from letters where id % 3 = 0;
vacuum letters;
select pg_sleep(0.03);
update customers set city = 'elsewhere' where id % 2 = 0;`,
      'drop index concurrently customers_name;\nalter table customers add column note text;',
    ],
    '2_batches': [
      `-- plinth: batch=25
update customers set name = upper(name);
delete from old_log where id % 2 = 0;
drop table letters;`,
      `-- plinth: transaction=statement
create table letters (id int primary key, customer_id int references customers, body text);
alter table customers add column seen boolean;
alter table customers drop column seen;`,
    ],
    '3_blocks': [
      `begin;
alter table codes drop column price;
commit;
create index concurrently codes_code on codes (code);
truncate old_log;`,
      'drop index concurrently codes_code;\nalter table codes add column price numeric(12,4);',
    ],
  },
  afterUp:
    "insert into customers (id, name, city) values (1001, 'late', 'city 1');\ninsert into old_log values (1001, 'late');",
  afterDown: "insert into customers (id, name, note) values (1002, 'later', 'n');",
}

/** Both ways back run in batches, whose runner dies between and inside of them. */
const comingBack: Case = {
  name: 'columns that come back in batches',
  whole: false,
  setup: destroying.setup,
  files: {
    '1_columns': [
      `-- plinth: restore=batches batch=30
alter table customers drop column note;
alter table customers add column level int default 1;`,
      `-- plinth: restore=batches batch=30
alter table customers drop column level;
alter table customers add column note text;`,
    ],
    '2_more': [
      `-- plinth: restore=batches batch=20
alter table old_log drop column line;
alter table old_log add column size int;
alter table old_log add column kind text;`,
      `-- plinth: restore=batches batch=20
alter table old_log drop column kind, drop column size;
alter table old_log add column line text;
create index concurrently old_log_line on old_log (line);
drop index concurrently old_log_line;`,
    ],
  },
  afterUp: `insert into customers (id, name, city, level) values (1001, 'late', 'city 1', 5);
update customers set level = id;
update old_log set size = id, kind = 'k' || id;`,
  afterDown: `insert into customers (id, name, note) values (1002, 'later', 'n');
update customers set note = 'changed' where id = 4;`,
}

/** Rows get their numbers from the server, and others refer to them: the second apply finds both, and may not number anew. */
const numbered: Case = {
  name: 'seeds that the server numbers',
  whole: true,
  setup: 'create table visits (id int primary key, page text);',
  files: {
    '1_plans': [
      `create table plans (id int generated always as identity primary key, name text not null unique, price numeric(8,2));
insert into plans (name, price) select 'plan ' || n, n * 5 from generate_series(1, 40) n;
create table features (id bigserial primary key, plan_id int not null references plans, label text not null);
insert into features (plan_id, label) select id, 'of ' || name from plans order by name;
select pg_sleep(0.03);`,
      'drop table features;\ndrop table plans;',
    ],
    '2_accounts': [
      `create table accounts (id int generated by default as identity (start with 1000 increment by 10) primary key, plan_id int references plans, note text);
insert into accounts (plan_id, note) select id, 'seeded' from plans where id % 3 = 0 order by name desc;
insert into plans (name, price) values ('late plan', 99);
insert into features (plan_id, label) select id, 'of the late one' from plans where name = 'late plan';`,
      `drop table accounts;
delete from features where label = 'of the late one';
delete from plans where name = 'late plan';`,
    ],
  },
  afterUp: `insert into plans (name, price) values ('ours', 1);
insert into accounts (plan_id, note) select id, 'of ours' from plans where name = 'ours';
insert into features (plan_id, label) select id, 'more' from plans where id <= 5;
delete from accounts where id = 1020;
update plans set price = 7 where id = 3;`,
  afterDown: "insert into visits values (1, 'between');",
}

export const cases: readonly Case[] = [
  transactional,
  statements,
  backfill,
  destroying,
  destroyingStatements,
  comingBack,
  numbered,
]
