/** Stories of one folder on many databases: tenants of their own, tenants by schema, environments, and what a failure of one does. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, type Ran, startPlinth, temporaryFolder } from '../support/cli.ts'
import { asUser, emptyDatabase, withClient } from '../support/database.ts'

const migrations = {
  'db/1_customers.up.sql': 'create table customers (id int primary key);\n',
  'db/1_customers.down.sql': 'drop table customers;\n',
  'db/2_orders.up.sql': 'create table orders (id int primary key, customer int references customers);\n',
  'db/2_orders.down.sql': 'drop table orders;\n',
}

/** A project whose file ends with the fleet that is given as YAML. */
function project(
  fleet: string,
  files: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const head =
    'version: 1\ntracks:\n  operational: { migrations: db, database: "${HOME_DATABASE:-postgres://nowhere/none}" }\n'
  const cwd = temporaryFolder({ 'plinth.yaml': `${head}${fleet}`, ...migrations, ...files })
  return {
    write: (name: string, text: string) => writeFileSync(join(cwd, name), text),
    run: (...args: string[]) => plinth(args, { cwd, env }),
    start: (...args: string[]) => startPlinth(args, { cwd, env }),
  }
}

interface Member {
  readonly name: string
  readonly status: string
  readonly from: string | null
  readonly to: string | null
  readonly runId: string | null
  readonly error: { readonly code: string; readonly message: string } | null
}

const membersOf = (ran: Ran) => ran.json.data.fleet.databases as Member[]
const brief = (ran: Ran) => membersOf(ran).map(one => [one.name, one.status, one.from, one.to, one.error?.code ?? null])

async function tenants(count: number) {
  const databases = await Promise.all(Array.from({ length: count }, emptyDatabase))
  const list = databases.map(({ url }, at) => `    - { name: t${at + 1}, url: "${asUser(url, 'postgres', 'geheim')}" }`)
  return { databases, fleet: `fleet:\n  parallelism: 2\n  databases:\n${list.join('\n')}\n` }
}

test('a release reaches every tenant, each with its own run, and a second run finds nothing to do', async () => {
  const { databases, fleet } = await tenants(3)
  const { run } = project(fleet)
  const before = await run('status', '--all', '--json')
  expect(before.status).toBe(3)
  expect((await run('apply', '--all', '--dry-run', '--json')).json.data.fleet.counts).toMatchObject({ succeeded: 3 })
  const applied = await run('apply', '--all', '--json')
  expect(applied.status).toBe(0)
  expect(brief(applied)).toEqual(['t1', 't2', 't3'].map(name => [name, 'succeeded', null, '2', null]))
  expect(new Set(membersOf(applied).map(({ runId }) => runId)).size).toBe(3)
  expect(applied.json.data.fleet).toMatchObject({ canary: 't1', status: 'succeeded' })
  for (const { url } of databases) {
    const rows = await withClient(url, client =>
      client.query('select version from plinth.migration_attempts order by 1'),
    )
    expect(rows.rows).toEqual([{ version: '1' }, { version: '2' }])
  }
  expect(brief(await run('apply', '--all', '--json'))).toContainEqual(['t2', 'nothing-to-do', '2', '2', null])
  const status = await run('status', '--all')
  expect(status.status).toBe(0)
  expect(status.stdout).toContain('t1 (canary)')
  expect(applied.stdout + applied.stderr + status.stdout + status.stderr).not.toContain('geheim')
})

test('one that fails neither stops nor hides the others, and the next run does only what is missing', async () => {
  const { databases, fleet } = await tenants(4)
  const broken = databases[1]?.url ?? ''
  await withClient(broken, client => client.query('create table orders (mine int)'))
  const { run } = project(fleet)
  const first = await run('apply', '--all', '--json')
  expect(first.status).toBe(1)
  expect(first.json.ok).toBe(false)
  expect(brief(first)).toEqual([
    ['t1', 'succeeded', null, '2', null],
    ['t2', 'failed', null, '1', 'SQL_FAILED'],
    ['t3', 'succeeded', null, '2', null],
    ['t4', 'succeeded', null, '2', null],
  ])
  const told = await run('apply', '--all', '--retry-failed')
  expect(told.status).toBe(1)
  expect(told.stdout).toMatch(/✗ t2 {2}SQL_FAILED at .*2_orders\.up\.sql:1/)
  await withClient(broken, client => client.query('drop table orders'))
  const again = await run('apply', '--all', '--retry-failed', '--json')
  expect(again.status).toBe(0)
  expect(brief(again).filter(([, status]) => status === 'succeeded')).toEqual([['t2', 'succeeded', '1', '2', null]])
})

