/** Drift: what somebody did to a database by hand is found, and the SQL that is printed takes it back. */
import { assert, asyncProperty, constantFrom, uniqueArray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { compareCatalogs } from '../../src/migrations/compare.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { diffSchemas } from '../../src/schema/diff.ts'
import { emptyDatabase, platformDatabase } from '../support/database.ts'
import { duckDatabase, failureOf, folderOf, openSession, someone, writeFiles } from './support.ts'
import { failuresOf, thereAndBack } from './way-back.ts'

/** Something of everything, with what hangs together. */
const base = `
create schema shop;
comment on schema shop is 'goods';
create type shop.mood as enum ('sad', 'ok', 'happy');
create domain shop.percent as numeric default 0 not null constraint up check (value <= 100) constraint low check (value >= 0);
create sequence shop.tickets start 100 increment 5;
create function shop.tax(amount numeric) returns numeric language sql immutable as 'select amount * 0.2';
create function shop.touch() returns trigger language plpgsql as $$ begin new.note := coalesce(new.note, ''); return new; end $$;
create procedure shop.clean() language sql as 'select 1';
create aggregate shop.total(numeric) (sfunc = numeric_add, stype = numeric, initcond = '0');
create table shop.customers (
  id int generated always as identity,
  "Full Name" text not null,
  mood shop.mood not null default 'ok',
  rate shop.percent,
  note text default 'none',
  spent numeric(12, 2) not null default 0,
  taxed numeric generated always as (spent * 1.2) stored,
  primary key (id),
  constraint customers_name unique ("Full Name"),
  constraint spent_positive check (spent >= 0)
);
create table shop.orders (
  id serial primary key,
  customer_id int not null references shop.customers on delete cascade,
  fee numeric default shop.tax(10),
  "when" daterange,
  placed_at timestamptz not null default now(),
  constraint no_overlap exclude using gist ("when" with &&)
);
create index orders_customer on shop.orders (customer_id) include (fee);
create index orders_recent on shop.orders (placed_at desc) where fee > 0;
create unique index customers_lower on shop.customers (lower("Full Name"));
create view shop.rich as select id, "Full Name", spent from shop.customers where spent > 100 and mood = 'happy';
create view shop.richest as select max(spent) as most, count(*) as n from shop.rich;
create materialized view shop.totals as select customer_id, sum(shop.tax(fee)) as fees from shop.orders group by customer_id;
create trigger customers_touch before insert or update of note on shop.customers for each row execute function shop.touch();
alter table shop.customers enable row level security;
create policy own on shop.customers for select to public using (spent > 0 and shop.tax(spent) < 1000);
grant select, insert on shop.customers to pg_monitor;
grant update (note, mood) on shop.customers to pg_monitor;
grant usage on schema shop to pg_monitor;
revoke execute on function shop.tax(numeric) from public;
grant select on shop.rich to pg_monitor;
comment on table shop.customers is 'who buys';
comment on column shop.customers.note is 'it''s free';
comment on view shop.rich is 'rich ones';
comment on function shop.tax(numeric) is 'what is due';
comment on index shop.orders_recent is 'the newest first';
comment on constraint spent_positive on shop.customers is 'no debts';
comment on constraint customers_pkey on shop.customers is 'who';
comment on constraint orders_customer_id_fkey on shop.orders is 'whose';
comment on trigger customers_touch on shop.customers is 'no nulls';
comment on policy own on shop.customers is 'small ones';
comment on sequence shop.tickets is 'by five';
grant usage on sequence shop.tickets to pg_monitor;
grant select on sequence shop.orders_id_seq to pg_monitor;
alter default privileges in schema shop grant select on tables to pg_monitor;
alter default privileges revoke execute on functions from public;
alter view shop.richest owner to pg_monitor;
create table shop.events (id int not null, at timestamptz not null, kind text not null default 'x', primary key (id, at)) partition by range (at);
create table shop.events_2026 partition of shop.events for values from ('2026-01-01') to ('2027-01-01');
create table shop.events_rest partition of shop.events default;
create index events_kind on shop.events (kind);
create trigger events_touch after insert on shop.events for each statement execute function shop.touch();
`

/** What somebody may do by hand; one that does not fit the moment is left out. */
const deeds: readonly string[] = [
  'drop table shop.orders cascade',
  'drop table shop.customers cascade',
  'drop table shop.events cascade',
  'drop schema shop cascade',
  'create table shop.extra (id int primary key, parent int references shop.extra, c int references shop.customers)',
  'create schema aside create table things (id int primary key)',
  "create type shop.size as enum ('s', 'l')",
  'create domain shop.short as varchar(3)',
  'create sequence shop.more',
  "create function shop.extra() returns int language sql as 'select 1'",
  "create function shop.rows() returns setof shop.orders language sql as 'select * from shop.orders'",
  'create view shop.extra_view as select * from shop.rich',
  "alter table shop.customers add column extra text not null default 'x'",
  'alter table shop.customers add column more shop.mood',
  'alter table shop.customers drop column note cascade',
  'alter table shop.customers drop column spent cascade',
  'alter table shop.customers drop column taxed',
  'alter table shop.customers alter column taxed drop expression',
  'drop trigger customers_touch on shop.customers; alter table shop.customers alter column note type varchar(40)',
  'alter table shop.customers alter column note set not null',
  'alter table shop.customers alter column note drop default',
  "alter table shop.customers alter column note set default 'other'",
  'alter table shop.customers alter column "Full Name" drop not null',
  'drop view shop.rich cascade; alter table shop.customers alter column "Full Name" type text collate "C"',
  'alter table shop.customers alter column id set generated by default',
  'alter table shop.customers alter column id drop identity',
  'alter table shop.customers alter column mood drop default',
  'alter table shop.customers drop constraint customers_name',
  'alter table shop.customers drop constraint customers_pkey cascade',
  'alter table shop.customers drop constraint spent_positive',
  'alter table shop.customers drop constraint spent_positive, add constraint spent_positive check (spent >= 5) not valid',
  'alter table shop.customers disable row level security',
  'alter table shop.customers force row level security',
  'alter table shop.customers set (fillfactor = 70)',
  'alter table shop.customers rename column note to remark',
  'alter table shop.orders alter column fee set default 3',
  'alter table shop.orders alter column id drop default',
  'alter table shop.orders alter column id type bigint',
  'alter table shop.orders drop constraint orders_customer_id_fkey',
  'alter table shop.orders drop constraint orders_customer_id_fkey, add constraint orders_customer_id_fkey foreign key (customer_id) references shop.customers on delete set null deferrable not valid',
  'alter table shop.orders drop constraint orders_customer_id_fkey, add constraint orders_customer_id_fkey foreign key (customer_id) references shop.customers match full on delete set null (customer_id) deferrable initially deferred',
  'alter table shop.orders drop constraint orders_customer_id_fkey, add constraint orders_customer_id_fkey foreign key (customer_id) references shop.customers not enforced',
  'alter table shop.orders drop constraint no_overlap',
  'alter table shop.orders set unlogged',
  'drop sequence shop.orders_id_seq cascade',
  'drop index shop.orders_customer',
  'drop index shop.orders_recent; create index orders_recent on shop.orders (placed_at) where fee > 5',
  'drop index shop.customers_lower',
  'create index extra on shop.orders (placed_at)',
  'drop view shop.rich cascade',
  'create or replace view shop.rich as select id, "Full Name", spent from shop.customers where spent > 5',
  'alter view shop.rich set (security_invoker = true)',
  'drop materialized view shop.totals',
  'drop trigger customers_touch on shop.customers',
  'alter table shop.customers disable trigger customers_touch',
  'create trigger extra before delete on shop.customers for each row execute function shop.touch()',
  'drop policy own on shop.customers',
  'alter policy own on shop.customers to pg_monitor using (true)',
  'create policy extra on shop.orders as restrictive for all using (customer_id in (select id from shop.customers))',
  "create or replace function shop.tax(amount numeric) returns numeric language sql immutable as 'select amount * 0.3'",
  "drop function shop.tax(numeric) cascade; create function shop.tax(amount numeric) returns float language sql immutable as 'select 1.0::float'",
  'drop function shop.touch() cascade',
  'drop procedure shop.clean()',
  'drop aggregate shop.total(numeric)',
  'alter function shop.tax(numeric) security definer',
  'grant execute on function shop.tax(numeric) to public',
  'revoke select on shop.customers from pg_monitor',
  'grant select on shop.customers to pg_monitor with grant option',
  'grant update on shop.customers to pg_monitor',
  'grant select (note) on shop.customers to pg_monitor',
  'revoke update on shop.customers from pg_monitor',
  'grant delete on shop.orders to public',
  'grant create on schema shop to pg_monitor',
  'revoke select on shop.rich from pg_monitor',
  'grant update on sequence shop.tickets to pg_monitor',
  'revoke all on sequence shop.orders_id_seq from pg_monitor',
  'alter default privileges in schema shop revoke select on tables from pg_monitor',
  'alter default privileges in schema shop grant select, insert on tables to public',
  'alter default privileges grant execute on functions to public',
  'alter default privileges grant usage on sequences to pg_monitor',
  'alter default privileges for role pg_monitor grant select on tables to pg_signal_backend',
  'alter table shop.orders owner to pg_monitor',
  'alter table shop.customers owner to pg_monitor',
  'alter view shop.richest owner to current_user',
  'alter function shop.tax(numeric) owner to pg_monitor',
  'alter type shop.mood owner to pg_monitor',
  'alter sequence shop.tickets owner to pg_monitor',
  'alter schema shop owner to pg_monitor',
  'comment on index shop.orders_recent is null',
  "comment on index shop.orders_customer is 'x'",
  "comment on constraint spent_positive on shop.customers is 'x'",
  'comment on constraint orders_customer_id_fkey on shop.orders is null',
  "comment on trigger events_touch on shop.events is 'x'",
  'comment on policy own on shop.customers is null',
  "comment on sequence shop.tickets is 'by six'",
  'comment on table shop.customers is null',
  "comment on column shop.customers.note is 'other'",
  'comment on view shop.rich is null',
  "comment on schema shop is 'x'",
  "comment on type shop.mood is 'x'",
  'comment on function shop.tax(numeric) is null',
  "alter type shop.mood add value 'ecstatic'",
  "alter type shop.mood add value 'calm' before 'ok'",
  "alter type shop.mood rename value 'happy' to 'glad'",
  'alter domain shop.percent drop constraint up',
  'alter domain shop.percent set default 5',
  'alter domain shop.percent drop not null',
  'alter domain shop.percent add constraint odd check (value <> 7)',
  'alter sequence shop.tickets increment 1 cycle',
  'drop sequence shop.tickets',
  'alter table shop.events add column extra int',
  'alter table shop.events drop column kind cascade',
  "alter table shop.events alter column kind set default 'y'",
  "alter table shop.events_2026 alter column kind set default 'z'",
  'drop index shop.events_kind',
  'create index events_at on shop.events (at)',
  'alter table shop.events drop constraint events_pkey',
  'drop table shop.events_rest',
  'alter table shop.events detach partition shop.events_rest',
  'drop trigger events_touch on shop.events',
  'alter table shop.events_2026 enable row level security',
]

async function openShop(): Promise<{ readonly session: Session; readonly url: string }> {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  await session.script(base)
  return { session, url }
}

describe('the way back', () => {
  test('from every single deed', async () => {
    const { session } = await openShop()
    expect(await failuresOf(session, deeds)).toBe('')
  })

  test('from any mixture of them', { timeout: 240_000 }, async () => {
    const { session } = await openShop()
    await assert(
      asyncProperty(uniqueArray(constantFrom(...deeds), { minLength: 2, maxLength: 7 }), async done => {
        await thereAndBack(session, done)
      }),
      { numRuns: Number(process.env['DRIFT_RUNS'] ?? 25), endOnFailure: true },
    )
  })
})

test('nothing changes where nothing differs', async () => {
  const { session } = await openShop()
  const catalog = await session.introspect()
  expect(await session.engine.writeChanges?.(catalog, catalog)).toEqual([])
  expect(diffSchemas(catalog, catalog)).toEqual([])
})

test('numbers go on where rows have them', async () => {
  const { session } = await openShop()
  await session.script(
    `insert into shop.customers ("Full Name") values ('a'), ('b'); insert into shop.orders (customer_id) values (1), (2), (2);`,
  )
  await thereAndBack(session, [
    'alter table shop.customers alter column id drop identity',
    'drop sequence shop.orders_id_seq cascade',
  ])
  const { rows } = await session.query(`insert into shop.customers ("Full Name") values ('c') returning id`)
  expect(rows).toEqual([{ id: 3 }])
  expect((await session.query('insert into shop.orders (customer_id) values (3) returning id')).rows).toEqual([
    { id: 4 },
  ])
})

test('a difference of a partition that its parent has as well is told once', async () => {
  const { session } = await openShop()
  const made = await session.introspect()
  const told = async (deed: string) => {
    await session.script(deed)
    const { differences } = compareCatalogs(made, await session.introspect())
    return differences.map(one => one.object)
  }
  expect(await told("alter table shop.events alter column kind set default 'y'")).toEqual(['column shop.events.kind'])
  expect(await told("alter table shop.events_2026 alter column kind set default 'z'")).toEqual([
    'column shop.events.kind',
    'column shop.events_2026.kind',
  ])
})

describe('drift of a track', () => {
  const files = {
    '1_a': ['create table a (id int primary key, note text);', 'drop table a;'],
    '2_b': ['create table b (id int primary key);', 'drop table b;'],
  } as const

  async function tracked(url: string) {
    const folder = await folderOf(files)
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    const scratch = { engine: await engineOf(url), url }
    return { folder, session, find: (from = folder) => findDrift(session, { ...someone, folder: from, scratch }) }
  }

  test('is none after applying, and what is pending is none either', async () => {
    const { find } = await tracked((await emptyDatabase()).url)
    expect(await find()).toMatchObject({ status: 'none', version: '1', differences: [], sql: '' })
  })

  test('is found, and its SQL takes it back', async () => {
    const { session, find } = await tracked((await emptyDatabase()).url)
    await session.script('alter table a drop column note; create index by_hand on a (id); create table c (id int);')
    const found = await find()
    expect(found).toMatchObject({ status: 'found', version: '1' })
    expect(found.differences.map(one => `${one.change} ${one.object}`)).toEqual([
      'removed column public.a.note',
      'added column public.c.id',
      'added index public.by_hand',
      'added table public.c',
    ])
    expect(found.sql).toContain('-- The table public.c goes with its rows.')
    await session.script(found.sql)
    expect(await find()).toMatchObject({ status: 'none' })
  })

  test('uses what ran: an edited or lost file changes nothing', async () => {
    const { folder, session, find } = await tracked((await emptyDatabase()).url)
    await writeFiles(folder, { '1_a.up.sql': 'create table other (id int);' })
    expect(await find()).toMatchObject({ status: 'none' })
    expect(await find(await folderOf({}))).toMatchObject({ status: 'none' })
    await session.script('drop table a')
    expect(await find(await folderOf({}))).toMatchObject({ status: 'found' })
  })

  test('is not who applied, but whoever took one of them over, and whoever a migration did not name', async () => {
    const { url } = await emptyDatabase()
    const folder = await folderOf({
      '1_a': [
        'create table a (id int primary key); create table b (id int); create table c (id serial); create view v as select 1 as one; create view w as select 2 as two; alter view w owner to pg_read_all_stats; alter default privileges grant select on tables to pg_signal_backend; grant select on a to pg_monitor;',
        '',
      ],
    })
    const session = await openSession(url)
    await applyTrack(session, { ...someone, folder, preserve: 'off' })
    const scratch = { engine: await engineOf(url), url }
    const find = () => findDrift(session, { ...someone, folder, scratch })
    // As if another role had applied them.
    await session.script(`
      alter table a owner to pg_monitor; alter table b owner to pg_monitor; alter table c owner to pg_monitor; alter view v owner to pg_monitor;
      alter default privileges revoke select on tables from pg_signal_backend;
      alter default privileges for role pg_monitor grant select on tables to pg_signal_backend`)
    expect(await find()).toMatchObject({ status: 'none', differences: [] })
    await session.script('alter table b owner to pg_signal_backend; alter view w owner to pg_monitor')
    const found = await find()
    expect(found.differences).toMatchObject([
      { object: 'table public.b', property: 'owner', before: 'pg_monitor', after: 'pg_signal_backend' },
      { object: 'view public.w', property: 'owner', before: 'pg_read_all_stats', after: 'pg_monitor' },
    ])
    await session.script(found.sql)
    expect(await find()).toMatchObject({ status: 'none' })
  })

  test('needs something that is applied', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const scratch = { engine: await engineOf(url), url }
    expect(await failureOf(findDrift(session, { ...someone, folder: await folderOf(files), scratch }))).toMatchObject({
      code: 'HISTORY_UNKNOWN',
      hint: expect.stringContaining('plinth baseline'),
    })
  })

  test('does not count what another tool keeps for itself', async () => {
    const { session, find } = await tracked((await emptyDatabase()).url)
    await session.script('create table schema_migrations (version bigint primary key, dirty boolean not null)')
    expect(await find()).toMatchObject({ status: 'none' })
    await session.script('create table schema_notes (version bigint primary key)')
    expect(await find()).toMatchObject({ status: 'found' })
  })

  test('of a warehouse is told in words, since no SQL is written for it', async () => {
    const { session, find } = await tracked(await duckDatabase())
    expect(await find()).toMatchObject({ status: 'none' })
    await session.script('alter table a drop column note')
    expect(await find()).toMatchObject({
      status: 'found',
      sql: '-- No statement leads back:\n-- column main.a.note is missing in the database\n',
    })
  })
})

test('partitions that the clock makes are no drift, a default partition that is gone is', async () => {
  const { url } = await platformDatabase()
  const session = await openSession(url)
  const made = await session.introspect()
  await session.script(
    "select platform.ensure_usage_event_partitions(now() + interval '200 days', now() + interval '220 days')",
  )
  const later = await session.introspect()
  expect(diffSchemas(made, later).length).toBeGreaterThan(0)
  expect(compareCatalogs(made, later).differences).toEqual([])
  expect(compareCatalogs(later, made).differences).toEqual([])
  const [rest] = made.tables.filter(table => table.partitionOf?.bounds === 'DEFAULT')
  expect(rest).toBeDefined()
  await session.script(`drop table ${rest?.schema}.${rest?.name} cascade`)
  expect(compareCatalogs(made, await session.introspect()).differences.length).toBeGreaterThan(0)
})
