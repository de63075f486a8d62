/** One story for each effect that destroys: what it took is there again after its opposite, and again after the next time. */
import { describe, expect, test } from 'vitest'
import { story } from './preserve-story.ts'

/** Everything in the tables, as text, sorted; the same before and after. */
const cases: readonly {
  readonly title: string
  /** Applied first. */
  readonly base: string
  /** Users' rows, before the step. */
  readonly rows: string
  readonly up: string
  readonly down: string
  /** Must be the same before the step and after its rollback. */
  readonly look: string
  /** Users write between up and down, without touching what `look` shows. */
  readonly between?: string
  readonly acceptLoss?: true
}[] = [
  {
    title: 'drop table without a key',
    base: 'create table t (a int, b text)',
    rows: "insert into t values (1, 'x'), (1, 'x'), (2, null)",
    up: 'drop table t;',
    down: 'create table t (a int, b text);',
    look: 'select * from t order by 1, 2',
  },
  {
    title: 'drop table cascade with a view, an inbound reference and a function of its row',
    base: `create table parent (id int primary key, v text);
create table child (id int primary key, parent_id int references parent);
create view seen as select v from parent;
create function size_of(p parent) returns int language sql as 'select 1';
create policy own on child using (exists (select from parent where id = parent_id));`,
    rows: "insert into parent values (1, 'a'), (2, 'b'); insert into child values (10, 1), (11, 2)",
    up: 'drop table parent cascade;',
    down: `create table parent (id int primary key, v text);
alter table child add foreign key (parent_id) references parent not valid;
create view seen as select v from parent;
create function size_of(p parent) returns int language sql as 'select 1';
create policy own on child using (exists (select from parent where id = parent_id));`,
    look: 'select p.*, c.id as child from parent p join child c on c.parent_id = p.id order by 1',
  },
  {
    title: 'two tables that refer to each other’s rows, with sequences, defaults and generated columns',
    base: `create table a (id int generated always as identity primary key, n int default 7, twice int generated always as (n * 2) stored);
create table b (id serial primary key, a_id int not null references a, unique (a_id));`,
    rows: 'insert into a (n) select g from generate_series(1, 50) g; insert into b (a_id) select id from a',
    up: 'drop table b; drop table a;',
    down: `create table a (id int generated always as identity primary key, n int default 7, twice int generated always as (n * 2) stored);
create table b (id serial primary key, a_id int not null references a, unique (a_id));`,
    look: 'select count(*)::int, sum(n)::int, sum(twice)::int, (select sum(a_id * id)::int from b) as pairs, (select last_value::int from b_id_seq) as serial, (select last_value::int from a_id_seq) as identity from a',
  },
  {
    title: 'a partitioned table with its partitions',
    base: `create table m (at date not null, v int, primary key (at, v)) partition by range (at);
create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');
create table m2 partition of m default;`,
    rows: "insert into m select '2026-01-15'::date + g, g from generate_series(1, 60) g",
    up: 'drop table m;',
    down: `create table m (at date not null, v int, primary key (at, v)) partition by range (at);
create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');
create table m2 partition of m default;`,
    look: 'select count(*)::int, sum(v)::int, (select count(*)::int from m1) as first from m',
  },
  {
    title: 'one partition of several',
    base: `create table m (at date not null, v int, primary key (at, v)) partition by range (at);
create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');
create table m2 partition of m default;`,
    rows: "insert into m select '2026-01-15'::date + g, g from generate_series(1, 60) g",
    up: 'drop table m1;',
    down: "create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');",
    look: 'select count(*)::int, sum(v)::int, (select count(*)::int from m1) as first from m',
  },
  {
    title: 'a table and its heir',
    base: 'create table t (id int primary key); create table heir (extra text) inherits (t);',
    rows: "insert into t values (1); insert into heir values (2, 'e')",
    up: 'drop table t cascade;',
    down: 'create table t (id int primary key); create table heir (extra text) inherits (t);',
    look: 'select id, (select extra from heir h where h.id = t.id) as extra from t order by 1',
  },
  {
    title: 'a schema with types, tables and a sequence',
    base: `create schema s; create type s.mood as enum ('glad', 'sad'); create domain s.short as text check (length(value) < 9);
create table s.t (id int primary key, m s.mood, ms s.mood[], d s.short); create sequence s.numbers;`,
    rows: "insert into s.t values (1, 'glad', '{sad,glad}', 'x'), (2, null, null, null); select nextval('s.numbers'), nextval('s.numbers')",
    up: 'drop schema s cascade;',
    down: `create schema s; create type s.mood as enum ('glad', 'sad'); create domain s.short as text check (length(value) < 9);
create table s.t (id int primary key, m s.mood, ms s.mood[], d s.short); create sequence s.numbers;`,
    look: 'select id, m::text, ms::text, d::text, (select last_value::int from s.numbers) as last from s.t order by 1',
  },
  {
    title: 'tables one by one, and then the schema that they were in',
    base: `create schema s; create type s.mood as enum ('glad', 'sad'); create table s.t (id int primary key, m s.mood);
create table s.u (id int primary key, t_id int references s.t);`,
    rows: "insert into s.t values (1, 'glad'), (2, null); insert into s.u values (1, 1)",
    up: 'drop table s.u; drop table s.t; drop type s.mood; drop schema s;',
    down: `create schema s; create type s.mood as enum ('glad', 'sad'); create table s.t (id int primary key, m s.mood);
create table s.u (id int primary key, t_id int references s.t);`,
    look: 'select t.id, m::text, u.id as u from s.t left join s.u on u.t_id = t.id order by 1',
  },
  {
    title: 'one table by name, and the rest with its schema',
    base: 'create schema s; create table s.t (id int primary key); create table s.u (id int primary key);',
    rows: 'insert into s.t values (1), (2); insert into s.u values (3)',
    up: 'drop table s.t; drop schema s cascade;',
    down: 'create schema s; create table s.t (id int primary key); create table s.u (id int primary key);',
    look: 'select id from s.t union all select id from s.u order by 1',
  },
  {
    title: 'a type whose cascade takes columns',
    base: "create type mood as enum ('glad', 'sad'); create table t (id int primary key, m mood default 'sad'); create view v as select m from t;",
    rows: "insert into t values (1, 'glad'), (2, null)",
    up: 'drop type mood cascade;',
    down: "create type mood as enum ('glad', 'sad'); alter table t add column m mood default 'sad'; create view v as select m from t;",
    look: 'select id, m::text from t order by 1',
  },
  {
    title: 'a domain whose cascade takes columns',
    base: 'create domain cents as int check (value >= 0); create table t (id int primary key, c cents);',
    rows: 'insert into t values (1, 5), (2, null)',
    up: 'drop domain cents cascade;',
    down: 'create domain cents as int check (value >= 0); alter table t add column c cents;',
    look: 'select id, c::int from t order by 1',
  },
  {
    title: 'an enum that loses a value',
    base: "create type mood as enum ('glad', 'sad', 'so'); create table t (id int primary key, m mood);",
    rows: "insert into t values (1, 'glad'), (2, 'so'), (3, null)",
    up: `create type mood2 as enum ('glad', 'sad');
alter table t alter column m type mood2 using (case m when 'so' then 'sad' else m::text end)::mood2;
drop type mood; alter type mood2 rename to mood;`,
    down: `create type mood2 as enum ('glad', 'sad', 'so');
alter table t alter column m type mood2 using m::text::mood2;
drop type mood; alter type mood2 rename to mood;`,
    look: 'select id, m::text from t order by 1',
  },
  {
    title: 'several columns at once, one of a table without a key',
    base: "create table t (id int primary key, a int, b jsonb default '{}', c text not null); create table bare (x int, y text, z int)",
    rows: `insert into t values (1, 1, '{"k": 1}', 'one'), (2, null, null, 'two'); insert into bare values (1, 'p', 1), (1, 'p', 2), (2, 'q', 3)`,
    up: 'alter table t drop column a, drop column b; alter table t drop column c; alter table bare drop column z;',
    down: "alter table t add column a int, add column b jsonb default '{}', add column c text not null; alter table bare add column z int;",
    look: "select t.*, (select string_agg(x || y || z, ',' order by x, z) from bare) as bare from t order by id",
  },
  {
    title: 'a column that comes back and is constrained by a statement of its own',
    base: 'create table t (id int primary key, c text not null)',
    rows: "insert into t values (1, 'a')",
    up: 'alter table t drop column c;',
    down: 'alter table t add column c text; alter table t alter column c set not null;',
    look: "select id, c, (select attnotnull from pg_attribute where attrelid = 't'::regclass and attname = 'c') as required from t",
  },
  {
    title: 'a column that is part of the key',
    base: 'create table t (a int, b int, v text, primary key (a, b))',
    rows: "insert into t values (1, 1, 'x'), (1, 2, 'y')",
    up: 'alter table t drop column b;',
    down: 'alter table t add column b int; alter table t add primary key (a, b);',
    look: 'select * from t order by a, b',
  },
  {
    title: 'a narrower type',
    base: 'create table t (id int primary key, c text, n numeric)',
    rows: "insert into t values (1, 'long enough', 1.25), (2, 'ok', 3), (3, null, null)",
    up: 'alter table t alter column c type varchar(4) using left(c, 4), alter column n type int using round(n);',
    down: 'alter table t alter column c type text, alter column n type numeric;',
    look: 'select id, c, n from t order by id',
  },
  {
    title: 'not null with a fill',
    base: 'create table t (id int primary key, c text)',
    rows: "insert into t values (1, null), (2, 'b')",
    up: "update t set c = '' where c is null; alter table t alter column c set not null;",
    down: 'alter table t alter column c drop not null;',
    look: 'select * from t order by id',
    between: "insert into t values (3, 'c'); delete from t where id = 3",
  },
  {
    title: 'delete with references that cascade',
    base: 'create table p (id int primary key); create table c (id int primary key, p_id int references p on delete cascade); create table n (id int primary key, p_id int references p on delete set null)',
    rows: 'insert into p values (1), (2); insert into c values (10, 1), (20, 2); insert into n values (100, 1)',
    up: 'delete from p where id = 1;',
    down: 'select 1;',
    look: 'select (select array_agg(id order by id)::text from p) p, (select array_agg(id order by id)::text from c) c, (select p_id from n) n',
  },
  {
    title: 'truncate cascade',
    base: 'create table p (id serial primary key); create table c (id int primary key, p_id int references p)',
    rows: 'insert into p default values; insert into p default values; insert into c values (10, 1), (20, 2)',
    up: 'truncate p restart identity cascade;',
    down: 'select 1;',
    look: 'select (select array_agg(id order by id)::text from p) p, (select array_agg(id order by id)::text from c) c, (select last_value::int from p_id_seq) as last',
  },
  {
    title: 'delete from a table without a key',
    base: 'create table t (a int, b json)',
    rows: `insert into t values (1, '{"a":1}'), (1, '{"a":1}'), (2, '{}')`,
    up: 'delete from t where a = 1;',
    down: 'select 1;',
    look: 'select a, b::text from t order by 1',
  },
  {
    title: 'rows of a table that gets another shape before and after',
    base: 'create table t (id int primary key, v text, w text, x text)',
    rows: "insert into t values (1, 'a', 'long', 'x'), (2, 'b', 'longer', 'y'), (3, 'c', 's', 'z')",
    up: `update t set v = 'first' where id = 1;
alter table t rename column v to name;
update t set name = 'second' where id = 2;
alter table t drop column x, alter column w type varchar(2) using left(w, 2);
update t set w = 'q', name = 'third' where id = 3;
delete from t where id = 1;`,
    down: 'alter table t rename column name to v; alter table t alter column w type text, add column x text;',
    look: 'select id, v, w, x from t order by id',
  },
  {
    title: 'upsert, merge and a delete inside a with',
    base: 'create table t (id int primary key, v text); create table log (id int primary key, v text)',
    rows: "insert into t values (1, 'a'), (2, 'b'), (3, 'c'); insert into log values (9, 'old')",
    up: `insert into t values (1, 'new') on conflict (id) do update set v = excluded.v;
merge into t using (values (2)) s (id) on t.id = s.id when matched then update set v = 'merged';
with gone as (delete from t where id = 3 returning *) insert into log select * from gone;
update log set v = 'changed' where id = 9;`,
    down: 'delete from log where id = 3;',
    look: "select (select string_agg(id || v, ',' order by id) from t) t, (select string_agg(id || v, ',' order by id) from log) log",
  },
  {
    title: 'a block of code that drops a table, a column, and deletes and truncates',
    base: 'create table a (id int primary key, v text); create table b (id int primary key, v text); create table c (id int primary key); create table d (id int primary key)',
    rows: "insert into a values (1, 'x'); insert into b values (1, 'y'); insert into c values (1), (2); insert into d values (5)",
    up: `do $$ begin
  execute 'drop table a';
  execute 'alter table b drop column v';
  delete from c where id = 1;
  truncate d;
end $$;`,
    down: 'create table a (id int primary key, v text); alter table b add column v text;',
    look: 'select a.*, b.v as bv, (select array_agg(id order by id)::text from c) c, (select id from d) d from a, b',
  },
  {
    title: 'a trigger that changes another table',
    base: `create table t (id int primary key); create table total (id int primary key, n int);
create function bump() returns trigger language plpgsql as 'begin update total set n = n + 1; return null; end';
create trigger bump after insert on t for each statement execute function bump();`,
    rows: 'insert into total values (1, 40); insert into t values (1)',
    up: 'insert into t values (2);',
    down: 'delete from t where id = 2;',
    look: 'select (select array_agg(id)::text from t) t, n from total',
  },
  {
    title: 'a sequence',
    base: 'create sequence s',
    rows: "select nextval('s') from generate_series(1, 41)",
    up: 'drop sequence s;',
    down: 'create sequence s;',
    look: 'select last_value::int from s',
  },
  {
    title: 'an identity',
    base: 'create table t (id int generated always as identity primary key, v int)',
    rows: 'insert into t (v) select g from generate_series(1, 5) g; delete from t where id > 2',
    up: 'alter table t alter column id drop identity;',
    down: 'alter table t alter column id add generated always as identity;',
    look: 'select count(*)::int, (select last_value::int from t_id_seq) as last from t',
  },
  {
    title: 'an update of a table without a key, once its loss was accepted',
    base: 'create table t (a int)',
    rows: 'insert into t values (1), (2)',
    up: 'update t set a = a + 10;',
    down: 'update t set a = a - 10;',
    look: 'select a from t order by 1',
    acceptLoss: true,
  },
  {
    title: 'statement by statement',
    base: "create table t (id int primary key, v text, w text); create type mood as enum ('glad');",
    rows: "insert into t values (1, 'a', 'w'), (2, 'b', 'x')",
    up: `begin; delete from t where id = 2; update t set v = 'z'; commit;
begin; alter table t drop column w; commit;`,
    down: 'begin; alter table t add column w text not null; commit; begin; select 1; commit;',
    look: 'select * from t order by 1',
  },
]

