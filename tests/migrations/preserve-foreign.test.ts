/** A table of which a part is foreign: its own rows are kept and come back, the others stay where they are. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgres } from '../../src/engines/postgres/index.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { startOlderServer, withoutOlderServer } from '../support/older-server.ts'
import type { OwnServer } from '../support/postgres-server.ts'
import { folderOf, openSession, someone } from './support.ts'

let server: OwnServer | undefined
beforeAll(async () => {
  if (!withoutOlderServer) server = await startOlderServer()
})
afterAll(() => server?.stop())

test.skipIf(withoutOlderServer)('a tree with a foreign partition goes with its server and comes back', async () => {
  const session = await openSession(server?.url ?? '')
  const far = `create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '${new URL(server?.url ?? '').port}', dbname 'postgres');
    create user mapping for current_user server far options (user 'postgres');
    create table visits (region text, id int, note text) partition by list (region);
    create table visits_eu partition of visits for values in ('eu');
    create foreign table visits_far partition of visits for values in ('far') server far options (table_name 'elsewhere');`
  const folder = await folderOf({
    '1_visits': [
      `create extension postgres_fdw;
      create table elsewhere (region text, id int, note text);
      insert into elsewhere select 'far', g, 'there' from generate_series(1, 5) g;
      ${far}
      insert into visits select 'eu', g, 'here' from generate_series(1, 30) g;`,
      'drop table visits; drop server far cascade; drop extension postgres_fdw; drop table elsewhere;',
    ],
    '2_gone': ['drop table visits; drop server far cascade;', far],
  })
  const seen = async (table: string) =>
    (await session.query(`select region, count(*)::int as rows from ${table} group by 1 order by 1`)).rows

  for (const _ of ['once', 'twice']) {
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', error: null })
    expect(await seen('elsewhere')).toEqual([{ region: 'far', rows: 5 }])
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back).toMatchObject({ status: 'succeeded', error: null })
    expect(await seen('visits')).toEqual([
      { region: 'eu', rows: 30 },
      { region: 'far', rows: 5 },
    ])
  }
  expect(await verifyTrack({ ...someone, folder, engine: postgres, url: server?.url ?? '' })).toMatchObject({
    status: 'passed',
    error: null,
  })
  expect(await seen('elsewhere')).toEqual([{ region: 'far', rows: 5 }])
})
