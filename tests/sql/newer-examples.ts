/** What came with which version, as statements that a server can be asked as well. They stand on the objects of `newerGround`. */
export const newerGround = `
create table t (a int primary key, b int, c text, d int4range not null, j jsonb, unique (a, b));
create table u (a int primary key, b int references t, d int4range);
create table parted (a int) partition by list (a);
create table part partition of parted for values in (1);
create table made (a int, b int generated always as (a * 2) stored);
create view v as select 1 as one;
create function f() returns trigger language plpgsql as 'begin return new; end';
create schema s;
create role plinth_newer_one;
create role plinth_newer_two;
alter table u add constraint checked foreign key (b) references t (a);`

export interface NewerExample {
  readonly sql: string
  /** Null for what every supported server understands. */
  readonly newer: { readonly what: string; readonly since: number } | null
}

export const newerExamples: readonly NewerExample[] = [
  ...came(14, {
    'alter table parted detach partition part concurrently': 'detach partition … concurrently',
    'alter table t alter c set compression pglz': 'set compression',
    'create table n (c text compression pglz)': 'compression',
    'create function n() returns int begin atomic select 1; end': 'a body without quotes',
    "create procedure n(out a int) language sql as 'select 1'": 'out parameters of a procedure',
    'create or replace trigger n before insert on t for each row execute function f()': 'create or replace trigger',
    'create statistics n on (a + b) from t': 'statistics on an expression',
    'with recursive n as (select 1 as a union all select a + 1 from n where a < 3) search depth first by a set o select * from n':
      'search',
    'with recursive n as (select 1 as a union all select a + 1 from n where a < 3) cycle a set o using p select * from n':
      'cycle',
    'select a from t group by distinct a, cube (a, b)': 'group by distinct',
  }),
  ...came(15, {
    'merge into t using u on t.a = u.a when matched then delete': 'merge',
    'create unique index on t (b) nulls not distinct': 'nulls not distinct',
    'create table n (a int unique nulls not distinct)': 'nulls not distinct',
    'alter table u add foreign key (a, b) references t (a, b) on delete set null (b)': 'on delete set … (columns)',
    'create view n with (security_invoker = true) as select 1 as a': 'security_invoker',
    'alter view v set (security_invoker = on)': 'security_invoker',
    'alter table t set access method heap': 'set access method',
    'create publication n for table t (a)': 'columns of a published table',
    'create publication n for table t where (a > 1)': 'rows of a published table',
    'create publication n for tables in schema s': 'tables in schema',
    'grant set on parameter log_statement to plinth_newer_one': 'privileges on a parameter',
  }),
  ...came(16, {
    'select count(*) from (select 1)': 'a query in "from" without an alias',
    'grant plinth_newer_one to plinth_newer_two with inherit true': 'with inherit',
    'grant plinth_newer_one to plinth_newer_two with set false': 'with set',
    "select json_object('a': 1)": 'json_object',
    'select json_array(1, 2)': 'json_array',
    'select json_array(select a from t)': 'json_array',
    'select json_arrayagg(a) from t': 'json_arrayagg',
    'select json_objectagg(a: b) from t': 'json_objectagg',
    'select c is json from t': 'is json',
  }),
  ...came(17, {
    'merge into t using u on t.a = u.a when matched then delete returning t.a': 'merge … returning',
    'merge into t using u on t.a = u.a when not matched by source then delete': 'when not matched by source',
    'alter table made alter b set expression as (a + 1)': 'set expression',
    'grant maintain on t to plinth_newer_one': 'maintain',
    'alter default privileges grant maintain on tables to plinth_newer_one': 'maintain',
    "select * from json_table('[1]', '$[*]' columns (a int path '$'))": 'json_table',
    "select json_value('1', '$')": 'json_exists, json_value and json_query',
    "select json('1' with unique keys)": 'json(… with unique keys)',
    'select json_scalar(1)': 'json_scalar',
    "select json_serialize('1')": 'json_serialize',
  }),
  ...came(18, {
    'create table n (a int, b int generated always as (a * 2) virtual)': 'generated … virtual',
    'create table n (a int, b int generated always as (a * 2))': 'generated … virtual',
    'alter table t add constraint n check (a > 0) not enforced': 'not enforced',
    'create table n (a int references t not enforced)': 'not enforced',
    'alter table t add constraint n not null b not valid': 'add constraint … not null',
    'alter table u alter constraint checked not enforced': 'alter constraint … enforced',
    'alter table t add unique (d without overlaps)': 'without overlaps',
    'insert into t values (1) returning with (old as o) o.a': 'returning with (old, new)',
  }),
  ...[
    'create table n (a int check (a > 0), b int generated always as (a * 2) stored, c text collate "C")',
    'create view n with (security_barrier = true) as select 1 as a',
    'alter table t add constraint n check (a > 0) not valid',
    'alter table u add foreign key (a) references t on delete set null',
    'alter table parted detach partition part',
    'create trigger n before insert on t for each row execute function f()',
    'grant select on t to plinth_newer_one',
    'grant plinth_newer_one to plinth_newer_two with admin option',
    'create publication n for table t',
    'create statistics n on a, b from t',
    "select extract(year from now()), json_build_object('a', 1), json('1'), count(*) from (select 1) x",
  ].map(sql => ({ sql, newer: null })),
]

function came(since: number, statements: Readonly<Record<string, string>>): NewerExample[] {
  return Object.entries(statements).map(([sql, what]) => ({ sql, newer: { what, since } }))
}
