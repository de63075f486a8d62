import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Client } from 'pg'
import { engineOf } from '../../src/engines/registry.ts'
import { catalogOf } from '../../src/migrations/catalog.ts'
import type { ExpandRequest } from '../../src/migrations/expand/request.ts'
import { draftExpansion, writeExpansion } from '../../src/migrations/expand/write.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { failureOf, folderOf, openSession, someone } from './support.ts'

const shop = `create schema shop;
create table shop.customers (id int primary key);
create table shop.orders (
  id int generated always as identity primary key,
  customer int references shop.customers,
  amount numeric(10, 2) not null default 0 check (amount >= 0),
  "Full Name" text,
  code text default gen_random_uuid()::text,
  note text default 'none',
  at timestamptz
);
comment on column shop.orders.amount is 'what ''they'' pay';
create index orders_amount on shop.orders (amount desc, id) where amount > 10;
create index on shop.orders (customer);`

async function begin(request: Omit<ExpandRequest, 'table'>, setup = shop) {
  const { url } = await emptyDatabase()
  const engine = await engineOf(url)
  const folder = await folderOf({ '1_shop': [setup, 'drop schema shop cascade;'] })
  const schema = await catalogOf({ engine, url, ...someone, folder })
  const drafts = draftExpansion(schema, { quietMs: 0, ...request, table: 'shop.orders' })
  const { created, notices } = await writeExpansion(drafts, { folder })
  const session = await openSession(url, { applicationName: 'plinth test' })
  const to = async (version: string) => {
    const report = await applyTrack(session, { ...someone, folder, target: { kind: 'version', version } })
    if (report.error) throw report.error
  }
  const back = async (count: number) => {
    const report = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count } })
    if (report.error) throw report.error
  }
  return { url, engine, folder, session, created, notices, to, back }
}

const requests: readonly Omit<ExpandRequest, 'table'>[] = [
  { expansion: 'rename-column', column: 'amount', to: 'total' },
  { expansion: 'rename-column', column: 'Full Name', to: 'select' },
  { expansion: 'rename-column', column: 'customer', to: 'buyer' },
  { expansion: 'rename-column', column: 'code', to: 'token' },
  {
    expansion: 'change-type',
    column: 'amount',
    to: 'cents',
    type: 'bigint',
    using: '(amount * 100)::bigint',
    back: 'cents::numeric / 100',
  },
  {
    expansion: 'change-type',
    column: 'note',
    to: 'note_json',
    type: 'jsonb',
    using: 'to_jsonb(note)',
    back: "note_json #>> '{}'",
  },
  { expansion: 'split-column', column: 'Full Name', to: 'first_name,last_name' },
  { expansion: 'set-not-null', column: 'note' },
  { expansion: 'set-not-null', column: 'at', fill: "'2026-01-01T00:00:00Z'" },
]

describe('expand, migrate, contract', () => {
  test.each(requests)('of %o have true downs', async request => {
    const { url, engine, folder } = await begin(request)
    const report = await verifyTrack({ engine, url, ...someone, folder })
    expect(report.error).toBeNull()
    expect(report.steps.map(step => step.differences)).toEqual([[], [], [], []])
  })

  test('are three pairs of files in a row, with checks beside the last', async () => {
    const { created } = await begin({ expansion: 'rename-column', column: 'amount', to: 'total' })
    expect(created.map(one => [one.version, one.slug, one.checks !== null])).toEqual([
      ['2', 'expand_orders_amount', false],
      ['3', 'migrate_orders_amount', false],
      ['4', 'contract_orders_amount', true],
    ])
    expect(await readFile(created[1]?.up ?? '', 'utf8')).toMatch(/^-- plinth: batch=1000/m)
  })

  test.each([
    [{ expansion: 'rename-colum', column: 'amount', to: 'total' }, /Did you mean rename-column/],
    [{ expansion: 'rename-column', column: 'amout', to: 'total' }, /Did you mean amount/],
    [{ expansion: 'rename-column', column: 'amount', to: 'note' }, /another name/],
    [{ expansion: 'rename-column', column: 'id', to: 'number' }, /by hand/],
    [{ expansion: 'change-type', column: 'amount', to: 'cents' }, /--type/],
    [{ expansion: 'change-type', column: 'amount', to: 'cents', type: 'int', using: '1' }, /amount::int/],
    [{ expansion: 'split-column', column: 'Full Name', to: 'one' }, /first,second/],
    [{ expansion: 'set-not-null', column: 'amount' }, /Nothing/],
    [{ expansion: 'set-not-null', column: 'at' }, /--fill/],
  ])('of %o are refused', async (request, hint) => {
    expect(await failureOf(begin(request))).toMatchObject({
      code: 'USAGE',
      exitStatus: 2,
      hint: expect.stringMatching(hint),
    })
  })

  test('name what has to be done by hand', async () => {
    const { notices } = await begin(
      { expansion: 'rename-column', column: 'amount', to: 'total' },
      `${shop}\ncreate view shop.big as select id from shop.orders where amount > 100;`,
    )
    expect(notices).toEqual(['The view shop.big names amount: bring it to the new column before contract.'])
  })
})

