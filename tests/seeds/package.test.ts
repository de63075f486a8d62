/** Packages that somebody writes: what a value can be, and how every mistake ends with its code, file and line. */
import { describe, expect, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { listPackages, loadPackage } from '../../src/seeds/load.ts'
import type { SeedOptions } from '../../src/seeds/run.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { counts, folderWith, seed } from './support.ts'

const schema = `
  create schema shop;
  create table shop.customers (id uuid primary key, code text not null unique, tags text[], notes jsonb, plain json, mail bytea, mail_hash bytea,
    balance numeric(12, 2) not null default 0 check (balance >= 0), joined_on date, active boolean not null default true);
  create table shop.orders (id uuid primary key, customer_id uuid not null references shop.customers (id), number int not null, note text,
    placed_at timestamptz not null, unique (customer_id, number));`

const manifest = `
description: A shop.
seed: shop
anchor: "2026-01-31T12:00:00Z"
weeks: 4
tables: [customers.yaml, orders.yaml]
`

const customers = `
table: shop.customers
kind: demo
key: [code]
columns:
  code: $label
  id: { uuid: [$code] }
  balance: "0.00"
rows:
  ada: { balance: "12.50" }
  bob: {}
`

const orders = `
table: shop.orders
kind: demo
key: [customer_id, number]
columns:
  id: { uuid: [$customer_id, $number] }
  placed_at: { at: -1d }
rows:
  first: { customer_id: { ref: customers.ada.id }, number: 1 }
`

describe('a package', () => {
  test('brings every kind of value into its column', async () => {
    const { url } = await shop()
    await seedShop(url, {
      customers: `
table: shop.customers
kind: demo
key: [code]
columns:
  code: $label
  id: { uuid: [$code] }
  tags: []
  notes: null
  plain: { b: 1, a: [true, null] }
  joined_on: 2026-01-02
  balance: 0
  active: true
  mail: null
  mail_hash: { hash: $mail_text, as: email }
  $mail_text: null
rows:
  ada: {}
`,
    }).then(
      () => expect.unreachable(),
      error => expect(error).toMatchObject({ code: 'SEED_INVALID', message: expect.stringContaining('$mail_text') }),
    )
    await seedShop(url, {
      customers: `
table: shop.customers
kind: demo
key: [code]
columns:
  $mail_text: null
  code: $label
  id: { uuid: [$code] }
  tags: []
  notes: null
  plain: { b: 1, a: [true, null] }
  joined_on: 2026-01-02
  balance: 0
  active: true
  mail: { encrypt: $mail_text }
  mail_hash: { hash: $mail_text, as: email }
rows:
  ada:
    $mail_text: ada@example.com
    tags: [a, 'b "c"', 'd,e\\f', null]
    notes: { ref: 'not an operator here', list: [1, 2.5] }
    balance: "1234567890.25"
    active: false
  bob: { balance: 0.1 }
`,
    })
    const { rows } = await withClient(url, client =>
      client.query(
        `select code, tags, notes, plain, joined_on::text, balance::text, active, octet_length(mail) as mail, octet_length(mail_hash) as hash from shop.customers order by code`,
      ),
    )
    expect(rows).toEqual([
      {
        code: 'ada',
        tags: ['a', 'b "c"', 'd,e\\f', null],
        notes: { ref: 'not an operator here', list: [1, 2.5] },
        plain: { b: 1, a: [true, null] },
        joined_on: '2026-01-02',
        balance: '1234567890.25',
        active: false,
        mail: 45 + 'ada@example.com'.length,
        hash: 32,
      },
      {
        code: 'bob',
        tags: [],
        notes: null,
        plain: { b: 1, a: [true, null] },
        joined_on: '2026-01-02',
        balance: '0.10',
        active: true,
        mail: null,
        hash: null,
      },
    ])
  })

  test('makes rows for each row of another table, and picks among them by weight and match', async () => {
    const { url } = await shop()
    const files = {
      orders: `
table: shop.orders
kind: generated
key: [customer_id, number]
rows: { each: customers, times: 3, where: { code: [ada, bob] } }
columns:
  customer_id: $each.id
  number: $number
  id: { uuid: row }
  $friend: { pick: customers, weigh: { code: { ada: 0, bob: 1 } } }
  $same: { pick: customers, match: { code: $each.code } }
  note: { text: "{$each.code} {$number} {$friend.code} {$same.code}" }
  placed_at: { time: window }
`,
    }
    const first = await seedShop(url, files)
    const { rows } = await withClient(url, client => client.query('select note from shop.orders order by note'))
    expect(rows.map(row => row.note)).toEqual([
      'ada 1 bob ada',
      'ada 2 bob ada',
      'ada 3 bob ada',
      'bob 1 bob bob',
      'bob 2 bob bob',
      'bob 3 bob bob',
    ])
    expect((await seedShop(url, files)).digest).toBe(first.digest)
  })

  test('that grows keeps the rows that are there', async () => {
    const { url } = await shop()
    const generated = (rows: number): string => `
table: shop.orders
kind: generated
key: [customer_id, number]
rows: ${rows}
columns:
  customer_id: { ref: customers.ada.id }
  number: $row
  id: { uuid: row }
  note: { choice: { a: 1, b: 2 } }
  placed_at: { time: window }
`
    await seedShop(url, { orders: generated(50) })
    expect(counts(await seedShop(url, { orders: generated(80) }))['shop.orders']).toEqual([30, 0, 50, 0])
  })

  test('whose row was edited in the file updates that row', async () => {
    const { url } = await shop()
    await seedShop(url)
    const report = await seedShop(url, { customers: customers.replace('"12.50"', '"13.00"') })
    expect(counts(report)).toEqual({ 'shop.customers': [0, 1, 1, 0], 'shop.orders': [0, 0, 1, 0] })
  })
})

describe('a mistake', () => {
  const wrong: readonly [
    string,
    { readonly file: 'customers' | 'orders'; readonly from: string; readonly to: string; readonly at?: string },
    string,
    string?,
  ][] = [
    [
      'an unknown table',
      { file: 'customers', from: 'table: shop.customers', to: 'table: shop.customer', at: 'table:' },
      'no table shop.customer',
      'shop.customers',
    ],
    [
      'an unknown column',
      { file: 'customers', from: 'balance: "12.50"', to: 'balanse: "12.50"' },
      'no column "balanse"',
      'balance',
    ],
    [
      'an unknown column among the defaults',
      { file: 'customers', from: 'balance: "0.00"', to: 'blance: "0.00"' },
      'no column "blance"',
      'balance',
    ],
    [
      'an unknown reference',
      { file: 'orders', from: 'customers.ada.id', to: 'customers.adda.id' },
      'no row "adda"',
      'ada',
    ],
    [
      'an unknown column of a reference',
      { file: 'orders', from: 'customers.ada.id', to: 'customers.ada.idd' },
      'no column "idd"',
      'id',
    ],
    [
      'a reference to a table that is not loaded',
      { file: 'orders', from: 'customers.ada.id', to: 'custumers.ada.id' },
      'No earlier file',
      'customers',
    ],
    ['a malformed reference', { file: 'orders', from: 'customers.ada.id', to: 'customers' }, 'table.label'],
    [
      'an unknown operator',
      { file: 'orders', from: '{ ref: customers.ada.id }', to: '{ reff: customers.ada.id }' },
      'no operator',
      'ref',
    ],
    [
      'an unknown option',
      { file: 'orders', from: '{ at: -1d }', to: '{ at: -1d, form: x }', at: 'placed_at' },
      'no option',
    ],
    [
      'a malformed distance',
      { file: 'orders', from: '{ at: -1d }', to: '{ at: yesterday }', at: 'placed_at' },
      'distance',
    ],
    ['an unknown variable', { file: 'customers', from: '[$code]', to: '[$coda]' }, '$coda', '$code'],
    [
      'a column that only some rows set',
      { file: 'customers', from: 'balance: "12.50"', to: 'active: false' },
      '"active"',
    ],
    [
      'a duplicate natural key',
      { file: 'customers', from: 'bob: {}', to: 'bob: { code: ada }', at: 'bob:' },
      'same natural key',
    ],
    [
      'a key column that is not set',
      { file: 'customers', from: 'key: [code]', to: 'key: [codes]' },
      'key column "codes"',
    ],
    [
      'a value that its column cannot hold',
      { file: 'customers', from: 'bob: {}', to: 'bob: { balance: [1] }' },
      'cannot hold',
    ],
    [
      'plain text in a protected column',
      {
        file: 'customers',
        from: 'ada: { balance: "12.50" }\n  bob: {}',
        to: 'ada: { mail: { encrypt: x } }\n  cy: { mail: "plain" }',
        at: 'cy:',
      },
      'plain here',
    ],
    ['malformed YAML', { file: 'customers', from: 'bob: {}', to: 'bob: {' }, 'not valid YAML'],
    ['a repeated label', { file: 'customers', from: 'bob: {}', to: 'ada: {}' }, 'unique'],
    [
      'an unknown key of the file',
      { file: 'customers', from: 'kind: demo', to: 'kind: demo\nkinds: x', at: 'kinds:' },
      'kinds',
    ],
    ['an unknown kind', { file: 'customers', from: 'kind: demo', to: 'kind: dema' }, 'kind', 'demo'],
  ]

  test.each(wrong)('%s', async (_, { file, from, to, at }, message, hint) => {
    const { url } = await shop()
    const text = (file === 'customers' ? customers : orders).replace(from, to)
    expect(text).toContain(to)
    const line = text.split('\n').findIndex(candidate => candidate.includes(at ?? to.split('\n')[0] ?? to)) + 1
    const error = await failureOf(seedShop(url, { [file]: text }))
    expect(error).toMatchObject({ code: 'SEED_INVALID', message: expect.stringContaining(message) })
    expect(error.at?.file).toContain(`${file}.yaml`)
    if (!/YAML|repeated|unique|only some/.test(`${message} ${_}`)) expect(error.at?.line, error.message).toBe(line)
    else expect(error.at?.line).toBeGreaterThan(0)
    if (hint) expect(error.hint).toContain(hint)
    expect(await rowsOf(url)).toBe(0)
  })

  test('a value in plain that is classified as protected', async () => {
    const { url } = await shop()
    const classOf = (table: string, column: string) =>
      table === 'shop.orders' && column === 'note'
        ? ({ class: 'restricted', protection: 'encrypted', retentionDays: 30, purge: 'delete' } as const)
        : undefined
    const text = orders.replace('number: 1 }', 'number: 1, note: by hand }')
    const error = await failureOf(seedShop(url, { orders: text }, { classOf }))
    expect(error).toMatchObject({ code: 'SEED_INVALID', message: expect.stringContaining('shop.orders.note') })
    await seedShop(url, { orders }, { classOf })
  })

  test('a value that a constraint refuses names file, line and row, and leaves the table as it was', async () => {
    const { url } = await shop()
    const text = customers.replace('bob: {}', 'bob: {}\n  cyd: { balance: "-7.77" }\n  dan: {}')
    const error = await failureOf(seedShop(url, { customers: text }))
    expect(error).toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      sqlState: '23514',
      message: expect.stringContaining('"cyd"'),
    })
    expect(error.at?.line).toBe(text.split('\n').findIndex(line => line.includes('cyd')) + 1)
    expect(JSON.stringify([error.message, error.hint, error.details])).not.toContain('7.77')
    expect(await rowsOf(url)).toBe(0)
  })

  test('a value that the type refuses names its row too', async () => {
    const { url } = await shop()
    const text = customers.replace('bob: {}', 'bob: {}\n  cyd: { balance: plenty }')
    const error = await failureOf(seedShop(url, { customers: text }))
    expect(error.message).toContain('"cyd"')
    expect(error.message).not.toContain('plenty')
    expect(error.at?.line).toBe(text.split('\n').findIndex(line => line.includes('cyd')) + 1)
  })

  test('a row that somebody else made under another id is left alone', async () => {
    const { url } = await shop()
    await withClient(url, client =>
      client.query(`insert into shop.customers (id, code) values (gen_random_uuid(), 'bob')`),
    )
    const error = await failureOf(seedShop(url))
    expect(error).toMatchObject({ code: 'CONSTRAINT_VIOLATED', message: expect.stringContaining('"bob"') })
    expect(await rowsOf(url)).toBe(1)
  })

  test('a failing statement before the rows names its line', async () => {
    const { url } = await shop()
    const text = `${manifest}prepare:\n  - select 1\n  - select shop.nothing(:from, :to)\n`
    const error = await failureOf(seedShop(url, { manifest: text }))
    expect(error.at).toMatchObject({ file: expect.stringContaining('package.yaml'), line: text.split('\n').length - 1 })
  })

  test('an unknown package lists those that there are', async () => {
    const folder = folderWith({ 'shop/package.yaml': manifest, 'shared/readme.txt': 'no package' })
    await expect(loadPackage(folder, 'shopp')).rejects.toMatchObject({
      code: 'PACKAGE_UNKNOWN',
      hint: expect.stringMatching(/Did you mean "shop"\? Known packages: shop\./),
    })
    expect((await listPackages(folder)).map(one => one.name)).toEqual(['shop'])
    await expect(listPackages(`${folder}/none`)).rejects.toMatchObject({ code: 'FOLDER_NOT_FOUND' })
  })

  test('a table file that is absent, or outside of the folder, names the line that lists it', async () => {
    const folder = folderWith({
      'shop/package.yaml': manifest,
      'away/package.yaml': manifest.replace('customers.yaml', '../../customers.yaml'),
    })
    const line = manifest.split('\n').findIndex(text => text.startsWith('tables')) + 1
    await expect(loadPackage(folder, 'shop')).rejects.toMatchObject({ code: 'SEED_INVALID', at: { line } })
    await expect(loadPackage(folder, 'away')).rejects.toMatchObject({
      code: 'SEED_INVALID',
      at: { line },
      message: expect.stringContaining('outside'),
    })
  })
})

async function shop() {
  const database = await emptyDatabase()
  await withClient(database.url, client => client.query(schema))
  return database
}

async function seedShop(
  url: string,
  files: { readonly manifest?: string; readonly customers?: string; readonly orders?: string } = {},
  options: Partial<SeedOptions> = {},
) {
  const folder = folderWith({
    'shop/package.yaml': files.manifest ?? manifest,
    'shop/customers.yaml': files.customers ?? customers,
    'shop/orders.yaml': files.orders ?? orders,
  })
  return seed(url, { folder, name: 'shop', ...options })
}

async function rowsOf(url: string): Promise<number> {
  return withClient(url, async client =>
    Number((await client.query('select count(*) from shop.customers')).rows[0].count),
  )
}

async function failureOf(work: Promise<unknown>): Promise<PlinthError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (thrown instanceof PlinthError) return thrown
  throw new Error(`expected a PlinthError, got ${String(thrown)}`)
}
