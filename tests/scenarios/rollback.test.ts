/** Stories of taking back: by what was kept when the files are gone, the last run, a run from the middle, and what it cost others. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const customers = {
  '1_customers.up.sql': 'create table customers (id int primary key);\n',
  '1_customers.down.sql': 'drop table customers;\n',
}
const orders = {
  '2_orders.up.sql': 'create table orders (id int primary key, customer int references customers);\n',
  '2_orders.down.sql': 'drop table orders;\n',
}
const prices = { '3_prices.up.sql': 'create table prices (id int);\n', '3_prices.down.sql': 'drop table prices;\n' }

async function story() {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({ 'old/.keep': '', 'new/.keep': '' })
  const flags = (folder: string) => ['--dir', folder, '--database', url, '--yes', '--json']
  return {
    cwd,
    url,
    write: (folder: string, files: Readonly<Record<string, string>>) => {
      for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, folder, name), text)
    },
    run: (folder: string, ...args: string[]) => plinth([...args, ...flags(folder)], { cwd }),
    say: (folder: string, ...args: string[]) => plinth([...args, ...flags(folder).slice(0, -1)], { cwd }),
    start: (folder: string, ...args: string[]) => startPlinth([...args, ...flags(folder)], { cwd }),
    tables: () =>
      withClient(url, async client => {
        const { rows } = await client.query<{ name: string }>(
          "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
        )
        return rows.map(row => row.name)
      }),
  }
}

test('the old release rolls back what the new one applied, though its folder never had those files', async () => {
  const { run, say, write, tables } = await story()
  write('old', customers)
  write('new', { ...customers, ...orders, ...prices })
  expect((await run('old', 'apply')).status).toBe(0)
  expect((await run('new', 'apply')).status).toBe(0)
  expect((await run('old', 'apply')).json).toMatchObject({
    warnings: [expect.stringContaining('ahead of the folder by 2')],
  })
  const plan = await run('old', 'plan', '--rollback', '--to', '1')
  expect(plan.json.data.tracks[0].plan.steps).toMatchObject([
    { version: '3', source: 'stored', file: null },
    { version: '2', source: 'stored', file: null },
  ])
  const back = await say('old', 'rollback', '--to', '1')
  expect(back.status).toBe(0)
  expect(back.stdout).toContain('2_orders is rolled back by the SQL that was kept')
  expect(back.stdout).toMatch(/Others waited .* at most/)
  expect(await tables()).toEqual(['customers'])
  expect((await run('new', 'apply')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'orders', 'prices'])
})

test('a folder that is lost altogether takes back everything', async () => {
  const { run, write, tables, cwd } = await story()
  write('new', { ...customers, ...orders })
  await run('new', 'apply')
  for (const name of Object.keys({ ...customers, ...orders })) rmSync(join(cwd, 'new', name))
  expect((await run('new', 'rollback', '--to', '0')).status).toBe(0)
  expect(await tables()).toEqual([])
})

test('an edited file is taken back by what was applied, not by what it says now', async () => {
  const { run, write, tables } = await story()
  write('new', customers)
  await run('new', 'apply')
  write('new', {
    '1_customers.up.sql': 'create table clients (id int);\n',
    '1_customers.down.sql': 'drop table clients;\n',
  })
  expect((await run('new', 'rollback', '--steps', '1')).status).toBe(0)
  expect(await tables()).toEqual([])
})

test('the last run is taken back, and then the one before it', async () => {
  const { run, write, tables } = await story()
  write('new', customers)
  await run('new', 'apply')
  write('new', { ...orders, ...prices })
  await run('new', 'apply')
  const last = await run('new', 'rollback', '--run', 'last')
  expect(last.json.data.tracks[0].report).toMatchObject({ done: [{ version: '3' }, { version: '2' }], current: '1' })
  expect((await run('new', 'rollback', '--run', 'last')).json.data.tracks[0].report).toMatchObject({ current: null })
  expect(await tables()).toEqual([])
})

test('a run from the middle is refused with the list of what stands on it, and taken back when nothing does', async () => {
  const { run, say, write, tables } = await story()
  write('new', customers)
  const first = (await run('new', 'apply')).json.data.tracks[0].report.runId as string
  write('new', orders)
  await run('new', 'apply')
  write('new', prices)
  await run('new', 'apply')
  const refused = await run('new', 'rollback', '--run', first)
  expect(refused).toMatchObject({ status: 5, json: { error: { code: 'ROLLBACK_BLOCKED' } } })
  expect(refused.json.error).toMatchObject({
    message:
      'What was applied later stands on 1_customers: 2_orders (constraint orders_customer_fkey on table orders, customers).',
    hint: expect.stringContaining('Take 2 back first'),
    details: { dependents: [{ version: '2', slug: 'orders', objects: [expect.any(String), 'customers'] }] },
  })
  expect((await say('new', 'plan', '--rollback', '--run', first)).stderr).toContain('ROLLBACK_BLOCKED')
  expect(await tables()).toEqual(['customers', 'orders', 'prices'])
  const status = await run('new', 'status')
  const second = status.json.data.tracks[0].status.versions[1].runId as string
  expect((await run('new', 'rollback', '--run', second)).json.data.tracks[0].report).toMatchObject({
    from: '3',
    current: '3',
    done: [{ version: '2' }],
  })
  expect((await run('new', 'rollback', '--run', first)).status).toBe(0)
  expect(await tables()).toEqual(['prices'])
  // What was taken back from the middle is older than the newest, which is said when it comes again.
  expect(await run('new', 'apply')).toMatchObject({ status: 5, json: { error: { code: 'OUT_OF_ORDER' } } })
  expect((await run('new', 'apply', '--allow-out-of-order')).status).toBe(0)
  expect(await tables()).toEqual(['customers', 'orders', 'prices'])
})

test('what readers waited for a rollback is in its report', async () => {
  const { start, write, run, url } = await story()
  write('new', {
    '1_customers.up.sql': 'create table customers (id int primary key);\n',
    '1_customers.down.sql':
      'alter table customers add column note text;\nselect pg_sleep(1.5);\ndrop table customers;\n',
  })
  await run('new', 'apply')
  const { ended } = start('new', 'rollback', '--to', '0')
  await withClient(url, async client => {
    const isLocked = async () => {
      const { rows } = await client.query(
        "select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = to_regclass('customers')",
      )
      return rows.length > 0
    }
    while (!(await isLocked())) await sleep(10)
    await expect(client.query('select count(*) from customers')).rejects.toThrow(/does not exist|could not open/)
  })
  const { downtime, done } = (await ended).json.data.tracks[0].report
  expect(downtime.longestMs).toBeGreaterThan(0)
  expect(downtime.longestMs).toBeLessThanOrEqual(done[0].lockedMsMax)
  expect(['observed', 'upper bound']).toContain(downtime.basis)
})