test('a canary that fails spares the others', async () => {
  const { databases, fleet } = await tenants(3)
  await withClient(databases[2]?.url ?? '', client => client.query('create table customers (mine int)'))
  const { run } = project(fleet.replace('parallelism: 2', 'parallelism: 2\n  canary: t3'))
  const ran = await run('apply', '--all', '--json')
  expect(ran.status).toBe(1)
  expect(brief(ran).map(([name, status]) => [name, status])).toEqual([
    ['t1', 'skipped'],
    ['t2', 'skipped'],
    ['t3', 'failed'],
  ])
  for (const { url } of databases.slice(0, 2)) {
    const { rows } = await withClient(url, client => client.query("select to_regclass('customers') as found"))
    expect(rows).toEqual([{ found: null }])
  }
})

test('a server that is down is one failure among the others, and its password stays unsaid', async () => {
  const { databases } = await tenants(2)
  const [a, b] = databases.map(({ url }) => url)
  const { run } = project(
    `fleet:\n  databases:\n    - { name: a, url: "${a}" }\n    - { name: gone, url: "postgres://me:\${TENANT_PASSWORD}@127.0.0.1:1/x" }\n    - { name: b, url: "${b}" }\n`,
    {},
    { TENANT_PASSWORD: 'geheim' },
  )
  const ran = await run('apply', '--all', '--json', '--verbose')
  expect(ran.status).toBe(1)
  expect(brief(ran).map(([name, , , , code]) => [name, code])).toEqual([
    ['a', null],
    ['gone', 'DATABASE_UNREACHABLE'],
    ['b', null],
  ])
  expect(ran.stdout + ran.stderr).not.toContain('geheim')
})

test('tenants by schema come from a query, each with a history of its own in one database', async () => {
  const { url } = await emptyDatabase()
  await withClient(url, client =>
    client.query(
      `create schema control; create table control.tenants (name text, schema text);
      insert into control.tenants values ('acme', 'tenant_acme'), ('Beta & Co', 'tenant-beta');
      create schema tenant_acme; create schema "tenant-beta"`,
    ),
  )
  const fleet = 'fleet:\n  query: { sql: "select name, schema from control.tenants order by name" }\n'
  const { run } = project(fleet, {}, { HOME_DATABASE: url })
  expect(brief(await run('apply', '--all', '--json'))).toEqual([
    ['Beta & Co', 'succeeded', null, '2', null],
    ['acme', 'succeeded', null, '2', null],
  ])
  const tables = () =>
    withClient(url, async client => {
      const { rows } = await client.query<{ name: string }>(
        "select schemaname || '.' || tablename as name from pg_tables where schemaname like 'tenant%' or schemaname = 'public' order by 1",
      )
      return rows.map(({ name }) => name)
    })
  expect(await tables()).toEqual([
    'tenant-beta.customers',
    'tenant-beta.orders',
    'tenant_acme.customers',
    'tenant_acme.orders',
  ])
  await withClient(url, client => client.query("insert into control.tenants values ('lost', 'tenant_lost')"))
  const lost = await run('apply', '--all', '--json')
  expect(brief(lost).find(([name]) => name === 'lost')).toEqual(['lost', 'failed', null, null, 'DATABASE_UNKNOWN'])
  await withClient(url, client => client.query('create schema tenant_lost'))
  expect(brief(await run('apply', '--all', '--json')).filter(([, status]) => status === 'succeeded')).toEqual([
    ['lost', 'succeeded', null, '2', null],
  ])
})

test('a fleet is taken back to a version once it is confirmed', async () => {
  const { fleet } = await tenants(2)
  const { run } = project(fleet)
  await run('apply', '--all')
  expect(await run('rollback', '--all', '--json')).toMatchObject({
    status: 2,
    json: { error: { code: 'TARGET_REQUIRED' } },
  })
  expect(await run('rollback', '--all', '--to', '1', '--json')).toMatchObject({
    status: 5,
    json: { error: { code: 'CONFIRMATION_REQUIRED', message: expect.stringContaining('2 migrations of 2 databases') } },
  })
  expect(brief(await run('rollback', '--all', '--to', '1', '--yes', '--json'))).toEqual([
    ['t1', 'succeeded', '2', '1', null],
    ['t2', 'succeeded', '2', '1', null],
  ])
  expect(await run('rollback', '--all', '--run', 'x', '--yes', '--json')).toMatchObject({ status: 2 })
  expect((await run('rollback', '--all', '--run', 'last', '--yes', '--json')).json.data.fleet.databases).toMatchObject([
    { to: null },
    { to: null },
  ])
})

