/** A database is dumped by PostgreSQL's own tools and restored on another server: whoever comes next goes on there as if nothing had happened. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { olderPrograms, startOlderServer, withoutOlderServer } from '../support/older-server.ts'
import type { OwnServer } from '../support/postgres-server.ts'

const files = {
  'm/1_customers.up.sql': `create schema shop;
create table shop.customers (
  id bigint generated always as identity primary key,
  name text not null check ((length(name) between 1 and 50) and name <> 'nobody'),
  note text
);
insert into shop.customers (name, note) select 'name ' || i, 'note ' || i from generate_series(1, 300) as i;
`,
  'm/1_customers.down.sql': 'drop schema shop cascade;\n',
  'm/2_orders.up.sql': `create table shop.orders (id bigserial primary key, customer_id bigint references shop.customers, total numeric);
insert into shop.orders (customer_id, total) select i, i from generate_series(1, 200) as i;
create view shop.buyers as select customer_id from shop.orders;
`,
  'm/2_orders.down.sql': 'drop view shop.buyers;\ndrop table shop.orders;\n',
  'm/3_index.up.sql': 'create index concurrently orders_customer_id_idx on shop.orders (customer_id);\n',
  'm/3_index.down.sql': 'drop index concurrently shop.orders_customer_id_idx;\n',
  'm/4_less.up.sql': `alter table shop.customers drop column note;
delete from shop.orders where id <= 50;
`,
  'm/4_less.down.sql': 'alter table shop.customers add column note text;\n',
  'm/5_gone.up.sql': 'drop view shop.buyers;\ndrop table shop.orders;\n',
  'm/5_gone.down.sql': `create table shop.orders (id bigserial primary key, customer_id bigint references shop.customers, total numeric);
create index orders_customer_id_idx on shop.orders (customer_id);
create view shop.buyers as select customer_id from shop.orders;
`,
}

let older: OwnServer | undefined
beforeAll(async () => {
  if (!withoutOlderServer) older = await startOlderServer()
})
afterAll(() => older?.stop())

const tool = (name: string, args: readonly string[]) =>
  promisify(execFile)(join(olderPrograms ?? '', name), [...args], { maxBuffer: 64 << 20 })

/** The same database on an older server, with everything applied, and an empty one on the tests' server. */
async function moved(dump: readonly string[], restore: readonly string[]) {
  const cwd = temporaryFolder(files)
  const name = `moved_${process.hrtime.bigint()}`
  const from = new URL(older?.url ?? '')
  await withClient(from.href, client => client.query(`create database ${name}`))
  from.pathname = `/${name}`
  const { url } = await emptyDatabase()
  const on = (database: string) => (args: readonly string[]) =>
    plinth([...args, '--dir', 'm', '--database', database, '--rehearse-on', url], { cwd })
  expect((await on(from.href)(['apply', '--accept-loss', 'all'])).status).toBe(0)
  const file = join(cwd, 'dump')
  await tool('pg_dump', [...dump, '-f', file, from.href])
  await tool('pg_restore', [...restore, '--no-owner', '-d', url, file])
  const rows = (database: string, sql: string) => withClient(database, async client => (await client.query(sql)).rows)
  return {
    run: on(url),
    before: on(from.href),
    ask: (sql: string) => Promise.all([from.href, url].map(one => rows(one, sql))),
  }
}

const contents = `select (select json_agg(c order by id) from shop.customers c) as customers,
  (select json_agg(o order by id) from shop.orders o) as orders`

test.skipIf(withoutOlderServer).each([
  ['in one file', ['-Fc'], []],
  ['in a folder, by two at once', ['-Fd', '-j2'], ['-j2']],
] as const)(
  'a dump %s: nothing differs, and what was destroyed comes back as it does at home',
  { timeout: 180_000 },
  async (_how, dump, restore) => {
    const { run, before, ask } = await moved(dump, restore)
    for (const command of ['status', 'verify', 'drift']) {
      const ran = await run([command])
      expect({ command, status: ran.status, told: ran.status === 0 ? '' : ran.stdout + ran.stderr }).toEqual({
        command,
        status: 0,
        told: '',
      })
    }
    const back = ['rollback', '--steps', '3', '--yes']
    expect((await run(back)).stderr).not.toContain('✗')
    await before(back)
    const [home, abroad] = await ask(contents)
    expect(abroad).toEqual(home)
    const [{ customers, orders }] = abroad as [{ customers: unknown[]; orders: unknown[] }]
    expect([customers.length, orders.length]).toEqual([300, 200])
    expect((await run(['apply', '--accept-loss', 'all'])).status).toBe(0)
    expect((await run(['drift'])).status).toBe(0)
  },
)

test.skipIf(withoutOlderServer)(
  'a schema without its rows has no history, and may begin one where it stands',
  { timeout: 120_000 },
  async () => {
    const { run } = await moved(['-Fc', '--schema-only'], [])
    expect((await run(['status'])).stdout).toContain('5 pending')
    const begun = await run(['baseline', '5'])
    expect({ status: begun.status, told: begun.stderr }).toMatchObject({ status: 0 })
    expect((await run(['drift'])).stdout).toContain('nothing else')
    expect((await run(['rollback', '--steps', '1', '--yes'])).stderr).not.toContain('migration_ledger')
  },
)
