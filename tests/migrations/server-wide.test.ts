/** Migrations that speak of what all databases of a server share: roles, and databases by their names. Proofs run on databases of other names. */
import { randomBytes } from 'node:crypto'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { catalogOf } from '../../src/migrations/catalog.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { loadMigrations } from '../../src/migrations/load.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { openSession, someone, treeOf } from './support.ts'

/** Roles of its own, which are gone afterwards. */
async function story() {
  const [reader, clerk] = [1, 2].map(() => `role_${randomBytes(6).toString('hex')}`)
  onTestFinished(() =>
    withClient(inject('serverUrl'), client => client.query(`drop role if exists ${reader}, ${clerk}`)).then(
      () => undefined,
    ),
  )
  const { url, name } = await emptyDatabase()
  const folder = await treeOf({
    '1_roles.up.sql': `create schema plans;
create user ${reader}
  nologin;
create role ${clerk} nologin;
grant connect,
  temporary on database ${name} to ${reader};
alter database ${name} set work_mem to '8MB';
alter role ${clerk} in database ${name} set work_mem to '7MB';
comment on database ${name} is 'plans';
grant usage on schema plans to ${reader}, ${clerk};
`,
    '1_roles.down.sql': `drop schema plans;
revoke connect, temporary on database ${name} from ${reader};
alter database ${name} reset work_mem;
alter role ${clerk} in database ${name} reset work_mem;
drop user ${reader}, ${clerk};
`,
    '2_sheets.up.sql': `create table plans.sheets (id int primary key);\ngrant select on plans.sheets to ${reader};\n`,
    '2_sheets.down.sql': 'drop table plans.sheets;\n',
  })
  const place = { ...someone, engine: await engineOf(url), url, folder }
  const ask = async (sql: string) => (await withClient(url, client => client.query<{ a: unknown }>(sql))).rows[0]?.a
  return {
    ...place,
    name,
    session: await openSession(url),
    roles: () => ask(`select count(*)::int as a from pg_roles where rolname in ('${reader}', '${clerk}')`),
    settings: () =>
      ask(`select array_agg(c order by c) as a from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, unnest(setconfig) c
           where datname = '${name}'`),
    told: () => ask(`select shobj_description(oid, 'pg_database') as a from pg_database where datname = '${name}'`),
  }
}

describe('a history that makes roles and speaks of its database by name', () => {
  test('is proved before and after it was applied, on its own server, and touches neither there', async () => {
    const { session, folder, engine, url, name, roles, settings, told } = await story()
    expect(await verifyTrack({ ...someone, engine, url, folder })).toMatchObject({ status: 'passed', error: null })
    expect([await roles(), await settings(), await told()]).toEqual([0, null, null])

    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
    const after = [2, ['work_mem=7MB', 'work_mem=8MB'], 'plans']
    expect([await roles(), await settings(), await told()]).toEqual(after)

    for (let time = 0; time < 2; time++)
      expect(await findDrift(session, { ...someone, folder, scratch: { engine, url } })).toMatchObject({
        status: 'none',
        version: '2',
      })
    expect(await verifyTrack({ ...someone, engine, url, folder })).toMatchObject({ status: 'passed', error: null })
    const made = await catalogOf({ ...someone, engine, url, folder })
    expect(made.tables.map(table => `${table.schema}.${table.name}`)).toEqual(['plans.sheets'])
    expect([await roles(), await settings(), await told()]).toEqual(after)

    await session.query(`comment on database ${name} is null`)
    const target = { kind: 'version', version: '0' } as const
    expect(await rollbackTrack(session, { ...someone, folder, target })).toMatchObject({ status: 'succeeded' })
    expect([await roles(), await settings()]).toEqual([0, null])
  })

  test('is rehearsed, and told what was not', async () => {
    const { folder, engine, url } = await story()
    const { migrations } = await loadMigrations(folder)
    const pending = migrations.map(({ version, up }) => ({ ...up, version, direction: 'up' as const }))
    const { steps, gaps } = await rehearseScripts({ engine, url, kept: 0 }, { history: [], pending })
    expect(steps.map(step => step.failure)).toEqual([null, null])
    expect(gaps).toContain(
      'A scratch database has another name, so what is said of a database by its name was not rehearsed.',
    )
  })

  test('a drop of one that stays and one that goes drops what goes', async () => {
    const [stays, goes] = [1, 2].map(() => `role_${randomBytes(6).toString('hex')}`)
    const server = inject('serverUrl')
    await withClient(server, client => client.query(`create role ${stays}`))
    onTestFinished(() =>
      withClient(server, client => client.query(`drop role if exists ${stays}, ${goes}`)).then(() => undefined),
    )
    const { url } = await emptyDatabase()
    const folder = await treeOf({
      '1_roles.up.sql': `create role ${stays};\ncreate role ${goes};\n`,
      '1_roles.down.sql': `drop role ${stays},\n  ${goes};\n`,
    })
    const report = await verifyTrack({ ...someone, engine: await engineOf(url), url, folder })
    expect(report).toMatchObject({ status: 'passed', error: null })
    const names = await withClient(server, client =>
      client.query('select rolname from pg_roles where rolname = any ($1)', [[stays, goes]]),
    )
    expect(names.rows).toEqual([{ rolname: stays }])
  })
})

