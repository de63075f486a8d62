/** Unusual tables and statements: what every table held is there after each way, twice, told by digests. */
import { expect, test } from 'vitest'
import { digestTables } from '../../src/migrations/preserve/sample.ts'
import { story } from './preserve-story.ts'

interface Case {
  readonly title: string
  readonly base: string
  readonly rows: string
  readonly up: string
  readonly down: string
  /** What users write after the up, which survives down and up again. */
  readonly after?: string
  /** A question whose answer is the same whenever the digests are. */
  readonly look?: string
}

const items = 'create table t (id int primary key, v text);'
const filled = "insert into t select g, 'v' || g from generate_series(1, 40) g"

const cases: readonly Case[] = [
  {
    title: 'a column with views, an inbound reference and an index on it, dropped with cascade',
    base: `create table p (id int primary key, code text unique, n int); create table c (id int primary key, p_code text references p (code));
create view w as select code from p; create view ww as select * from w; create index on p (code, n);`,
    rows: "insert into p select g, 'c' || g, g from generate_series(1, 20) g; insert into c select g, 'c' || g from generate_series(1, 20) g",
    up: 'alter table p drop column code cascade;',
    down: `alter table p add column code text; alter table p add unique (code); alter table c add foreign key (p_code) references p (code) not valid;
create view w as select code from p; create view ww as select * from w; create index on p (code, n);`,
    look: 'select (select count(*)::int from ww), (select count(*)::int from c join p on code = p_code)',
  },
  {
    title: 'a partition that is detached and dropped, and one that is dropped with the default partition',
    base: `create table m (id int, at date, v text, primary key (id, at)) partition by range (at);
create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');
create table m2 partition of m for values from ('2026-02-01') to ('2026-03-01');
create table m3 partition of m default;`,
    rows: "insert into m select g, '2026-01-15'::date + g, 'v' || g from generate_series(1, 80) g",
    up: 'alter table m detach partition m1; drop table m1; drop table m3, m2;',
    down: `create table m1 partition of m for values from ('2026-01-01') to ('2026-02-01');
create table m2 partition of m for values from ('2026-02-01') to ('2026-03-01');
create table m3 partition of m default;`,
    look: 'select (select count(*)::int from m1), (select count(*)::int from m2), (select count(*)::int from m3)',
  },
  {
    title: 'a tree of partitions of several levels, by list and hash',
    base: `create table m (region text, id int, v text, primary key (region, id)) partition by list (region);
create table m_eu partition of m for values in ('eu') partition by hash (id);
create table m_eu0 partition of m_eu for values with (modulus 2, remainder 0);
create table m_eu1 partition of m_eu for values with (modulus 2, remainder 1);
create table m_us partition of m for values in ('us');`,
    rows: "insert into m select case when g % 3 = 0 then 'us' else 'eu' end, g, 'v' || g from generate_series(1, 90) g",
    up: 'drop table m_eu; alter table m drop column v;',
    down: `alter table m add column v text; create table m_eu partition of m for values in ('eu') partition by hash (id);
create table m_eu0 partition of m_eu for values with (modulus 2, remainder 0);
create table m_eu1 partition of m_eu for values with (modulus 2, remainder 1);`,
  },
  {
    title: 'a table whose collation is dropped behind it, and one whose schema goes with its collation',
    base: `create schema words; create collation words.own (locale = 'C'); create collation plain (locale = 'C');
create table t (id int primary key, v text collate plain, w varchar(9) collate words.own);
create table words.u (id int primary key, v text collate words.own);`,
    rows: "insert into t select g, 'v' || g, 'w' || g from generate_series(1, 40) g; insert into words.u select id, v from t",
    up: 'drop table t; drop collation plain; drop schema words cascade;',
    down: `create schema words; create collation words.own (locale = 'C'); create collation plain (locale = 'C');
create table t (id int primary key, v text collate plain, w varchar(9) collate words.own);
create table words.u (id int primary key, v text collate words.own);`,
  },
  {
    title: 'a column of a table with an heir',
    base: 'create table t (id int primary key, v text); create table heir (extra text, primary key (id)) inherits (t);',
    rows: "insert into t values (1, 'a'); insert into heir values (2, 'b', 'x')",
    up: 'alter table t drop column v;',
    down: 'alter table t add column v text;',
  },
  {
    title: 'a schema with everything in it',
    base: `create schema "Odd one"; create type "Odd one".mood as enum ('sad', 'ok');
create domain "Odd one".price as numeric check (value >= 0);
create table "Odd one".a (id serial primary key, m "Odd one".mood, p "Odd one".price);
create table "Odd one".b (id int generated always as identity primary key, a_id int references "Odd one".a);
create view "Odd one".w as select * from "Odd one".a; create function "Odd one".f() returns int language sql as 'select 1';
create table t (id int primary key, m "Odd one".mood, n int default "Odd one".f());`,
    rows: `insert into "Odd one".a (m, p) select 'ok', g from generate_series(1, 9) g; insert into "Odd one".b (a_id) select id from "Odd one".a;
insert into t select g, 'sad' from generate_series(1, 5) g`,
    up: 'drop schema "Odd one" cascade;',
    down: `create schema "Odd one"; create type "Odd one".mood as enum ('sad', 'ok');
create domain "Odd one".price as numeric check (value >= 0);
create table "Odd one".a (id serial primary key, m "Odd one".mood, p "Odd one".price);
create table "Odd one".b (id int generated always as identity primary key, a_id int references "Odd one".a);
create view "Odd one".w as select * from "Odd one".a; create function "Odd one".f() returns int language sql as 'select 1';
alter table t add column m "Odd one".mood; alter table t alter column n set default "Odd one".f();`,
    look: `select (select last_value::int from "Odd one".a_id_seq) as serial, (select last_value::int from "Odd one".b_id_seq) as identity`,
  },
  {
    title: 'truncate cascade over three tables',
    base: `create table a (id int primary key, v text); create table b (id int primary key, a_id int references a);
create table c (b_id int references b, v text);`,
    rows: `insert into a select g, 'a' || g from generate_series(1, 10) g; insert into b select g, g from generate_series(1, 10) g;
insert into c select g, 'c' from generate_series(1, 10) g; insert into c select * from c`,
    up: 'truncate a restart identity cascade;',
    down: 'select 1;',
  },
  {
    title: 'delete using, update from, merge and moving rows in one statement',
    base: `${items} create table o (id int primary key, v text); create table done (id int primary key, v text);`,
    rows: `${filled}; insert into o select g, 'o' || g from generate_series(1, 12) g`,
    up: `delete from t using o where t.id = o.id and o.id <= 3; update t set v = o.v from o where t.id = o.id and o.id <= 6;
merge into t using o on t.id = o.id when matched and o.id > 9 then delete when matched then update set v = 'merged' when not matched then insert values (o.id, 'new');
with x as (delete from o where id > 6 returning *) insert into done select * from x;`,
    down: 'delete from done; delete from t where id <= 3;',
  },
  {
    title: 'a type that narrows, with an expression',
    base: 'create table t (id int primary key, v text, n numeric, at timestamptz, kind text default $$x$$);',
    rows: "insert into t select g, 'word ' || g, g + 0.125, '2026-01-01 10:20:30.123456+00'::timestamptz + g * interval '1 s', 'k' from generate_series(1, 40) g",
    up: 'alter table t alter v type varchar(6) using left(v, 6), alter n type int using round(n), alter at type date using at::date;',
    down: 'alter table t alter v type text, alter n type numeric, alter at type timestamptz;',
  },
  {
    title: 'a column set not null after it was filled',
    base: 'create table t (id int primary key, v text);',
    rows: "insert into t select g, case when g % 2 = 0 then 'v' end from generate_series(1, 40) g",
    up: "update t set v = 'filled' where v is null; alter table t alter v set not null, alter v set default 'filled';",
    down: 'alter table t alter v drop not null, alter v drop default;',
    after: "insert into t values (100, 'mine'); update t set v = 'other' where id = 2",
  },
  {
    title: 'an enum that loses a value by a new type',
    base: "create type mood as enum ('sad', 'ok', 'happy'); create table t (id int primary key, m mood not null default 'ok', ms mood[]);",
    rows: "insert into t select g, (array['sad', 'ok', 'happy'])[1 + g % 3]::mood, array['sad', 'happy']::mood[] from generate_series(1, 30) g",
    up: `create type mood2 as enum ('ok', 'happy'); alter table t alter m drop default;
alter table t alter m type mood2 using (case m when 'sad' then 'ok' else m::text end)::mood2, alter ms type mood2[] using array_remove(ms, 'sad')::text[]::mood2[];
alter table t alter m set default 'ok'; drop type mood; alter type mood2 rename to mood;`,
    down: `create type mood2 as enum ('sad', 'ok', 'happy'); alter table t alter m drop default;
alter table t alter m type mood2 using m::text::mood2, alter ms type mood2[] using ms::text[]::mood2[];
alter table t alter m set default 'ok'; drop type mood; alter type mood2 rename to mood;`,
  },
  {
    title: 'sequences: serial, identity, owned and set by hand',
    base: `create sequence free start 5; create sequence held; create table t (id int generated by default as identity primary key, s serial, h int default nextval('held'));
alter sequence held owned by t.h;`,
    rows: "insert into t (s) select 1 from generate_series(1, 3); select setval('free', 77); select setval('held', 500, false); select setval('t_s_seq', 900)",
    up: 'drop sequence free; alter table t drop column s, drop column h; alter table t alter id drop identity;',
    down: `create sequence free start 5; create sequence held; alter table t add column s serial, add column h int default nextval('held');
alter sequence held owned by t.h; alter table t alter id add generated by default as identity;`,
    look: `select (select last_value::int from free) as free, (select last_value::int from t_s_seq) as serial, (select last_value::int from t_id_seq) as identity`,
  },
  {
    title: 'generated columns, and the columns that they are made of',
    base: "create table t (id int primary key, a int, b int generated always as (a * 2) stored, c text, d text generated always as (coalesce(c, '') || '!') stored);",
    rows: "insert into t (id, a, c) select g, g, 'c' || g from generate_series(1, 20) g",
    up: 'alter table t drop column d, drop column c; alter table t drop column b;',
    down: "alter table t add column c text; alter table t add column d text generated always as (coalesce(c, '') || '!') stored; alter table t add column b int generated always as (a * 2) stored;",
  },
  {
    title: 'domains, arrays, json, composites, ranges, bits and networks',
    base: `create domain positive as int check (value > 0); create type pair as (a int, b text);
create table t (id int primary key, p positive, a text[], aa int[][], j json, jb jsonb, c pair, r int4range, ts tstzrange, bits bit varying, ip inet, by bytea, iv interval, f float8, pt point, x xml, ca pair[], mr int4multirange, tq tsvector, mo "char");`,
    rows: `insert into t select g, g, array['a,"b', null, ''], array[[1, 2], [3, g]], '{"a": 1,  "a": 2}', '{"b": [1, null]}', row(g, 'x "y"')::pair, int4range(g, g + 5),
tstzrange('2026-01-01', null), b'1010', '10.0.0.0/8', '\\x00ff', interval '1 mon 2 days 03:04:05.6', case when g = 3 then 'nan' when g = 4 then '-infinity' else 0.1 * g end, point(g, 0.1),
'<a>1</a>', array[row(1, null)::pair], '{[1,3),[5,9)}', to_tsvector('simple', 'a b'), 'c' from generate_series(1, 25) g`,
    up: 'alter table t drop column p, drop column a, drop column aa, drop column j, drop column jb, drop column c, drop column r, drop column ts, drop column bits, drop column ip, drop column by, drop column iv, drop column f, drop column pt, drop column x, drop column ca, drop column mr, drop column tq, drop column mo; drop domain positive; drop type pair;',
    down: `create domain positive as int check (value > 0); create type pair as (a int, b text);
alter table t add p positive, add a text[], add aa int[][], add j json, add jb jsonb, add c pair, add r int4range, add ts tstzrange, add bits bit varying, add ip inet, add by bytea, add iv interval, add f float8, add pt point, add x xml, add ca pair[], add mr int4multirange, add tq tsvector, add mo "char";`,
  },
  {
    title: 'a table of such columns, emptied and dropped',
    base: `create type pair as (a int, b text); create table t (j json, c pair, x xml, pt point, a pair[], n numeric(10, 3), d date);
create table keyed (id uuid primary key, c pair, h int4range);`,
    rows: `insert into t select '{"a":1}', row(1, 'b')::pair, '<a/>', point(1, 2), array[row(1, 'x')::pair], 1.500, 'infinity' from generate_series(1, 3); insert into t default values;
insert into keyed select md5(g::text)::uuid, row(g, null)::pair, 'empty' from generate_series(1, 9) g`,
    up: 'delete from t; truncate keyed; drop table t, keyed; drop type pair;',
    down: `create type pair as (a int, b text); create table t (j json, c pair, x xml, pt point, a pair[], n numeric(10, 3), d date);
create table keyed (id uuid primary key, c pair, h int4range);`,
  },
  {
    title: 'a column of a table without a key, with rows that are the same',
    base: 'create table t (a int, v text, w text);',
    rows: "insert into t select g % 3, 'v' || g % 2, 'w' || g % 4 from generate_series(1, 48) g; insert into t values (null, null, null), (null, null, 'x')",
    up: 'alter table t drop column w;',
    down: 'alter table t add column w text;',
  },
  {
    title: 'names with quotes, dots, capitals, spaces and other alphabets',
    base: `create schema "a.b"; create table "a.b"."T ""q"" ünï.täble" ("Id.x" int primary key, "sel""ect" text, "größe $1" int default 3, "таблица" text);
create table "a.b"."select" ("from" int primary key, "where" text); create table "'quoted'" ("'" int primary key, "\\" text, "%I" text);`,
    rows: `insert into "a.b"."T ""q"" ünï.täble" select g, 'x', g, 'ж' from generate_series(1, 12) g; insert into "a.b"."select" select g, 'y' from generate_series(1, 12) g;
insert into "'quoted'" values (1, 'a', 'b')`,
    up: `alter table "a.b"."T ""q"" ünï.täble" drop column "sel""ect", drop column "таблица"; update "a.b"."T ""q"" ünï.täble" set "größe $1" = 0;
delete from "a.b"."select" where "from" < 4; alter table "a.b"."select" drop column "where"; alter table "'quoted'" drop column "\\", drop column "%I"; drop table "'quoted'";`,
    down: `alter table "a.b"."T ""q"" ünï.täble" add column "sel""ect" text, add column "таблица" text; alter table "a.b"."select" add column "where" text;
create table "'quoted'" ("'" int primary key, "\\" text, "%I" text);`,
  },
  {
    title: 'a name of 63 bytes in three schemas',
    base: `create schema s1; create schema s2; create table t_${'x'.repeat(61)} (id int primary key, v text); create table s1.t_${'x'.repeat(61)} (id int primary key, v text);
create table s2.t_${'x'.repeat(61)} (id int primary key, v text);`,
    rows: `insert into t_${'x'.repeat(61)} values (1, 'a'); insert into s1.t_${'x'.repeat(61)} values (1, 'b'); insert into s2.t_${'x'.repeat(61)} values (1, 'c')`,
    up: `drop table s1.t_${'x'.repeat(61)}; drop table s2.t_${'x'.repeat(61)}; set search_path to s1, public; drop table t_${'x'.repeat(61)};`,
    down: `create table t_${'x'.repeat(61)} (id int primary key, v text); create table s1.t_${'x'.repeat(61)} (id int primary key, v text);
create table s2.t_${'x'.repeat(61)} (id int primary key, v text);`,
  },
  {
    title: 'wide rows beyond the page',
    base: 'create table t (id int primary key, big text, blob bytea, v int); alter table t alter big set storage external;',
    rows: "insert into t select g, repeat(md5(g::text), 40000), decode(repeat(md5(g::text), 2000), 'hex'), g from generate_series(1, 8) g",
    up: 'alter table t drop column blob; update t set big = left(big, 10) where id < 4; delete from t where id = 8; alter table t drop column big;',
    down: 'alter table t add column big text, add column blob bytea;',
  },
  {
    title: 'triggers that would note or change rows that come back',
    base: `${items} create table audit (id serial primary key, what text); alter table t add column updated_at timestamptz default '2020-01-01';
create function note() returns trigger language plpgsql as $$ begin insert into audit (what) values (tg_op); if tg_op = 'DELETE' then return old; end if; new.updated_at = clock_timestamp(); return new; end $$;
create trigger noted before insert or update or delete on t for each row execute function note();`,
    rows: filled,
    up: 'alter table t disable trigger noted; update t set v = upper(v); delete from t where id > 30; alter table t drop column v; alter table t enable trigger noted;',
    down: 'alter table t add column v text;',
  },
  {
    title: 'a block of code that drops a table and a column and empties another table',
    base: `${items} create table u (id int primary key, v text, w text); create table x (id int primary key, v text);`,
    rows: `${filled}; insert into u select id, v, v from t; insert into x select * from t`,
    up: "do $$ declare r record; begin for r in select 1 loop execute 'drop table t'; end loop; alter table u drop column w; truncate x; update u set v = 'code'; end $$;",
    down: `${items} alter table u add column w text;`,
  },
  {
    title: 'a procedure and a function that delete',
    base: `${items} create procedure p() language sql as 'delete from t where id < 5'; create function f() returns bigint language sql as 'with x as (update t set v = upper(v) returning 1) select count(*) from x';`,
    rows: filled,
    up: 'call p(); select f(); explain analyze delete from t where id = 20;',
    down: 'select 1;',
  },
  {
    title: 'a rule and an updatable view that write elsewhere',
    base: `${items} create view w as select * from t where id < 10; create table u (id int primary key, n int); create rule r as on update to u do also update t set v = 'ruled' where t.id = old.id;`,
    rows: `${filled}; insert into u select g, g from generate_series(20, 30) g`,
    up: "update w set v = 'seen'; delete from w where id = 3; update u set n = 0;",
    down: 'select 1;',
  },
  {
    title: 'a key that is renumbered',
    base: `${items} create table c (t_id int references t on update cascade on delete set null, id int primary key);`,
    rows: `${filled}; insert into c select g, g from generate_series(1, 40) g`,
    up: 'update t set id = id + 1000 where id <= 10; delete from t where id = 11;',
    down: 'update t set id = id - 1000 where id > 1000;',
  },
  {
    title: 'the primary key and its column, and another in its place',
    base: 'create table t (id int primary key, code text not null, v text);',
    rows: "insert into t select g, 'c' || g, 'v' from generate_series(1, 30) g",
    up: 'alter table t drop column id; alter table t add primary key (code);',
    down: 'alter table t drop constraint t_pkey; alter table t add column id int; alter table t add primary key (id); alter table t alter code set not null;',
  },
  {
    title: 'a renamed table and a renamed column, then dropped',
    base: items,
    rows: filled,
    up: 'alter table t rename to t2; alter table t2 rename column v to w; update t2 set w = upper(w); alter table t2 drop column w; drop table t2;',
    down: items,
  },
  {
    title: 'a table that is written anew by another of its name',
    base: items,
    rows: filled,
    up: 'create table t_new (id bigint primary key, v text, extra int); insert into t_new select id, v, 1 from t; drop table t; alter table t_new rename to t;',
    down: 'create table t_old (id int primary key, v text); insert into t_old select id, v from t; drop table t; alter table t_old rename to t;',
    after: "insert into t values (500, 'late', 7)",
  },
  {
    title: 'an unlogged table, one in its own storage settings, and an empty one',
    base: 'create unlogged table t (id int primary key, v text) with (fillfactor = 50); create table e (id int primary key); create table n (v text);',
    rows: `${filled}; insert into n values (null), ('')`,
    up: 'drop table t, e, n;',
    down: 'create unlogged table t (id int primary key, v text) with (fillfactor = 50); create table e (id int primary key); create table n (v text);',
  },
  {
    title: 'rows written after the up in a table and a column that it made',
    base: items,
    rows: filled,
    up: "create table made (id int generated always as identity primary key, t_id int references t, v text); alter table t add column extra text default 'd', add column at timestamptz default '2026-01-01';",
    down: 'alter table t drop column extra, drop column at; drop table made;',
    after:
      "insert into made (t_id, v) select id, 'x' from t; update t set extra = 'mine' where id < 9; insert into t values (900, 'n', null, null)",
  },
]

