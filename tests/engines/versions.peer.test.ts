/**
 * The essential stories on every version that is supported, beside the embedded server, which is the newest: `supported` in
 * src/engines/postgres/supported.ts is what holds here.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/engines/postgres/index.ts'
import { supported } from '../../src/engines/postgres/supported.ts'
import { openFoundation } from '../../src/foundation.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { withClient } from '../support/client.ts'
import { npmServers, startNpmServer, withoutNpmServers } from '../support/npm-servers.ts'
import type { OwnServer } from '../support/postgres-server.ts'
import { newerExamples, newerGround } from '../sql/newer-examples.ts'
import { folderOf, listener, openSession, someone } from '../migrations/support.ts'

test.skipIf(withoutNpmServers)('every version that is supported is tried', () => {
  const between = Array.from({ length: supported.newest - supported.oldest }, (_, at) => supported.oldest + at)
  expect(npmServers).toEqual(between)
})

const shop = {
  '1_shop': [
    `create schema shop;
    alter default privileges in schema shop grant all on tables to public;
    create type shop.mood as enum ('good', 'bad');
    create type shop.span as range (subtype = timestamptz);
    create domain shop.price as numeric(10, 2) check (value >= 0);
    create table shop.goods (
      id int generated always as identity primary key,
      name text not null unique,
      price shop.price default round(1.005, 2),
      doubled numeric generated always as (price * 2) stored,
      mood shop.mood default 'good',
      kept_in int4range
    );
    insert into shop.goods (name, price, kept_in) select 'good ' || i, i, int4range(i, i + 1) from generate_series(1, 50) i;
    create table shop.sales (id int not null, sold_at timestamptz not null, good int references shop.goods) partition by range (sold_at);
    create table shop.sales_old partition of shop.sales for values from (minvalue) to ('2026-01-01');
    create table shop.sales_new partition of shop.sales for values from ('2026-01-01') to (maxvalue);
    insert into shop.sales select i, timestamptz '2025-12-01' + i * interval '1 day', i from generate_series(1, 50) i;
    create view shop.dear as select id, name from shop.goods where price > 3;
    create function shop.touch() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger goods_touch before update on shop.goods for each row execute function shop.touch();
    alter table shop.goods enable row level security;
    create policy everybody on shop.goods using (true);
    grant all on shop.goods, shop.dear to public;
    comment on column shop.goods.name is 'what it is called';`,
    'drop schema shop cascade;',
  ],
  '2_less': [
    `alter table shop.goods drop column kept_in, drop column mood;
    update shop.goods set price = price + 1;
    delete from shop.sales where id between 20 and 40;`,
    `update shop.goods set price = price - 1;
    alter table shop.goods add column mood shop.mood default 'good', add column kept_in int4range;`,
  ],
  '3_gone': [
    'drop table shop.sales_old; drop view shop.dear;',
    `create table shop.sales_old partition of shop.sales for values from (minvalue) to ('2026-01-01');
    create view shop.dear as select id, name from shop.goods where price > 3;`,
  ],
} as const

describe.each(npmServers)('PostgreSQL %i', version => {
  let server: OwnServer
  beforeAll(async () => {
    server = await startNpmServer(version)
  })
  afterAll(() => server.stop())

  async function database(name: string): Promise<string> {
    await withClient(server.url, client => client.query(`create database ${name}`))
    return Object.assign(new URL(server.url), { pathname: `/${name}` }).toString()
  }

  test('what is destroyed comes back, and neither its own scratch server nor a newer one finds drift', async () => {
    const session = await openSession(await database('stories'))
    expect(session.serverVersion).toBe(version)
    const folder = await folderOf(shop)
    const rows = async () =>
      (
        await session.query(`select 'good ' || id as row, name || mood || kept_in::text || price as text from shop.goods
          union all select 'sale ' || id, sold_at::date::text from shop.sales order by 1`)
      ).rows
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    const before = await rows()

    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 2 } })
    expect(back).toMatchObject({ status: 'succeeded' })
    expect(await rows()).toEqual(before)

    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    for (const url of [server.url, inject('serverUrl')]) {
      const scratch = { engine: postgres, url }
      expect(await findDrift(session, { ...someone, folder, scratch })).toMatchObject({
        status: 'none',
        differences: [],
      })
    }
    const verified = await verifyTrack({ ...someone, folder, engine: postgres, url: server.url })
    expect(verified).toMatchObject({ error: null, status: 'passed' })
  })

  test('an index that is built concurrently waits for whom it names, and a run that is cancelled goes on', async () => {
    const url = await database('waits')
    const session = await openSession(url)
    const folder = await folderOf({
      '1_t': ['create table t (a int); insert into t select generate_series(1, 100);', 'drop table t;'],
      '2_i': ['create index concurrently t_a on t (a);', 'drop index concurrently t_a;'],
    })
    await applyTrack(session, { ...someone, folder, target: { kind: 'version', version: '1' } })
    const other = await openSession(url, { applicationName: 'a long report' })
    await other.script('begin; update t set a = a where a = 1')
    onTestFinished(() => other.close())
    const heard = listener()
    const signal = new AbortController()
    const run = applyTrack(session, { ...someone, folder, emit: heard.emit, signal: signal.signal })
    while (heard.of('lock.blocked').length === 0) await sleep(50)
    expect(heard.of('lock.blocked')[0]).toMatchObject({ blockers: [{ application: 'a long report' }] })
    signal.abort()
    expect(await run).toMatchObject({ status: 'interrupted' })
    await other.script('rollback')

    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    const { rows } = await session.query<{ valid: boolean }>(
      "select indisvalid as valid from pg_index where indexrelid = 't_a'::regclass",
    )
    expect(rows).toEqual([{ valid: true }])
  })

  test('it knows exactly what is said to have come with it', async () => {
    await withClient(await database('words'), async client => {
      await client.query('begin')
      await client.query(newerGround)
      const understood: Record<string, boolean> = {}
      for (const { sql } of newerExamples) {
        await client.query('savepoint one')
        const failure = await client.query(sql).then(
          () => null,
          (thrown: { code?: string }) => thrown,
        )
        await client.query('rollback to savepoint one')
        understood[sql] = !/^(42601|42704|42883|22023|0A000)$/.test(failure?.code ?? '')
      }
      expect(understood).toEqual(
        Object.fromEntries(newerExamples.map(({ sql, newer }) => [sql, newer === null || newer.since <= version])),
      )
    })
  })

  test('what it is too old for is said by the plan, by the rehearsal on a newer one, and where it fails', async () => {
    const url = await database('older')
    const session = await openSession(url)
    const words = `"${version < 15 ? 'nulls not distinct" and "' : ''}generated … virtual" ${version < 15 ? 'need' : 'needs'} PostgreSQL 18, and the server is ${version}.`
    const folder = await folderOf({
      '1_t': ['create table t (a int unique nulls not distinct, b int generated always as (a * 2));', 'drop table t;'],
      '2_u': ['create table u (id uuid default uuidv7());', 'drop table u;'],
    })

    const { notices } = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(notices).toEqual([`1_t line 1: ${words}`])

    const foundation = await openFoundation({
      flags: { dir: folder, database: url, rehearseOn: inject('serverUrl'), quiet: true },
      configuration: 'load',
      command: 'rehearse',
      cwd: folder,
      variables: {},
      signal: new AbortController().signal,
      version: '0.0.0',
    })
    onTestFinished(() => foundation.close())
    const [track] = await foundation.rehearse({ files: [], direction: 'up' })
    expect(track?.forecast?.gaps).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`and the target is ${version}, where locks and rewrites may differ`),
        'The target has no function uuidv7, which a step calls.',
      ]),
    )

    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({ status: 'failed', error: { code: 'SQL_SYNTAX' } })
    expect(report.error?.hint).toBe(`${words} Write it in another way, or upgrade the server.`)
  })
})
