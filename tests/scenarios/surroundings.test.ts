/** Servers, roles and databases that somebody else set up: the whole cycle works, and what is missing is said. */
import { randomBytes } from 'node:crypto'
import { expect, inject, onTestFinished, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { asUser, emptyDatabase, withClient } from '../support/database.ts'

const files = {
  'm/1_customers.up.sql':
    "create table customers (id bigint primary key, name text not null, note text);\ninsert into customers values (1, 'Ada', 'first'), (2, 'Bob', null);\n",
  'm/1_customers.down.sql': 'drop table customers;\n',
  'm/2_orders.up.sql':
    'create table orders (id bigint primary key, customer_id bigint references customers);\ncreate view buyers as select customer_id from orders;\n',
  'm/2_orders.down.sql': 'drop view buyers;\ndrop table orders;\n',
  'm/3_index.up.sql': 'create index concurrently orders_customer_id_idx on orders (customer_id);\n',
  'm/3_index.down.sql': 'drop index concurrently orders_customer_id_idx;\n',
  'm/4_notes.up.sql': "alter table customers drop column note;\ndelete from customers where name = 'Bob';\n",
  'm/4_notes.down.sql': 'alter table customers add column note text;\n',
}

const cycle = [
  ['plan'],
  ['apply'],
  ['verify'],
  ['drift'],
  ['rollback', '--steps', '3', '--yes'],
  ['redo', '--yes'],
  ['apply'],
  ['archive', 'list'],
] as const

/** `setUp` is run in the database by its superuser; `:role` and `:database` stand for names of this test alone. */
async function story(setUp: string, laid: Readonly<Record<string, string>> = files) {
  const role = `role_${randomBytes(6).toString('hex')}`
  await withClient(inject('serverUrl'), client => client.query(`create role ${role} login`))
  // What it owns goes with the database, which goes first.
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), client => client.query(`drop role ${role}`))
  })
  const { url, name } = await emptyDatabase()
  await withClient(url, client => client.query(setUp.replaceAll(':role', role).replaceAll(':database', name)))
  const cwd = temporaryFolder(laid)
  const flags = ['--dir', 'm', '--database', asUser(url, role), '--rehearse-on', inject('serverUrl')]
  return {
    url,
    run: (...args: string[]) => plinth([...args, ...flags], { cwd }),
    ask: (sql: string) => withClient(url, async client => (await client.query(sql)).rows as unknown[]),
  }
}

type Story = Awaited<ReturnType<typeof story>>

async function wholeCycle({ run }: Story): Promise<void> {
  for (const args of cycle) {
    const { status, stdout, stderr } = await run(...args)
    expect({ args, status, told: status === 0 ? '' : stdout + stderr }).toEqual({ args, status: 0, told: '' })
  }
}

test('a role that was let into the usual schema, and may make schemas', { timeout: 120_000 }, async () => {
  await wholeCycle(await story('grant all on schema public to :role; grant create on database :database to :role'))
})

test('a role that may make no schema, and finds ours made for it', { timeout: 120_000 }, async () => {
  const ready = await story(
    'grant all on schema public to :role; create schema plinth authorization :role; create schema plinth_archive authorization :role',
  )
  await wholeCycle(ready)
})

test('a role that may make no schema is told which ones to ask for', { timeout: 120_000 }, async () => {
  const { run, ask } = await story('grant all on schema public to :role')
  const refused = await run('apply', '--json')
  expect(refused.status).toBe(1)
  expect(refused.json.error).toMatchObject({ code: 'PERMISSION_DENIED' })
  expect(refused.json.error?.hint).toContain('create schema plinth authorization')
  await ask('create schema plinth; grant all on schema plinth to public')
  const half = await run('apply', '--json')
  expect(half.json.error).toMatchObject({ code: 'ARCHIVE_REFUSED' })
  expect(half.json.error?.hint).toContain('create schema plinth_archive authorization')
})

