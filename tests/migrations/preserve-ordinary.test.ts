/** A role like any application's: it owns its tables, is no superuser, and row security that is forced hides rows from it as well. */
import { expect, onTestFinished, test } from 'vitest'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { asUser } from '../support/database.ts'
import { story } from './preserve-story.ts'
import { type Files, folderOf, openSession, someone } from './support.ts'

/** `as` runs the migrations as the role, `rows` and `sql` ask as a superuser, who sees everything. */
async function ordinary(files: Files) {
  const { url, rows, sql } = await story({})
  const name = new URL(url).pathname.slice(1)
  const owner = `owner_${name}`
  await sql(
    `create role ${owner} login; grant create on database ${name} to ${owner}; grant all on schema public to ${owner}`,
  )
  onTestFinished(() => sql(`drop owned by ${owner} cascade; drop role ${owner}`))
  const session = await openSession(asUser(url, owner))
  const run = { ...someone, folder: await folderOf(files) }
  return {
    rows,
    sql,
    owner,
    up: (version?: string) =>
      applyTrack(session, {
        ...run,
        ...(version === undefined ? {} : { target: { kind: 'version', version } as const }),
      }),
    down: (version: string) => rollbackTrack(session, { ...run, target: { kind: 'version', version } }),
  }
}

const secured = (table: string) => `alter table ${table} enable row level security;
alter table ${table} force row level security;
create policy own on ${table} using (tenant = current_setting('app.tenant', true)::int);`

const family: Files = {
  '1_tenants': [
    `create table tenants (tenant int primary key, name text); ${secured('tenants')}`,
    'drop table tenants;',
  ],
  '2_people': [
    `create table people (tenant int references tenants, id int, boss int, name text default 'nobody', primary key (tenant, id),
      foreign key (tenant, boss) references people (tenant, id)); ${secured('people')}`,
    'drop table people;',
  ],
  '3_notes': [
    `create table notes (tenant int, chain int not null generated always as (coalesce(tenant, 0)) stored, id int generated always as identity, author int, text text,
      primary key (chain, id), foreign key (tenant, author) references people (tenant, id) on delete cascade); ${secured('notes')}`,
    'drop table notes;',
  ],
}

const everything = `select
  (select json_agg(t order by t) from (select tenants::text as t from tenants) x) as tenants,
  (select json_agg(t order by t) from (select people::text as t from people) x) as people,
  (select json_agg(t order by t) from (select notes::text as t from notes) x) as notes`

const filled = `insert into tenants select g, 'tenant ' || g from generate_series(1, 3) g;
insert into people select g, g, null, 'person ' || g from generate_series(1, 3) g;
insert into people select g % 3 + 1, g, g % 3 + 1 from generate_series(4, 30) g;
insert into notes (tenant, author, text) select tenant, id, 'of ' || name from people;`

test('tables that refer to each other behind forced row security go down and come up again with every row', async () => {
  const { up, down, rows, sql } = await ordinary(family)
  expect((await up()).error).toBeNull()
  await sql(filled)
  const before = await rows(everything)

  expect((await down('0')).error).toBeNull()
  expect((await up()).error).toBeNull()

  expect(await rows(everything)).toEqual(before)
  expect(
    await rows("select relname from pg_class where relkind = 'r' and relrowsecurity and not relforcerowsecurity"),
  ).toEqual([])
})

test('columns, types and whole tables come back to it as well', async () => {
  const { up, down, rows, sql } = await ordinary({
    ...family,
    '4_less': [
      'alter table people drop column name; alter table tenants alter column name type varchar(3) using left(name, 3); truncate notes;',
      "alter table tenants alter column name type text; alter table people add column name text default 'nobody';",
    ],
  })
  expect((await up('3')).error).toBeNull()
  await sql(filled)
  const before = await rows(everything)
  expect((await up()).error).toBeNull()
  expect(await rows('select count(*)::int as notes from notes')).toEqual([{ notes: 0 }])

  expect((await down('3')).error).toBeNull()

  const names = `select (select json_agg(row(tenant, id, boss, name)::text order by id) from people) as people,
    (select json_agg(t::text order by tenant) from tenants t) as tenants, (select json_agg(n::text order by id) from notes n) as notes`
  expect(before).toHaveLength(1)
  const now = (await rows(names)) as { people: string[]; tenants: string[]; notes: string[] }[]
  const then = before as { people: string[]; tenants: string[]; notes: string[] }[]
  expect(now[0]?.people.toSorted()).toEqual(then[0]?.people.toSorted())
  expect(now[0]?.tenants).toEqual(then[0]?.tenants)
  expect(now[0]?.notes.toSorted()).toEqual(then[0]?.notes.toSorted())
})

