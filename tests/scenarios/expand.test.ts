/** The story of a column that is renamed while old and new code run side by side, at the command line. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

test('rename a column under old and new writers, and contract only when the old ones are gone', async () => {
  const cwd = temporaryFolder({
    'm/1_orders.up.sql':
      'create table orders (id int generated always as identity primary key, amount int not null);\ninsert into orders (amount) select generate_series(1, 500);\n',
    'm/1_orders.down.sql': 'drop table orders;\n',
  })
  const { url } = await emptyDatabase()
  const run = (...args: string[]) => plinth([...args, '--dir', 'm', '--database', url], { cwd })
  const written = await run(
    'new',
    '--expand',
    'rename-column',
    '--table',
    'orders',
    '--column',
    'amount',
    '--to',
    'total',
    '--quiet-for',
    '1',
    '--json',
  )
  expect(written.status).toBe(0)
  expect(written.json.data.files).toHaveLength(7)
  expect(readdirSync(join(cwd, 'm')).filter(name => name.endsWith('.checks.sql'))).toEqual([
    '4_contract_orders_amount.checks.sql',
  ])
  expect((await run('verify')).status).toBe(0)

  expect((await run('apply', '--to', '2')).status).toBe(0)
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  // Each reads back, in its own transaction and its own words, exactly what it wrote.
  const oldCode = work(
    url,
    stop.signal,
    'insert into orders (amount) values ($1) returning amount as own, total as other',
  )
  const newCode = work(
    url,
    stop.signal,
    'insert into orders (total) values ($1) returning total as own, amount as other',
  )
  expect((await run('apply', '--to', '3')).status).toBe(0)
  const refused = await run('apply', '--json')
  expect(refused).toMatchObject({ status: 3, json: { error: { code: 'CHECK_FAILED', location: { line: 1 } } } })
  expect(refused.json.error?.message).toContain('amount_is_not_written_any_more')
  stop.abort()
  expect(await oldCode).toBe(0)
  expect(await newCode).toBe(0)

  let contracted = await run('apply')
  while (contracted.status === 3) contracted = await run('apply')
  expect(contracted.status).toBe(0)
  const sum = async (column: string) =>
    withClient(
      url,
      async client => (await client.query<{ sum: string }>(`select sum(${column}) from orders`)).rows[0]?.sum,
    )
  const total = await sum('total')
  expect((await run('rollback', '--to', '1', '--yes')).status).toBe(0)
  expect(await sum('amount')).toBe(total)
})

test('what cannot be expanded is said before a file is written', async () => {
  const cwd = temporaryFolder({
    'm/1_orders.up.sql': 'create table orders (id int primary key, amount int);\n',
    'm/1_orders.down.sql': 'drop table orders;\n',
  })
  const { url } = await emptyDatabase()
  const run = (...args: string[]) => plinth([...args, '--dir', 'm', '--database', url, '--json'], { cwd })
  const key = await run('new', '--expand', 'rename-column', '--table', 'orders', '--column', 'id', '--to', 'number')
  expect(key).toMatchObject({ status: 2, json: { error: { code: 'USAGE' } } })
  expect(await run('new', '--expand', 'rename-column', '--table', 'orders')).toMatchObject({
    status: 2,
    json: { error: { message: '--expand needs --column' } },
  })
  expect(readdirSync(join(cwd, 'm'))).toHaveLength(2)
})

/** Writes one number after the other; answers how often it read back something else. */
async function work(url: string, signal: AbortSignal, statement: string): Promise<number> {
  return withClient(url, async client => {
    let wrong = 0
    for (let turn = 0; !signal.aborted; turn++) {
      const { rows } = await client.query<{ own: number; other: number }>(statement, [turn])
      if (rows[0]?.own !== turn || rows[0]?.other !== turn) wrong++
      await new Promise(next => setTimeout(next, 3))
    }
    return wrong
  })
}