describe('what is destroyed comes back', () => {
  test.each(cases)('$title', async ({ base, rows, up, down, look, between, acceptLoss }) => {
    const accept = acceptLoss ? { preserve: { acceptLoss: 'all' as const } } : {}
    const {
      sql,
      rows: ask,
      up: apply,
      down: rollback,
    } = await story({ '1_base': [base, 'select 1;'], '2_step': [up, down] })
    await apply('1')
    await sql(rows)
    const before = await ask(look)
    const first = await apply('2', accept)
    const after = await snapshot(ask)
    if (between) await sql(between)
    await rollback(accept)
    expect(await ask(look)).toEqual(before)
    await apply('2', accept)
    expect(await snapshot(ask)).toEqual(after)
    await rollback(accept)
    expect(await ask(look)).toEqual(before)
    expect(first.done[0]?.preserved?.archiveId ?? null).not.toBeNull()
    expect(
      await ask("select version, report from plinth.archives where direction = 'up' and status <> 'restored'"),
    ).toEqual(acceptLoss ? [{}, {}].map(() => expect.anything()) : [])
  })
})

/** Every table of users with its rows, whatever it is called. */
async function snapshot(ask: (text: string) => Promise<unknown[]>): Promise<unknown[]> {
  return ask(`
    select c.oid::regclass::text as name,
      (xpath('/row/d/text()', query_to_xml(format('select coalesce(string_agg(t::text, %L order by t::text), %L) as d from %s t', '|', '', c.oid::regclass), false, true, '')))[1]::text as rows
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'plinth', 'plinth_archive')
    order by 1`)
}
