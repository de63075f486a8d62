/** A database and the scratch server may be of different versions, which write the same view or policy down in different words. */
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { withClient } from '../support/client.ts'
import { startOlderServer, withoutOlderServer } from '../support/older-server.ts'
import { failureOf, folderOf, openSession, someone } from './support.ts'

let older: Awaited<ReturnType<typeof startOlderServer>> | undefined
beforeAll(async () => {
  if (!withoutOlderServer) older = await startOlderServer()
})
afterAll(() => older?.stop())

const up = `
create schema shop;
create table shop.goods (
  id int generated always as identity primary key,
  name text not null check (length(name) between 1 and 40),
  price numeric(10, 2) default round(1.005, 2) check (price in (1, 2, 3) or price > 10),
  kept numeric generated always as (coalesce(price, 0) * 2) stored,
  sold_at timestamptz not null default (now() at time zone 'utc')
);
create index goods_name on shop.goods (lower(name)) where price is distinct from 3;
create function shop.latest() returns timestamptz language sql stable begin atomic select max(sold_at) from shop.goods; end;
create function shop.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger goods_touch before update on shop.goods for each row when (old.price is distinct from new.price) execute function shop.touch();
create view shop.summary as
  select max(sold_at) as last_sold, count(*) filter (where price > 2) as dear, extract(year from max(sold_at)) as year from shop.goods;
create view shop.both as
  select g.id, s.year from shop.goods as g, shop.summary as s where exists (select from shop.goods where price = s.dear);
create materialized view shop.totals as select date_trunc('day', sold_at) as day, sum(price) from shop.goods group by 1 order by 1;
create unique index totals_day on shop.totals (day);
alter table shop.goods enable row level security;
grant all on shop.goods, shop.summary to public;
alter default privileges in schema shop grant all on tables to public;
create policy recent on shop.goods using (sold_at > (select max(last_sold) - interval '1 day' from shop.summary)) with check (price > 0);
`

test.skipIf(withoutOlderServer)('the words of an older server are no drift, and a changed view is', async () => {
  const folder = await folderOf({ '1_shop': [up, 'drop schema shop cascade'] })
  await withClient(older?.url ?? '', client => client.query('create database lived'))
  const session = await openSession(Object.assign(new URL(older?.url ?? ''), { pathname: '/lived' }).toString())
  const scratch = { engine: await engineOf(inject('serverUrl')), url: inject('serverUrl') }
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  const drift = () => findDrift(session, { ...someone, folder, scratch })

  expect(await drift()).toMatchObject({ status: 'none', differences: [] })

  await session.script(`create or replace view shop.summary as
    select max(sold_at) as last_sold, count(*) filter (where price > 3) as dear, extract(year from max(sold_at)) as year from shop.goods;
    alter policy recent on shop.goods with check (price > 1)`)
  const found = await drift()
  expect(found.differences.map(({ object, property }) => `${property} of ${object}`)).toEqual([
    'withCheck of policy shop.goods.recent',
    'definition of view shop.summary',
  ])

  await session.script(found.sql)
  expect(await drift()).toMatchObject({ status: 'none' })
})

test.skipIf(withoutOlderServer)(
  'a text that the scratch server cannot run stays a difference beside those that it can',
  async () => {
    const folder = await folderOf({ '1_shop': [up, 'drop schema shop cascade'] })
    await withClient(older?.url ?? '', client => client.query('create database changed'))
    const session = await openSession(Object.assign(new URL(older?.url ?? ''), { pathname: '/changed' }).toString())
    const scratch = { engine: await engineOf(inject('serverUrl')), url: inject('serverUrl') }
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    await session.script(`create table shop.own (most timestamptz);
    create or replace view shop.summary as
      select max(most) as last_sold, count(*) as dear, extract(year from max(most)) as year from shop.own`)

    const { differences } = await findDrift(session, { ...someone, folder, scratch })

    expect(differences.map(({ object }) => object)).toContain('view shop.summary')
    expect(differences.filter(({ object }) => !/shop\.(own|summary)/.test(object))).toEqual([])
  },
)

test.skipIf(withoutOlderServer)(
  'a role that only the server of the database has is made on a scratch server of ours',
  async () => {
    const role = `only_there_${process.pid}`
    const folder = await folderOf({
      '1_t': [`create table t (id int); grant select on t to ${role};`, 'drop table t;'],
      '2_u': [`create table u (id int); grant insert on u to ${role};`, 'drop table u;'],
    })
    await withClient(older?.url ?? '', async client => {
      await client.query(`create role ${role}`)
      await client.query('create database granted')
    })
    const session = await openSession(Object.assign(new URL(older?.url ?? ''), { pathname: '/granted' }).toString())
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    const scratch = { engine: await engineOf(inject('serverUrl')), url: inject('serverUrl') }

    expect(await failureOf(findDrift(session, { ...someone, folder, scratch }))).toMatchObject({ sqlState: '42704' })
    onTestFinished(() =>
      withClient(inject('serverUrl'), client => client.query(`drop role ${role}`)).then(() => undefined),
    )
    const made = { ...scratch, missingRoles: 'make' as const }
    expect(await findDrift(session, { ...someone, folder, scratch: made })).toMatchObject({ status: 'none' })
    const verified = await verifyTrack({ ...made, ...someone, folder })
    expect(verified).toMatchObject({ status: 'passed', steps: [{ version: '1' }, { version: '2' }] })
  },
)