describe('code of both kinds', () => {
  test('writes and reads the same value at all times, from expand to contract and back', async () => {
    const { url, session, to, back } = await begin({
      expansion: 'change-type',
      column: 'amount',
      to: 'cents',
      type: 'bigint',
      using: '(amount * 100)::bigint',
      back: 'cents::numeric / 100',
    })
    await to('1')
    await session.script('insert into shop.orders (amount) select i from generate_series(1, 3000) i')
    await to('2')
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const oldCode = write(url, stop.signal, async (client, turn) => {
      const id = 1 + ((turn * 7) % 3000)
      await client.query('update shop.orders set amount = $2 where id = $1', [id, turn + 0.25])
      await client.query('insert into shop.orders (amount, note) values ($1, $2)', [turn, 'old'])
      await client.query("insert into shop.orders (note) values ('old default')")
    })
    const newCode = write(url, stop.signal, async (client, turn) => {
      const id = 1 + ((turn * 11) % 3000)
      await client.query('update shop.orders set cents = $2 where id = $1', [id, turn * 100 + 50])
      await client.query('insert into shop.orders (cents, note) values ($1, $2)', [turn * 100, 'new'])
      await client.query("update shop.orders set note = 'touched' where id = $1", [id + 1])
    })
    await to('3')
    // From here on every row that anybody can see says the same in both columns.
    const wrong =
      'select count(*)::int as wrong from shop.orders where cents is distinct from (amount * 100)::bigint or cents is null'
    for (let look = 0; look < 20; look++) expect((await session.query(wrong)).rows).toEqual([{ wrong: 0 }])
    await back(1)
    expect((await session.query(wrong)).rows).toEqual([{ wrong: 0 }])
    await to('3')
    stop.abort()
    expect(Math.min(await oldCode, await newCode)).toBeGreaterThan(5)
    expect((await session.query(wrong)).rows).toEqual([{ wrong: 0 }])
    const before = await session.query('select id, cents from shop.orders order by id')
    await to('4')
    await back(1)
    expect((await session.query('select id, cents from shop.orders order by id')).rows).toEqual(before.rows)
    expect((await session.query(wrong)).rows).toEqual([{ wrong: 0 }])
  })

  test('that nobody told is seen by what it wrote: the old side, the new side, nulls and defaults', async () => {
    const { url, to } = await begin({ expansion: 'rename-column', column: 'note', to: 'remark' })
    await to('2')
    await withClient(url, async client => {
      const rows = async (statement: string) =>
        (await client.query(`with written as (${statement} returning note, remark) select note, remark from written`))
          .rows
      expect(await rows("insert into shop.orders (note) values ('a'), (null), ('none'), (default)")).toEqual([
        { note: 'a', remark: 'a' },
        { note: null, remark: null },
        { note: 'none', remark: 'none' },
        { note: 'none', remark: 'none' },
      ])
      expect(await rows("insert into shop.orders (remark) values ('b'), (null), ('none')")).toEqual([
        { note: 'b', remark: 'b' },
        { note: null, remark: null },
        { note: 'none', remark: 'none' },
      ])
      expect(await rows("update shop.orders set note = 'c' where note = 'a'")).toEqual([{ note: 'c', remark: 'c' }])
      expect(await rows("update shop.orders set remark = null where remark = 'c'")).toEqual([
        { note: null, remark: null },
      ])
      expect(await rows("update shop.orders set note = null where note = 'b'")).toEqual([{ note: null, remark: null }])
    })
  })

  test('splits a name, and puts it together again as it was', async () => {
    const { session, to, back } = await begin({
      expansion: 'split-column',
      column: 'Full Name',
      to: 'first_name,last_name',
    })
    await to('1')
    const names = ['Ada', 'Ada Lovelace', 'Ada King Lovelace', ' Ada', 'Ada ', '', null]
    for (const name of names) await session.query('insert into shop.orders ("Full Name") values ($1)', [name])
    await to('3')
    expect((await session.query('select first_name, last_name from shop.orders order by id')).rows).toEqual([
      { first_name: 'Ada', last_name: null },
      { first_name: 'Ada', last_name: 'Lovelace' },
      { first_name: 'Ada', last_name: 'King Lovelace' },
      { first_name: '', last_name: 'Ada' },
      { first_name: 'Ada', last_name: '' },
      { first_name: '', last_name: null },
      { first_name: null, last_name: null },
    ])
    await session.script("update shop.orders set last_name = 'Byron' where last_name = 'Lovelace'")
    await to('4')
    await back(1)
    const read = await session.query<{ name: string | null }>('select "Full Name" as name from shop.orders order by id')
    expect(read.rows.map(row => row.name)).toEqual(names.map(name => (name === 'Ada Lovelace' ? 'Ada Byron' : name)))
  })
})