test('what it may not look at stops the way back instead of leaving rows behind', async () => {
  const { up, down, rows, sql, owner } = await ordinary(family)
  expect((await up()).error).toBeNull()
  await sql(filled)
  const before = await rows(everything)
  expect((await down('2')).error).toBeNull()
  await sql('alter table people owner to postgres')
  await sql(`grant references, select on people to ${owner}`)

  const stopped = await up()

  expect(stopped.error).toMatchObject({ sqlState: '42501' })
  await sql(`alter table people owner to ${owner}`)
  expect((await up()).error).toBeNull()
  expect(await rows(everything)).toEqual(before)
})

test('rows whose key is generated in part are changed and deleted, and are theirs again afterwards', async () => {
  const { up, down, rows, sql } = await story({
    '1_t': [
      `create table t (a int, half int not null generated always as (a / 2) stored, id int, v text, primary key (half, id));`,
      'drop table t;',
    ],
    '2_changed': ["update t set v = 'changed', a = a + 100 where id < 5; delete from t where id = 9;", 'select 1;'],
    '3_less': ['alter table t drop column v;', 'alter table t add column v text;'],
  })
  await up('1')
  await sql("insert into t (a, id, v) select g, g, 'v' || g from generate_series(1, 9) g")
  const all = 'select a, half, id, v from t order by id'
  const before = await rows(all)
  await up()
  expect(await rows('select id, half from t where id in (1, 9)')).toEqual([{ id: 1, half: 50 }])
  await sql('insert into t (a, id) values (500, 500)')
  await down()
  await down()
  const after = await rows(all)
  expect(after.at(-1)).toEqual({ a: 500, half: 250, id: 500, v: null })
  // The first four got another key by the step, so nobody can tell that they are the old ones.
  expect(after).toEqual(expect.arrayContaining(before.slice(4)))
})

test('a user who acts by a role of its own from the first moment, without rights that it inherits, owns what it keeps by that role', async () => {
  const { url, rows, sql } = await story({})
  const name = new URL(url).pathname.slice(1)
  const [group, user] = [`group_${name}`, `user_${name}`]
  await sql(`create role ${group}; create role ${user} login noinherit in role ${group}; alter role ${user} set role = '${group}';
    grant create on database ${name} to ${group}; grant all on schema public to ${group}`)
  onTestFinished(() => sql(`drop owned by ${group}, ${user} cascade; drop role ${group}, ${user}`))
  const folder = await folderOf({
    '1_t': [
      "create table t (id int primary key, v text); insert into t select g, 'v' || g from generate_series(1, 9) g;",
      'drop table t;',
    ],
    '2_less': [
      `update t set v = 'x' where id < 4; set local role none; set local role ${group}; alter table t drop column v;`,
      'alter table t add column v text;',
    ],
  })
  const session = await openSession(asUser(url, user))
  const run = { ...someone, folder }
  expect((await applyTrack(session, run)).error).toBeNull()
  expect((await rollbackTrack(session, { ...run, target: { kind: 'version', version: '0' } })).error).toBeNull()
  expect((await applyTrack(session, { ...run, target: { kind: 'version', version: '1' } })).error).toBeNull()

  expect(await rows('select count(*)::int as n, count(v)::int as values from t')).toEqual([{ n: 9, values: 9 }])
  expect(
    await rows("select distinct tableowner from pg_tables where schemaname in ('public', 'plinth', 'plinth_archive')"),
  ).toEqual([{ tableowner: group }])
})
