/** Stories of the command line on a folder of one's own, against a real server. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const first = {
  'm/1_customers.up.sql': 'create table customers (id int primary key);\n',
  'm/1_customers.down.sql': 'drop table customers;\n',
}
const second = {
  'm/2_orders.up.sql':
    'create table orders (\n  id int primary key,\n  customer_id int references customers\n);\ninsert into customers values (1);\n',
  'm/2_orders.down.sql': 'drop table orders;\ndelete from customers;\n',
}

async function story(files: Readonly<Record<string, string>>) {
  const cwd = temporaryFolder(files)
  const { url } = await emptyDatabase()
  const flags = ['--dir', 'm', '--database', url]
  return {
    cwd,
    url,
    write: (name: string, text: string) => writeFileSync(join(cwd, name), text),
    run: (...args: string[]) => plinth([...args, ...flags], { cwd }),
    start: (...args: string[]) => startPlinth([...args, ...flags], { cwd }),
    tables: async () =>
      withClient(url, async client => {
        const { rows } = await client.query<{ name: string }>(
          "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
        )
        return rows.map(row => row.name)
      }),
  }
}

test('apply, status, rollback, and apply again', async () => {
  const { run, tables } = await story({ ...first, ...second })
  expect((await run('status')).status).toBe(3)
  const applied = await run('apply', '--json')
  expect(applied.status).toBe(0)
  expect(applied.json.data.tracks[0].report.done.map((step: { version: string }) => step.version)).toEqual(['1', '2'])
  expect(await tables()).toEqual(['customers', 'orders'])
  expect((await run('status')).status).toBe(0)
  expect((await run('apply')).stdout).toContain('nothing to do')
  expect((await run('rollback', '--steps', '1', '--yes')).status).toBe(0)
  expect(await tables()).toEqual(['customers'])
  expect((await run('rollback', '--to', '0', '--yes')).status).toBe(0)
  expect(await tables()).toEqual([])
  expect((await run('apply')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'orders'])
})

test('a rollback names its target and is confirmed', async () => {
  const { run, tables } = await story(first)
  await run('apply')
  expect(await run('rollback', '--json')).toMatchObject({ status: 2, json: { error: { code: 'TARGET_REQUIRED' } } })
  expect(await run('rollback', '--to', '0', '--json')).toMatchObject({
    status: 5,
    json: { error: { code: 'CONFIRMATION_REQUIRED' } },
  })
  expect(await tables()).toEqual(['customers'])
})

test('a syntax error stops before anything is sent, with a code frame', async () => {
  const { run, tables } = await story({
    ...first,
    'm/2_wrong.up.sql': '-- größer\ncreate table ok (id int);\ncreate tabel wrong (id int);\n',
    'm/2_wrong.down.sql': 'drop table ok;\n',
  })
  const failed = await run('apply')
  expect(failed.status).toBe(1)
  expect(failed.stdout).toBe('')
  expect(failed.stderr).toContain('SQL_SYNTAX')
  expect(failed.stderr).toContain('m/2_wrong.up.sql:3:8')
  expect(failed.stderr).toMatch(/> 3 \| create tabel wrong/)
  expect(failed.stderr).not.toMatch(/\n {4}at /)
  expect(await tables()).toEqual([])
})

test('a statement that the server refuses takes its whole file back, and is not repeated unasked', async () => {
  const { run, tables, write } = await story({
    ...first,
    ...second,
    'm/2_orders.up.sql': 'create table orders (id int);\ninsert into nowhere values (1);\n',
  })
  const failed = await run('apply', '--json')
  expect(failed.status).toBe(1)
  expect(failed.json.error).toMatchObject({ code: 'SQL_FAILED', sqlState: '42P01', location: { line: 2 } })
  expect(await tables()).toEqual(['customers'])
  expect(await run('apply', '--json')).toMatchObject({ status: 5, json: { error: { code: 'STEP_FAILED_BEFORE' } } })
  expect((await run('apply', '--retry-failed')).status).toBe(1)
  write('m/2_orders.up.sql', 'create table orders (id int);\n')
  expect((await run('apply')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'orders'])
})

test('an edited file, a missing down, an older version and a gone file each stop the run', async () => {
  const { run, write, tables } = await story(first)
  await run('apply')
  write('m/1_customers.up.sql', 'create table customers (id bigint primary key);\n')
  expect(await run('apply', '--json')).toMatchObject({ status: 5, json: { error: { code: 'CHECKSUM_CHANGED' } } })
  write('m/1_customers.up.sql', first['m/1_customers.up.sql'])
  write('m/3_lonely.up.sql', 'create table lonely (id int);\n')
  expect(await run('apply', '--json')).toMatchObject({ status: 2, json: { error: { code: 'DOWN_MISSING' } } })
  write('m/3_lonely.down.sql', 'drop table lonely;\n')
  expect((await run('apply')).status).toBe(0)
  write('m/2_orders.up.sql', 'create table orders (id int);\n')
  write('m/2_orders.down.sql', 'drop table orders;\n')
  expect(await run('apply', '--json')).toMatchObject({ status: 5, json: { error: { code: 'OUT_OF_ORDER' } } })
  expect((await run('apply', '--allow-out-of-order')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'lonely', 'orders'])
})

test('two applies at once: one works, the other waits and then finds nothing to do', async () => {
  const { run, start, tables } = await story({
    ...first,
    'm/2_slow.up.sql': 'create table slow (id int);\nselect pg_sleep(1.5);\n',
    'm/2_slow.down.sql': 'drop table slow;\n',
  })
  const both = await Promise.all([start('apply', '--json').ended, start('apply', '--json').ended])
  expect(both.map(({ status }) => status)).toEqual([0, 0])
  const done = both.map(({ json }) => json.data.tracks[0].report.done.length as number)
  expect(done.sort((a, b) => a - b)).toEqual([0, 2])
  expect(await tables()).toEqual(['customers', 'slow'])
  expect((await run('status')).status).toBe(0)
})

test.each([
  ['in a transaction', 'create table a (id int);\nselect pg_sleep(2);\ncreate table b (id int);\n', []],
  [
    'statement by statement',
    'create table a (id int);\ncreate index concurrently a_id on a (id);\nselect pg_sleep(2);\ncreate table b (id int);\n',
    ['a'],
  ],
])('a run that is killed half-way %s is completed by the next', async (_, up, between) => {
  const { url, run, start, tables } = await story({
    'm/1_killed.up.sql': up,
    'm/1_killed.down.sql': 'drop table b;\ndrop table a;\n',
  })
  const { child, ended } = start('apply')
  await until(
    url,
    "select 1 from pg_stat_activity where query like '%pg_sleep(2)%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()",
  )
  child.kill('SIGKILL')
  await ended
  await until(
    url,
    "select 1 where not exists (select from pg_stat_activity where application_name like 'plinth:%' and datname = current_database())",
  )
  expect(await tables()).toEqual(between)
  expect((await run('apply')).status).toBe(0)
  expect(await tables()).toEqual(['a', 'b'])
  expect((await run('status')).status).toBe(0)
})

test('an interrupted run rolls back, says so in the history, and exits with 130', async () => {
  const { url, run, start, tables } = await story({
    'm/1_slow.up.sql': 'create table a (id int);\nselect pg_sleep(30);\n',
    'm/1_slow.down.sql': 'drop table a;\n',
  })
  const { child, ended } = start('apply')
  await until(
    url,
    "select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()",
  )
  child.kill('SIGINT')
  expect((await ended).status).toBe(130)
  expect(await tables()).toEqual([])
  expect((await run('status', '--json')).json.data.tracks[0].status.versions[0]).toMatchObject({
    errorCode: 'INTERRUPTED',
  })
})

test('events and results keep to their streams', async () => {
  const { run } = await story(first)
  const { stdout, stderr } = await run('apply', '--events', 'ndjson', '--json')
  const events = stderr
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { type: string; sequence: number })
  expect(events.map(event => event.type)).toEqual(
    expect.arrayContaining(['run.started', 'lock.acquired', 'step.started', 'step.finished', 'run.finished']),
  )
  expect(events.map(event => event.sequence)).toEqual(events.map((_, index) => index))
  expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 1, command: 'apply', ok: true })
})

test('new files are numbered as their folder is', async () => {
  const { run, cwd } = await story(first)
  const made = await plinth(['new', 'Add Owner to orders', '--dir', 'm'], { cwd })
  expect(made.stdout.trim().split('\n')).toEqual(['m/2_add_owner_to_orders.up.sql', 'm/2_add_owner_to_orders.down.sql'])
  expect((await run('apply')).status).toBe(0)
})

test('verify finds a down that does not undo its up', async () => {
  const { run } = await story({ ...first, ...second })
  expect((await run('verify')).status).toBe(0)
  const { run: runFalse } = await story({
    ...first,
    'm/2_more.up.sql': 'alter table customers add name text;\n',
    'm/2_more.down.sql': 'select 1;\n',
  })
  const failed = await runFalse('verify', '--json')
  expect(failed.status).toBe(3)
  expect(failed.json.error).toMatchObject({ code: 'VERIFY_FAILED' })
  expect(failed.json.error?.message).toContain('customers.name')
})

async function until(url: string, query: string): Promise<void> {
  await withClient(url, async client => {
    for (let tries = 0; tries < 400; tries++) {
      const { rowCount } = await client.query(query)
      if (rowCount) return
      await new Promise(resolve => setTimeout(resolve, 25))
    }
    throw new Error(`It never became true: ${query}`)
  })
}