describe('contract', () => {
  test('is refused while the old column is written, and allowed once it is left alone', async () => {
    const { url, session, to } = await begin({
      expansion: 'rename-column',
      column: 'amount',
      to: 'total',
      quietMs: 2000,
    })
    await to('3')
    await withClient(url, async client => {
      // Nobody wrote yet, but somebody is there who might.
      expect(await failureOf(to('4'))).toMatchObject({
        code: 'CHECK_FAILED',
        exitStatus: 3,
        details: { check: 'amount_was_watched_long_enough' },
      })
      for (const write of [
        'insert into shop.orders (amount) values (5)',
        'update shop.orders set amount = amount',
        'update shop.orders set amount = 7',
      ]) {
        await client.query(write)
        const error = await failureOf(to('4'))
        expect(error).toMatchObject({
          details: { check: 'amount_is_not_written_any_more', rows: 1 },
          hint: expect.stringMatching(/last 2 seconds/),
        })
      }
      // New code, and other columns, are no reason to wait.
      const witness = async () => (await session.query('select last_value from shop.plinth_writes_orders_amount')).rows
      const seen = await witness()
      await client.query('insert into shop.orders (total) values (9)')
      await client.query("update shop.orders set total = 8, note = 'x'")
      expect(await witness()).toEqual(seen)
      let refused = 0
      while (refused >= 0) {
        const done = await to('4').then(
          () => true,
          () => false,
        )
        if (done) break
        refused++
        await client.query('update shop.orders set total = total + 1')
        await new Promise(resolve => setTimeout(resolve, 200))
      }
      expect(refused).toBeGreaterThan(0)
      expect((await client.query('select count(*)::int as count from shop.orders where total > 8')).rows).toEqual([
        { count: 2 },
      ])
    })
  })

  test('is refused while rows have no value in the new column', async () => {
    const { session, to } = await begin({ expansion: 'rename-column', column: 'note', to: 'remark' })
    await to('3')
    await session.script(
      "alter table shop.orders disable trigger user;\ninsert into shop.orders (note, remark) values ('x', null);\nalter table shop.orders enable trigger user",
    )
    expect(await failureOf(to('4'))).toMatchObject({ details: { check: 'note_is_carried_over', rows: 1 } })
  })

  test('of a column that may not be null waits until nobody leaves it out', async () => {
    const { session, to, back } = await begin({
      expansion: 'set-not-null',
      column: 'at',
      fill: "'2026-01-01T00:00:00Z'",
      quietMs: 60_000,
    })
    await to('1')
    await session.script('insert into shop.orders (amount) values (1)')
    await to('3')
    await session.script('insert into shop.orders (amount) values (2)')
    expect((await session.query('select distinct at from shop.orders')).rows).toEqual([
      { at: '2026-01-01T00:00:00.000000Z' },
    ])
    expect(await failureOf(to('4'))).toMatchObject({ details: { check: 'at_is_not_written_any_more' } })
    await session.script("select setval('shop.plinth_writes_orders_at', 1, true)")
    await to('4')
    expect(await failureOf(session.query('insert into shop.orders (amount) values (3)'))).toMatchObject({
      sqlState: '23502',
    })
    await back(1)
    await session.script('insert into shop.orders (amount) values (3)')
  })
})

/** Writes until it is told to stop, on a connection of its own; answers its turns. */
async function write(
  url: string,
  signal: AbortSignal,
  work: (client: Client, turn: number) => Promise<void>,
): Promise<number> {
  return withClient(url, async client => {
    let turn = 1
    for (; !signal.aborted; turn++) {
      await work(client, turn)
      await sleep(2)
    }
    return turn
  })
}
