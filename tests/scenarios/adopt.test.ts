/** Databases that another tool migrated, taken over on the command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

/** Unpadded numbers, a file with a transaction of its own, and a file that golang-migrate could not run. */
const files = {
  'm/1_customers.up.sql': 'create table customers (id int primary key, name text not null);\n',
  'm/1_customers.down.sql': 'drop table customers;\n',
  'm/2_orders.up.sql':
    'begin;\ncreate table orders (id int primary key, customer_id int references customers);\ncommit;\n',
  'm/2_orders.down.sql': 'drop table orders;\n',
  'm/10_notes.up.sql': 'alter table orders add column note text;\ncreate index orders_note on orders (nota);\n',
  'm/10_notes.down.sql': 'alter table orders drop column note;\n',
}

const first = files['m/1_customers.up.sql'] + files['m/2_orders.up.sql']

async function legacy(sql: string, folder: Readonly<Record<string, string>> = files) {
  const cwd = temporaryFolder(folder)
  const { url } = await emptyDatabase()
  const ask = async (query: string) =>
    withClient(url, async client => (await client.query<Record<string, unknown>>(query)).rows)
  await ask(sql)
  return {
    ask,
    write: (name: string, text: string) => writeFileSync(join(cwd, name), text),
    run: (...args: string[]) => plinth([...args, '--dir', 'm', '--database', url], { cwd }),
  }
}

const dirty = `create table schema_migrations (version bigint not null primary key, dirty boolean not null);
  insert into schema_migrations values (10, true);`

test('a golang-migrate database that is dirty: the catalog says what is applied, and work goes on', async () => {
  const { run, ask, write } = await legacy(
    `${first} insert into customers values (1, 'Ada'); insert into orders values (7, 1); ${dirty}`,
  )
  const adopted = await run('adopt')
  expect(adopted.status).toBe(0)
  expect(adopted.stdout).toContain('2 migrations taken over from golang-migrate (public.schema_migrations), at 2.')
  expect(adopted.stdout).toContain('The row is dirty at 10')
  expect(adopted.stdout).toContain('The catalog shows 2.')
  expect(adopted.stdout).toContain('m/10_notes.up.sql:2')

  const again = await run('adopt', '--json')
  expect(again).toMatchObject({ status: 0, json: { data: { report: { status: 'nothing-to-do', version: '2' } } } })

  write('m/10_notes.up.sql', 'alter table orders add column note text;\ncreate index orders_note on orders (note);\n')
  const applied = await run('apply', '--json')
  expect(applied.json.data.tracks[0].report).toMatchObject({ status: 'succeeded', done: [{ version: '10' }] })
  expect((await run('status')).status).toBe(0)
  expect((await run('drift')).status).toBe(0)

  // What was here before is untouched: the rows, and the other tool's own table.
  expect(await ask('select * from customers')).toEqual([{ id: 1, name: 'Ada' }])
  expect(await ask('select id, customer_id from orders')).toEqual([{ id: 7, customer_id: 1 }])
  expect(await ask('select version::int as version, dirty from schema_migrations')).toEqual([
    { version: 10, dirty: true },
  ])

  const back = await run('rollback', '--to', '2', '--yes')
  expect(back.status).toBe(0)
  expect(
    await ask("select attname from pg_attribute where attrelid = 'orders'::regclass and attname = 'note'"),
  ).toEqual([])
})

test('a database that is not what its history says is refused with the list, and taken over only knowingly', async () => {
  const clean = dirty.replace('(10, true)', '(2, false)')
  const { run, ask } = await legacy(`${first} alter table customers add column vip boolean; ${clean}`)
  const refused = await run('adopt', '--json')
  expect(refused).toMatchObject({ status: 3, json: { ok: false, error: { code: 'ADOPT_MISMATCH' } } })
  expect(refused.json.error?.message).toContain('column public.customers.vip is only in the database')
  expect(await ask("select 1 from pg_namespace where nspname = 'plinth'")).toEqual([])

  const accepted = await run('adopt', '--accept-drift')
  expect(accepted.status).toBe(0)
  expect(accepted.stdout).toContain('accepted: column public.customers.vip is only in the database')
  const drift = await run('drift')
  expect(drift.status).toBe(3)
  expect(drift.stdout).toContain('alter table "public"."customers" drop column "vip";')
})

test('a bare database begins at a version', async () => {
  const { run } = await legacy(first)
  expect(await run('adopt', '--json')).toMatchObject({ status: 2, json: { error: { code: 'HISTORY_UNKNOWN' } } })
  expect(await run('baseline', '1', '--json')).toMatchObject({ status: 3, json: { error: { code: 'ADOPT_MISMATCH' } } })
  const begun = await run('baseline', '2')
  expect(begun.status).toBe(0)
  expect(begun.stdout).toContain('2 migrations taken over as a baseline, at 2.')
  const plan = await run('plan', '--json')
  expect(plan.json.data.tracks[0].plan.steps).toMatchObject([{ version: '10' }])
})

test('a goose folder with everything in one file is taken over and gone on from', async () => {
  const goose = `create table goose_db_version (
      id integer generated by default as identity primary key, version_id bigint not null, is_applied boolean not null,
      tstamp timestamp not null default now());
    insert into goose_db_version (version_id, is_applied) values (0, true), (1, true);`
  const { run, ask } = await legacy(`create table a (id int primary key); ${goose}`, {
    'm/00001_a.sql': '-- +goose Up\ncreate table a (id int primary key);\n\n-- +goose Down\ndrop table a;\n',
    'm/00002_f.sql':
      '-- +goose Up\n-- +goose StatementBegin\ncreate function f() returns int language plpgsql as $$ begin return 1; end $$;\n-- +goose StatementEnd\n\n-- +goose Down\ndrop function f();\n',
  })
  expect((await run('adopt')).stdout).toContain('1 migration taken over from goose')
  expect((await run('apply')).status).toBe(0)
  expect(await ask('select f() as one')).toEqual([{ one: 1 }])
  expect((await run('rollback', '--to', '0', '--yes')).status).toBe(0)
  expect(await ask("select to_regclass('a')::text as a")).toEqual([{ a: null }])
})

test('what cannot be taken over is said with the next step', async () => {
  const { run } = await legacy(dirty.replace('(10, true)', '(3, false)'))
  expect(await run('adopt', '--json')).toMatchObject({
    status: 5,
    json: { error: { code: 'FILE_GONE', hint: expect.stringContaining('plinth baseline') } },
  })
  expect(await run('adopt', '--from', 'fly', '--json')).toMatchObject({ status: 2 })
  expect(await run('adopt', '--from', 'flyway', '--json')).toMatchObject({
    status: 2,
    json: { error: { code: 'HISTORY_UNKNOWN', message: expect.stringContaining('no history of flyway') } },
  })
})
