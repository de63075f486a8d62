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
