/** Rows whose key is a number that the database gives: a file that inserts them again gets others, and users' rows refer to the first ones. */
import { describe, expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase } from '../support/database.ts'
import { folderOf, openSession, someone, type Files } from './support.ts'

const base: Files = {
  '1_roles': [
    'create table roles (id serial primary key, name text not null unique, made timestamptz not null default clock_timestamp());',
    'drop table roles;',
  ],
  '3_users': [
    'create table users (id int generated always as identity primary key, role_id int not null references roles on delete cascade);',
    'drop table users;',
  ],
}

async function story(files: Files) {
  const { url } = await emptyDatabase()
  const folder = await folderOf({ ...base, ...files })
  const session = await openSession(url)
  expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  const read = async () =>
    (
      await session.query(`select (select json_agg(r order by id) from roles r) as roles,
        (select json_agg(u order by id) from users u) as users, pg_sequence_last_value('roles_id_seq')::int as last`)
    ).rows[0]
  return {
    session,
    read,
    ask: (sql: string) => session.script(sql),
    thereAndBack: async (to: string) => {
      const target = { kind: 'version', version: to } as const
      expect(await rollbackTrack(session, { ...someone, folder, target })).toMatchObject({ status: 'succeeded' })
      const report = await applyTrack(session, { ...someone, folder })
      expect(report).toMatchObject({ status: 'succeeded', current: '3' })
      return report.done.flatMap(({ preserved }) => preserved?.restored ?? [])
    },
    verify: async () => verifyTrack({ ...someone, engine: await engineOf(url), url, folder }),
  }
}

const seed = ["insert into roles (name) values ('admin'), ('reader');", 'delete from roles;'] as const

describe('seeds without a number of their own', () => {
  test.each(['1', '0'])('come back under the numbers that they had, with what refers to them, from %s', async to => {
    const { ask, read, thereAndBack, verify } = await story({ '2_seed': seed })
    await ask("insert into roles (name) values ('own'); insert into users (role_id) values (1), (2), (3)")
    await ask("delete from roles where name = 'own'; update roles set name = 'chief' where name = 'admin'")
    const before = await read()
    const restored = await thereAndBack(to)
    expect(await read()).toEqual(before)
    expect(restored.filter(one => one.orphaned + one.unmatched + one.kept > 0)).toEqual([])
    await ask("insert into roles (name) values ('next')")
    expect((await read())?.['last']).toBe(4)
    expect(await verify()).toMatchObject({ status: 'passed' })
  })

  test('and rows that refer to them by numbers of the file run again', async () => {
    const { ask, read, thereAndBack, verify } = await story({
      '2_seed': [
        `${seed[0]}\ncreate table rights (role_id int references roles on delete cascade, name text);\ninsert into rights values (1, 'all'), (2, 'look');`,
        'drop table rights;\ndelete from roles;',
      ],
    })
    await ask("insert into roles (name) values ('own')")
    const before = await read()
    await thereAndBack('0')
    expect(await read()).toEqual(before)
    expect(await verify()).toMatchObject({ status: 'passed' })
  })

  test('where numbers come in steps of ten', async () => {
    const { ask, read, thereAndBack } = await story({
      '1_roles': [
        "create sequence tens start 500 increment 10;\ncreate table roles (id int primary key default nextval('tens'), name text not null unique);\nalter sequence tens owned by roles.id;\ncreate sequence roles_id_seq;\nselect nextval('roles_id_seq');",
        'drop sequence roles_id_seq;\ndrop table roles;',
      ],
      '2_seed': seed,
    })
    await ask("insert into roles (name) values ('own'); insert into users (role_id) values (500), (510), (520)")
    const before = await read()
    await thereAndBack('1')
    expect(await read()).toEqual(before)
    await ask("insert into roles (name) values ('next')")
    expect((await read())?.['roles']).toContainEqual({ id: 530, name: 'next' })
  })
})

describe('what is not all that was kept', () => {
  test.each(['1', '0'])('rows that were there before the step have theirs as well, from %s', async to => {
    const { ask, read, thereAndBack, verify } = await story({
      '1_roles': [
        `create table roles (id serial primary key, name text not null);\ninsert into roles (name) values ('early'), ('sooner');`,
        'drop table roles;',
      ],
      '2_seed': seed,
    })
    await ask('insert into users (role_id) values (1), (3)')
    const before = await read()
    await thereAndBack(to)
    expect(await read()).toEqual(before)
    expect(await verify()).toMatchObject({ status: 'passed' })
  })

  test('rows of another table that come out differently do not take theirs from these', async () => {
    const { ask, read, thereAndBack } = await story({
      '1_roles': [
        `create table roles (id serial primary key, name text not null);
create table greetings (id serial primary key, role_id int not null references roles on delete cascade, line text not null);`,
        'drop table greetings;\ndrop table roles;',
      ],
      '2_seed': [
        `insert into roles (name) values ('admin');\ninsert into greetings (role_id, line) select max(id), 'hello' from roles;`,
        "delete from greetings where line = 'hello';\ndelete from roles where name = 'admin';",
      ],
    })
    await ask("insert into roles (name) values ('own'); insert into users (role_id) values (1), (2)")
    const before = await read()
    const restored = await thereAndBack('1')
    expect(await read()).toMatchObject({ roles: before?.['roles'], users: before?.['users'] })
    expect(restored.filter(one => one.orphaned > 0)).toEqual([])
  })

  test('rows that the step made and somebody renamed all get others', async () => {
    const { ask, read, thereAndBack } = await story({ '2_seed': seed })
    await ask("update roles set name = 'chief' where id = 1; update roles set name = 'guest' where id = 2")
    const before = await read()
    await thereAndBack('1')
    expect((await read())?.['roles']).toEqual([
      ...((before?.['roles'] ?? []) as unknown[]),
      expect.objectContaining({ id: 3, name: 'admin' }),
      expect.objectContaining({ id: 4, name: 'reader' }),
    ])
  })

  test('a number that somebody took meanwhile lets the sequence go on where it was', async () => {
    const { ask, read, thereAndBack } = await story({
      '2_seed': [seed[0], "delete from roles where name in ('admin', 'reader');"],
    })
    await ask("update roles set name = 'renamed' where id = 2; insert into users (role_id) values (2)")
    await thereAndBack('1')
    expect(await read()).toMatchObject({
      roles: [
        { id: 2, name: 'renamed' },
        { id: 3, name: 'admin' },
        { id: 4, name: 'reader' },
      ],
      users: [{ id: 1, role_id: 2 }],
      last: 4,
    })
  })
})
