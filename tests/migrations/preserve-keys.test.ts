/** Rows whose key the database draws at random: a file that inserts them again gets others, and users' rows refer to the first ones. */
import { describe, expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase } from '../support/database.ts'
import { folderOf, openSession, someone, type Files } from './support.ts'

async function story(files: Files, tables: readonly string[]) {
  const { url } = await emptyDatabase()
  const folder = await folderOf(files)
  const session = await openSession(url)
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  return {
    ask: (sql: string) => session.script(sql),
    read: async () => {
      const lists = tables.map(name => `(select json_agg(r order by r::text) from ${name} r) as ${name}`)
      return (await session.query(`select ${lists.join(', ')}`)).rows[0]
    },
    thereAndBack: async (to: string) => {
      const target = { kind: 'version', version: to } as const
      expect(await rollbackTrack(session, { ...someone, folder, target })).toMatchObject({ status: 'succeeded' })
      const report = await applyTrack(session, { ...someone, folder })
      expect(report).toMatchObject({ status: 'succeeded' })
      return report.done.flatMap(({ preserved }) => preserved?.restored ?? [])
    },
    verify: async () => verifyTrack({ ...someone, engine: await engineOf(url), url, folder }),
  }
}

const roles =
  'create table roles (id uuid primary key default gen_random_uuid(), name text not null, made timestamptz default clock_timestamp())'
const seed = "insert into roles (name) values ('admin'), ('reader')"
const users = [
  'create table users (name text primary key, role_id uuid references roles, boss_role uuid references roles)',
  'drop table users',
] as const
const assign = `insert into users select 'user of ' || name, id, (select id from roles where name = 'admin') from roles`

const untold = { orphaned: 0, unmatched: 0, kept: 0 }

describe('seeds with random keys come back under those that they had', () => {
  test.each(['2', '1', '0'])('with what refers to them, from %s', async to => {
    const { ask, read, thereAndBack, verify } = await story(
      { '1_roles': [roles, 'drop table roles'], '2_seed': [seed, 'delete from roles'], '3_users': users },
      ['roles', 'users'],
    )
    await ask(`insert into roles (name) values ('own'); ${assign}`)
    const before = await read()
    const restored = await thereAndBack(to)
    expect(await read()).toEqual(before)
    for (const one of restored) expect(one).toMatchObject(untold)
    expect(await verify()).toMatchObject({ status: 'passed' })
  })

  test('where the same step makes the table', async () => {
    const { ask, read, thereAndBack } = await story(
      { '1_roles': [`${roles}; ${seed}`, 'drop table roles'], '2_users': users },
      ['roles', 'users'],
    )
    await ask(assign)
    const before = await read()
    await thereAndBack('0')
    expect(await read()).toEqual(before)
  })

  test('where rows of the step refer to them, and to each other', async () => {
    const { read, thereAndBack } = await story(
      {
        '1_tables': [
          `create table units (id uuid primary key default gen_random_uuid(), above uuid references units, name text not null);
          create table rights (id uuid primary key default gen_random_uuid(), unit_id uuid not null references units on update restrict, twin_id uuid references units, right_name text)`,
          'drop table rights; drop table units',
        ],
        '2_seed': [
          `insert into units (name) values ('whole'), ('whole');
          insert into units (above, name) select id, 'part' from units;
          insert into units (above, name) select id, 'corner' from units where name = 'part';
          insert into rights (unit_id, twin_id, right_name) select u.id, u.above, name from units u`,
          'delete from rights; delete from units',
        ],
      },
      ['units', 'rights'],
    )
    const before = await read()
    await thereAndBack('1')
    expect(await read()).toEqual(before)
    await thereAndBack('0')
    expect(await read()).toEqual(before)
  })

  test('but not a row that somebody else inserted, nor one that says something else', async () => {
    const { ask, read, thereAndBack } = await story(
      {
        '1_roles': [roles, 'drop table roles'],
        '2_seed': [seed, "delete from roles where name in ('admin', 'reader', 'chief')"],
      },
      ['roles'],
    )
    await ask("update roles set name = 'chief' where name = 'admin'; insert into roles (name) values ('own')")
    const before = (await read())?.['roles'] as { id: string; name: string }[]
    await thereAndBack('1')
    const after = (await read())?.['roles'] as { id: string; name: string }[]
    for (const one of before) expect(after).toContainEqual(one)
    expect(after.map(({ name }) => name).sort()).toEqual(['admin', 'chief', 'own', 'reader'])
  })
})