test('a schema that role or database put into the path, also without the usual one', { timeout: 240_000 }, async () => {
  const own = 'create schema app authorization :role; grant create on database :database to :role;'
  const ofRole = await story(`${own} alter role :role in database :database set search_path to app, public`)
  const planned = await ofRole.run('plan')
  expect(planned.stdout).toContain('app.customers')
  expect(planned.stdout).not.toContain('public.customers')
  await wholeCycle(ofRole)
  await wholeCycle(await story(`${own} alter database :database set search_path to app; drop schema public`))
  const ofUser = await story(
    'create schema authorization :role; grant create on database :database to :role; revoke all on schema public from public',
  )
  await wholeCycle(ofUser)
})

test('a path of schemas that nobody made, where files say the schema themselves', { timeout: 120_000 }, async () => {
  const named = {
    'm/1_shop.up.sql': 'create schema shop;\ncreate table shop.orders (id bigint primary key);\n',
    'm/1_shop.down.sql': 'drop table shop.orders;\ndrop schema shop;\n',
  }
  const { run } = await story(
    'alter database :database owner to :role; alter role :role in database :database set search_path to "$user", nowhere',
    named,
  )
  expect((await run('apply')).status).toBe(0)
  const { status, stdout } = await run('drift')
  expect({ status, stdout }).toMatchObject({ status: 0 })
  expect((await run('verify')).status).toBe(0)
})

test('tables that a publication has all of', { timeout: 120_000 }, async () => {
  const published = await story(
    'alter database :database owner to :role; create publication every_table for all tables',
  )
  await wholeCycle(published)
})

test('limits, formats and isolation of a role are not those of a run', { timeout: 120_000 }, async () => {
  const settings = [
    "statement_timeout to '900ms'",
    "idle_in_transaction_session_timeout to '200ms'",
    'default_transaction_isolation to serializable',
    'quote_all_identifiers to on',
    'standard_conforming_strings to off',
    "datestyle to 'German'",
    'array_nulls to off',
    "bytea_output to 'escape'",
  ]
  const set = settings.map(one => `alter role :role in database :database set ${one};`).join('\n')
  await wholeCycle(await story(`alter database :database owner to :role;\n${set}`))
})

test('a database that is read-only by default says so, and what to do about it', async () => {
  const { run } = await story(
    'alter database :database owner to :role; alter database :database set default_transaction_read_only to on',
  )
  expect((await run('status')).status).toBe(3)
  const refused = await run('apply', '--json')
  expect(refused.status).toBe(5)
  expect(refused.json.error).toMatchObject({ code: 'DATABASE_READ_ONLY' })
  expect(refused.json.error?.hint).toContain('default_transaction_read_only=off')
})

test('a database that can only be read, such as a standby, is compared with what its migrations make', {
  timeout: 120_000,
}, async () => {
  const { run, ask } = await story('alter database :database owner to :role; alter role :role createdb')
  expect((await run('apply')).status).toBe(0)
  await ask(
    "do $$ begin execute format('alter database %I set default_transaction_read_only to on', current_database()); end $$",
  )
  expect((await run('drift')).status).toBe(0)
  expect((await run('verify')).status).toBe(0)
  await ask('begin read write; create table by_hand (n integer); commit')
  const drift = await run('drift')
  expect(drift.status).toBe(3)
  expect(drift.stdout).toContain('table public.by_hand is only in the database')
})

test('what changed by hand is still told apart from what an administrator set up', { timeout: 120_000 }, async () => {
  const { run, ask } = await story(
    'create schema app authorization :role; grant all on schema public, app to :role; grant create on database :database to :role; alter role :role in database :database set search_path to app',
  )
  expect((await run('apply')).status).toBe(0)
  expect((await run('drift')).status).toBe(0)
  await ask('create table app.by_hand (n integer); grant create on schema app to public')
  const drift = await run('drift')
  expect(drift.status).toBe(3)
  expect(drift.stdout).toContain('table app.by_hand is only in the database')
  expect(drift.stdout).toContain('grants of schema app differs')
})