/** Names of roles that are gone afterwards, and what they are like. */
async function rolesNamed(...ends: readonly string[]) {
  const prefix = `role_${randomBytes(6).toString('hex')}`
  const names = ends.map(end => `${prefix}_${end}`)
  const onServer = <T>(sql: string) =>
    withClient(inject('serverUrl'), async client => (await client.query<{ a: T }>(sql)).rows[0]?.a)
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), client => client.query(`drop role if exists ${names.join(', ')}`))
  })
  return {
    names,
    onServer,
    there: () =>
      onServer<string[]>(
        `select array_agg(rolname::text order by rolname) as a from pg_roles where rolname like '${prefix}%'`,
      ),
  }
}

describe('roles of a block', () => {
  test.each([
    [
      'unguarded',
      ([one, two]: readonly string[]) =>
        `begin\n  create role ${one}; -- the first\n  create user ${two} nologin;\nend`,
    ],
    [
      'guarded',
      ([one, two]: readonly string[]) =>
        `declare\n  n int;\nbegin\n  if not exists (select from pg_roles where rolname = '${one}') then\n    create role ${one};\n  end if;\n  begin create role ${two}; exception when duplicate_object then null; end;\nend`,
    ],
    [
      'executed',
      ([one, two]: readonly string[]) =>
        `begin\n  execute 'create role ${one}';\n  execute format('create role %I nologin', '${two}');\nend`,
    ],
    [
      'in a loop',
      ([one, two]: readonly string[]) =>
        `declare name text;\nbegin\n  foreach name in array array['${one}', '${two}'] loop\n    -- each of them\n    execute format('create role %I', name);\n  end loop;\nend`,
    ],
  ])('%s: proofs pass while they are not there and while they are, and leave none behind', async (_, body) => {
    const { names, there } = await rolesNamed('a', 'b')
    const { url } = await emptyDatabase()
    const folder = await treeOf({
      '1_roles.up.sql': `do $body$ ${body(names)} $body$;\ncreate table sheets (id int primary key);\ngrant select on sheets to ${names.join(', ')};\n`,
      '1_roles.down.sql': `drop table sheets;\ndo '\nbegin\n  drop role ${names[0]};\n  execute ''drop role ${names[1]}'';\nend';\n`,
    })
    const place = { ...someone, engine: await engineOf(url), url, folder }
    expect(await verifyTrack(place)).toMatchObject({ status: 'passed', error: null })
    expect(await there()).toBeNull()
    const session = await openSession(url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    expect(await there()).toEqual(names)
    expect(await findDrift(session, { ...someone, folder, scratch: place })).toMatchObject({ status: 'none' })
    expect(await verifyTrack(place)).toMatchObject({ status: 'passed', error: null })
    const { migrations } = await loadMigrations(folder)
    const pending = migrations.map(({ version, up }) => ({ ...up, version, direction: 'up' as const }))
    for (const missingRoles of ['make', 'leave'] as const) {
      const server = { engine: place.engine, url, kept: 0, missingRoles }
      const { steps } = await rehearseScripts(server, { history: pending, pending: [] })
      const rehearsed = await rehearseScripts(server, { history: [], pending })
      expect([...steps, ...rehearsed.steps].map(step => step.failure)).toEqual([null])
    }
    expect(await there()).toEqual(names)
  })
})

describe('roles and a server that somebody changed since', () => {
  test('stay as they are through every proof', async () => {
    const { names, onServer } = await rolesNamed('boss', 'clerk')
    const [boss = '', clerk = ''] = names
    const { url, name } = await emptyDatabase()
    const folder = await treeOf({
      '1_roles.up.sql': `create role ${boss};
create role ${clerk} login connection limit 3;
alter role ${clerk} set work_mem to '8MB';
grant ${boss} to ${clerk};
comment on role ${clerk} is 'writes';
do $$ begin alter role ${clerk} connection limit 4; execute format('grant %I to %I', '${boss}', '${clerk}'); end $$;
`,
      '1_roles.down.sql': `drop role ${clerk}, ${boss};\n`,
      '2_sheets.up.sql': `create table sheets (id int primary key);
create table kept (id int primary key);
alter table kept owner to ${clerk};
alter table sheets enable row level security;
create policy mine on sheets to ${clerk} using (true);
create policy ours on sheets to ${clerk}, ${boss} using (true);
create function one() returns int language sql return 1;
grant select, update (id) on sheets to ${clerk};
grant execute on function one() to ${clerk};
alter default privileges grant select on tables to ${clerk};
grant connect on database ${name} to ${clerk};
`,
      '2_sheets.down.sql': `drop owned by ${clerk};\ndrop policy ours on sheets;\ndrop function one();\ndrop table sheets;\n`,
    })
    const place = { ...someone, engine: await engineOf(url), url, folder }
    const session = await openSession(url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    await onServer(`alter role ${clerk} connection limit 9`)
    await onServer(`alter role ${clerk} set work_mem to '9MB'`)
    await onServer(`revoke ${boss} from ${clerk}`)
    await onServer(`comment on role ${clerk} is 'reads'`)
    const state = () =>
      onServer(`select json_build_object('limit', rolconnlimit, 'config', rolconfig, 'members', (select count(*) from pg_auth_members where member = r.oid),
          'told', shobj_description(oid, 'pg_authid'), 'rights', (select datacl::text from pg_database where datname = '${name}')) as a
        from pg_roles r where rolname = '${clerk}'`)
    const before = await state()
    expect(before).toMatchObject({
      limit: 9,
      config: ['work_mem=9MB'],
      members: 0,
      told: 'reads',
      rights: expect.stringContaining(clerk),
    })
    expect(await verifyTrack(place)).toMatchObject({ status: 'passed', error: null })
    expect(await findDrift(session, { ...someone, folder, scratch: place })).toMatchObject({ status: 'none' })
    expect(await state()).toEqual(before)

    const { migrations } = await loadMigrations(folder)
    const [first, second] = migrations.map(({ version, up }) => ({ ...up, version, direction: 'up' as const }))
    if (!first || !second) throw new Error('There are two migrations.')
    const back = migrations.flatMap(({ version, down }) =>
      down ? [{ ...down, version, direction: 'down' as const }] : [],
    )
    const server = { engine: place.engine, url, kept: 0, missingRoles: 'leave' as const }
    const rehearsed = [
      await rehearseScripts(server, { history: [], pending: [first, second] }),
      await rehearseScripts(server, { history: [first, second], pending: back.toReversed() }),
    ]
    expect(rehearsed.flatMap(({ steps }) => steps.map(step => step.failure))).toEqual([null, null, null, null])
    expect(rehearsed.map(({ gaps }) => gaps)).toEqual([
      expect.arrayContaining([expect.stringContaining('the roles that it has stay as they are')]),
      expect.arrayContaining([expect.stringContaining('the roles that it has stay as they are')]),
    ])
    expect(await state()).toEqual(before)
  })
})
