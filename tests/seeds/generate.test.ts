/** Rows as a stream: parts that are made alone join to the whole, and a stream fills a table without a seed run. */
import { expect, test } from 'vitest'
import { generateRows } from '../../src/seeds/generate.ts'
import { loadPackage } from '../../src/seeds/load.ts'
import { runSeed } from '../../src/seeds/run.ts'
import { openKeyring } from '../../src/governance/keyring.ts'
import { platformDatabase } from '../support/database.ts'
import { counts, freshKeys, openSession, platformPackages, seed, seedable } from './support.ts'

const table = 'platform.usage_events'

test('parts of a table join to the whole, and rows beyond the package exist', async () => {
  const { url } = await platformDatabase()
  const session = await openSession(url)
  const seedPackage = await loadPackage(platformPackages, 'ci')
  const schema = await session.introspect({ schemas: ['platform'] })
  const text = async (first: number, count: number) => {
    let whole = ''
    for await (const chunk of generateRows({ package: seedPackage, schema, table, first, count }).chunks) whole += chunk
    return whole
  }
  expect((await text(0, 700)) + ((await text(700, 1)) + (await text(701, 1299)))).toBe(await text(0, 2000))
  expect((await text(5e9, 10)).split('\n')).toHaveLength(11)
})

test('a stream and a seed run write the same rows', async () => {
  const { url } = await platformDatabase()
  const keys = freshKeys()
  const seedPackage = await loadPackage(platformPackages, 'ci')
  const withoutEvents = { ...seedPackage, tables: seedPackage.tables.filter(file => file.table !== table) }
  const session = await openSession(url)
  const options = {
    environment: seedable,
    protect: async () => openKeyring({ provider: keys, session }),
    secrets: 'discard',
  } as const
  await runSeed(session, withoutEvents, options)
  const schema = await session.introspect({ schemas: ['platform'] })
  const { columns, chunks } = generateRows({ package: seedPackage, schema, table })
  expect(await session.copyIn(`copy ${table} (${columns.join(', ')}) from stdin with (format csv)`, chunks)).toBe(2000)
  expect(counts(await seed(url, { keys }))[table]).toEqual([0, 0, 2000, 0])
})

test('a table with protected columns is not streamed', async () => {
  const { url } = await platformDatabase()
  const session = await openSession(url)
  const inputs = {
    package: await loadPackage(platformPackages, 'staging'),
    schema: await session.introspect({ schemas: ['platform'] }),
  }
  for (const other of ['platform.users', 'platform.audit_log_entries', 'platform.nothing']) {
    expect(() => generateRows({ ...inputs, table: other })).toThrow(expect.objectContaining({ code: 'SEED_INVALID' }))
  }
})