test.each(cases)('$title', async ({ base, rows: filling, up: going, down: coming, after, look }) => {
  const { session, sql, rows, up, down } = await story({ '1_base': [base, 'select 1;'], '2_odd': [going, coming] })
  await up('1')
  await sql(filling)
  const seen = () => digestTables(session)
  const asked = async () => (look ? rows(look) : [])
  const before = await seen()
  const answer = await asked()
  await up()
  const applied = await seen()
  await down()
  expect(await seen()).toEqual(before)
  expect(await asked()).toEqual(answer)
  await up()
  expect(await seen()).toEqual(applied)
  if (after) await sql(after)
  const written = await seen()
  await down()
  if (!after) expect(await seen()).toEqual(before)
  await up()
  expect(await seen()).toEqual(written)
})

test('what a partition or an heir had of its parent ties it to nothing once it is in the archive', async () => {
  const { sql, rows, up, down, copies } = await story({
    '1_base': [
      `create table owners (id int primary key, name text);
create function fine(v text) returns boolean language sql immutable return v <> '';
create function noted() returns trigger language plpgsql as $$ begin return new; end $$;
create table m (id int primary key, owner_id int not null references owners, v text constraint fine check (fine(v))) partition by range (id);
create trigger noted before insert on m for each row execute function noted();
create table m1 partition of m for values from (0) to (100);
create table m2 partition of m default;
create table base (id int, v text constraint well check (fine(v)));
create table heir (extra int, primary key (id)) inherits (base);`,
      'drop table heir, base, m, owners; drop function fine, noted;',
    ],
    '2_gone': [
      'drop table m1; drop table heir;',
      'create table m1 partition of m for values from (0) to (100); create table heir (extra int, primary key (id)) inherits (base);',
    ],
  })
  await up('1')
  await sql(`insert into owners select n, 'o' || n from generate_series(1, 3) n;
    insert into m select n, 1 + n % 2, 'v' || n from generate_series(1, 120) n; insert into heir select n, 'h', n from generate_series(1, 5) n`)
  const digest = () =>
    rows("select (select md5(string_agg(m::text, ' ' order by id)) from m) as m, (select count(*) from heir) as heirs")
  const before = await digest()
  await up()
  expect(await copies()).toBe(2)
  // People go on: none of this may be refused because of what the archive holds.
  await sql(`update owners set id = 30 where id = 3; delete from owners where id = 30;
    alter table m drop constraint fine; alter table base drop constraint well; drop trigger noted on m; drop function fine; drop function noted`)
  await down()
  expect(await digest()).toEqual(before)
  expect(await copies()).toBe(0)
  await up()
  await sql('delete from m where owner_id = 2; delete from owners where id = 2')
  const [report] = (await down()).done.flatMap(
    ({ preserved }) => preserved?.restored.filter(one => one.source === 'public.m1') ?? [],
  )
  expect(report).toMatchObject({ restored: 49, orphaned: 50 })
})
