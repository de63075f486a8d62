import { expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { catalogOf } from '../../src/migrations/catalog.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { duckDatabase, folderOf, openSession, someone } from './support.ts'

const prelude = [
  {
    file: 'prelude.sql',
    text: `create schema platform;
create type platform.tier as enum ('free', 'paid');
create domain platform.email as text;
create sequence platform.numbers;
create table platform.accounts (id int primary key, tier platform.tier);
create view platform.paying as select id from platform.accounts where tier = 'paid';
create table public.administrators (name text);`,
  },
]

const files = {
  '1_orders.up.sql': `create table orders (id int primary key, account int references platform.accounts, contact platform.email);
create view platform.ordering as select account from orders;
alter table platform.accounts add column ours int;
create policy ours on platform.accounts using (ours = 1);`,
  '1_orders.down.sql': 'select 1;',
}

test('what a platform has in more or other shape is no drift, and what the migrations made there is compared', async () => {
  const { url } = await emptyDatabase()
  await withClient(url, client =>
    client.query(`create schema platform;
create type platform.tier as enum ('free', 'paid', 'enterprise');
create domain platform.email as text check (value ~ '@');
create table platform.accounts (id int primary key, tier platform.tier default 'free', unique (tier, id));
comment on table platform.accounts is 'theirs';
create table platform.invoices (id int primary key references platform.accounts);
create index on platform.accounts (tier);
create table public.administrators (name text, since date);
insert into public.administrators values ('a')`),
  )
  const session = await openSession(url)
  const folder = await folderOf(files)
  expect((await applyTrack(session, { folder, ...someone })).error).toBeNull()
  const place = { engine: await engineOf(url), url, prelude }
  const drift = () => findDrift(session, { folder, scratch: place, ...someone })
  expect((await drift()).differences).toEqual([])

  await session.script(`drop policy ours on platform.accounts;
alter table platform.accounts alter column ours type bigint;
create table public.by_hand (id int);
create table platform.more_of_theirs (id int);
drop view platform.ordering`)
  expect((await drift()).differences.map(({ change, object }) => `${change} ${object}`)).toEqual([
    'changed column platform.accounts.ours',
    'added column public.by_hand.id',
    'removed policy platform.accounts.ours',
    'added table public.by_hand',
    'removed view platform.ordering',
  ])

  const schema = await catalogOf({ ...place, folder, ...someone })
  expect(schema.tables.map(({ name }) => name)).toEqual(['orders'])
  expect(schema.views.map(({ name }) => name)).toEqual(['ordering'])
  expect([schema.enums, schema.domains, schema.sequences]).toEqual([[], [], []])
  expect(schema.schemas.map(({ name }) => name)).not.toContain('platform')
})

test('a warehouse has a prelude as well', async () => {
  const url = await duckDatabase()
  const folder = await folderOf({
    '1_totals.up.sql': 'create table totals as select * from raw.events;',
    '1_totals.down.sql': 'drop table totals;',
  })
  const place = { engine: await engineOf(url), url, folder, ...someone }
  await expect(catalogOf(place)).rejects.toMatchObject({ code: 'SQL_FAILED' })
  const text = 'create schema raw;\ncreate table raw.events (id int);'
  const schema = await catalogOf({ ...place, prelude: [{ file: 'prelude.sql', text }] })
  expect(schema.tables.map(({ name }) => name)).toEqual(['totals'])
  await expect(
    catalogOf({ ...place, prelude: [{ file: 'prelude.sql', text: `${text}\ncreate tabel x (id int);` }] }),
  ).rejects.toMatchObject({ code: 'PRELUDE_FAILED', at: { file: 'prelude.sql', line: 3 } })
})
