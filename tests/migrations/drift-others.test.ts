/** Drift of what is rarer than tables: types, rules, operators, foreign servers, publications, storage, and what is said about them. */
import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase } from '../support/database.ts'
import { rareBase, rareDeeds } from './rare.ts'
import { folderOf, openSession, someone } from './support.ts'
import { failuresOf } from './way-back.ts'

async function openShop(): Promise<Session> {
  const session = await openSession((await emptyDatabase()).url)
  await session.script(rareBase)
  return session
}

describe('the way back', () => {
  test.each(Object.keys(rareDeeds))('from every deed: %s', async subject => {
    expect(await failuresOf(await openShop(), rareDeeds[subject] ?? [])).toBe('')
  })
})

test('nothing changes where nothing differs, and no secret is read', async () => {
  const session = await openShop()
  const catalog = await session.introspect()
  expect(await session.engine.writeChanges?.(catalog, catalog)).toEqual([])
  expect(JSON.stringify(catalog)).not.toContain('secret')
  expect(catalog.others?.find(one => one.kind === 'user mapping')).toMatchObject({
    name: 'public on there',
    definition: 'create user mapping for public server there',
  })
})

test('what an extension brought along is not told', async () => {
  const session = await openSession((await emptyDatabase()).url)
  await session.script('create extension if not exists btree_gist; create extension if not exists hstore')
  expect(await session.introspect()).toMatchObject({ extensions: ['btree_gist', 'hstore'] })
  expect(await session.introspect()).not.toHaveProperty('others')
})

/** Each of these is what a down forgets most easily: it belongs to no table that goes. */
const left: Readonly<Record<string, readonly [up: string, left: string]>> = {
  'a composite type': ['create type pair as (a int, b int)', 'type public.pair is left'],
  'an attribute': ['create type grown as (a int); alter type grown add attribute b int', 'type public.grown is left'],
  'a rule': ['create rule keep as on delete to t do instead nothing', 'rule public.t.keep is left'],
  'extended statistics': ['create statistics s on id, note from t', 'statistics public.s is left'],
  'a publication': ['create publication outward for table t', 'publication outward is left'],
  'a cast': [
    "create function f(t) returns text language sql as 'select null::text'; create cast (t as text) with function f(t)",
    'cast (public.t as text) is left',
  ],
  'a trigger state': ['alter table t enable always trigger touched', 'firing of trigger public.t.touched differs'],
  'a replica identity': ['alter table t replica identity full', 'replica identity of table public.t differs'],
  'a storage': ['alter table t alter column note set storage external', 'storage of column public.t.note differs'],
  'an index of a materialized view': ['create index found on m (id)', 'index public.found is left'],
}

test.each(Object.entries(left))('verify finds what a down leaves: %s', async (_, [up, said]) => {
  const ground = `create table t (id int, note text);
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create trigger touched before update on t for each row execute function touch();
    create materialized view m as select 1 as id;`
  const folder = await folderOf({
    '1_ground': [ground, 'drop materialized view m; drop table t; drop function touch();'],
    '2_more': [up, 'select 1;'],
  })
  const { url } = await emptyDatabase()
  const report = await verifyTrack({ engine: await engineOf(url), url, ...someone, folder })
  expect(report.status).toBe('failed')
  expect(report.error?.message).toContain(said)
})

test('what a prelude made, and what else its platform has for the whole database, is no drift', async () => {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const platform = `create schema given; create type given.pair as (a int); create function given.seen() returns event_trigger language plpgsql as 'begin end';
    create publication given_changes;`
  await session.script(`${platform} create event trigger given_watch on sql_drop execute function given.seen()`)
  const folder = await folderOf({ '1_a': ['create table a (id int primary key, note text);', 'drop table a;'] })
  await applyTrack(session, { ...someone, folder })
  const prelude = [{ file: 'given.sql', text: platform }]
  const scratch = { engine: await engineOf(url), url, prelude }
  const find = () => findDrift(session, { ...someone, folder, scratch })
  expect(await find()).toMatchObject({ differences: [] })
  await session.script('alter table a alter column note set storage external; create type own as (a int)')
  const found = await find()
  expect(found.differences.map(({ object, property }) => `${property} of ${object}`)).toEqual([
    'storage of column public.a.note',
    ' of type public.own',
  ])
  await session.script(found.sql)
  expect(await find()).toMatchObject({ status: 'none' })
})

test('what tools make for a whole database is theirs, and what migrations make of the kind is not', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOf({
    '1_t': [
      'create table t (id int primary key); create publication ours for table t',
      'drop publication ours; drop table t',
    ],
  })
  const run = { track: 'operational', folder, actor: 'tester' }
  await applyTrack(session, run)
  await session.script(`create publication theirs for all tables; comment on publication theirs is 'of a connector';
    create function watch() returns event_trigger language plpgsql as 'begin end';
    create event trigger watching on ddl_command_end execute function watch();
    alter publication ours set (publish = 'insert')`)
  const { url } = await emptyDatabase()
  const drift = await findDrift(session, { ...run, scratch: { engine: session.engine, url } })
  expect(drift.differences.map(({ change, object }) => [change, object])).toEqual([
    ['changed', 'publication ours'],
    ['added', 'routine public.watch()'],
  ])
})