test('an interruption begins nothing more, and the next run goes on', async () => {
  const { databases, fleet } = await tenants(3)
  const { run, start, write } = project(fleet.replace('parallelism: 2', 'parallelism: 1'))
  await withClient(databases[1]?.url ?? '', async blocker => {
    await blocker.query('create table customers (id int primary key)')
    await blocker.query('begin; lock table customers')
    write(
      'db/1_customers.up.sql',
      'alter table if exists customers add column x int;\ncreate table if not exists customers (id int primary key);\n',
    )
    const { child, ended } = start('apply', '--all', '--json')
    await withClient(databases[1]?.url ?? '', async watcher => {
      const waits = async () =>
        (
          await watcher.query(
            'select 1 from pg_locks l join pg_database d on d.oid = l.database where not l.granted and d.datname = current_database()',
          )
        ).rows.length > 0
      while (!(await waits())) await sleep(20)
    })
    child.kill('SIGINT')
    const ran = await ended
    expect(ran.status).toBe(130)
    expect(brief(ran).map(([name, status]) => [name, status])).toEqual([
      ['t1', 'succeeded'],
      ['t2', 'interrupted'],
      ['t3', 'skipped'],
    ])
    await blocker.query('rollback')
  })
  expect(brief(await run('apply', '--all', '--json')).map(([name, status]) => [name, status])).toEqual([
    ['t1', 'nothing-to-do'],
    ['t2', 'succeeded'],
    ['t3', 'succeeded'],
  ])
})

test('hooks are called for each database, and a refusal is that of one', async () => {
  const { databases, fleet } = await tenants(3)
  const { run } = project(`${fleet}hooks:\n  before-run: ./gate.mjs\n`, {
    'gate.mjs': `export default fact => !fact.database.endsWith('/${databases[2]?.name}')\n`,
  })
  const ran = await run('apply', '--all', '--json')
  expect(ran.status).toBe(1)
  expect(brief(ran).map(([name, , , , code]) => [name, code])).toEqual([
    ['t1', null],
    ['t2', null],
    ['t3', 'HOOK_REFUSED'],
  ])
  const shown = await run('config', 'show')
  expect(shown.stdout).toMatch(/fleet\.databases\.t1\s+postgres:\/\/postgres:\*\*\*@/)
  expect(shown.stdout).toContain('hooks.before-run')
  expect(shown.stdout).not.toContain('geheim')
})

test('environments can be the fleet', async () => {
  const { databases } = await tenants(2)
  const overlay = (url: string | undefined) => `tracks:\n  operational: { database: "${url}" }\n`
  const { run } = project(
    'environments: { eu: {}, us: {} }\nfleet:\n  databases: [{ name: eu, environment: eu }, { name: us, environment: us }]\n',
    {
      'configs/environments/eu.yaml': overlay(databases[0]?.url),
      'configs/environments/us.yaml': overlay(databases[1]?.url),
    },
  )
  expect(brief(await run('apply', '--all', '--json'))).toEqual([
    ['eu', 'succeeded', null, '2', null],
    ['us', 'succeeded', null, '2', null],
  ])
})

test.each([
  ['no fleet', '', 'CONFIG_INVALID', /names no fleet/],
  [
    'a misspelt canary',
    'fleet: { canary: aa, databases: [{ name: a, url: "postgres://h/a" }] }',
    'CONFIG_INVALID',
    /no database "aa"/,
  ],
  [
    'a name twice',
    'fleet: { databases: [{ name: a, url: "postgres://h/a" }, { name: a, url: "postgres://h/b" }] }',
    'CONFIG_INVALID',
    /the name "a" twice/,
  ],
  [
    'a database twice',
    'fleet: { databases: [{ name: a, url: "postgres://h/a" }, { name: b, url: "postgres://h/a" }] }',
    'CONFIG_INVALID',
    /the database of "a" twice/,
  ],
  [
    'a variable that is not set',
    'fleet: { databases: [{ name: a, url: "postgres://me:${NOT_SET}@h/a" }] }',
    'CONFIG_INVALID',
    /NOT_SET is not set/,
  ],
  [
    'two ways to say where',
    'fleet: { databases: [{ name: a, url: "postgres://h/a", environment: x }] }',
    'CONFIG_INVALID',
    /exclude each other/,
  ],
  ['a key that is not known', 'fleet: { databasses: [] }', 'CONFIG_INVALID', /databasses/],
  [
    'a track that is not known',
    'fleet: { track: operationel, databases: [{ name: a, url: "postgres://h/a" }] }',
    'TRACK_UNKNOWN',
    /operationel/,
  ],
])('%s is said before any database is touched', async (_, fleet, code, message) => {
  const ran = await project(`${fleet}\n`).run('apply', '--all', '--json')
  expect(ran).toMatchObject({ status: 2, json: { error: { code, message: expect.stringMatching(message) } } })
})

test('--all and --database exclude each other', async () => {
  expect((await project('').run('apply', '--all', '--database', 'postgres://h/a')).status).toBe(2)
})
