import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { root } from './support/world.ts'

test('the migrations of the warehouse go up, down to nothing, and up to the same; every table and column has a comment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-warehouse-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const migrations = join(root, 'db/migrations/analytics')
  const names = readdirSync(migrations).sort()
  const read = (ending: string) =>
    names.filter(name => name.endsWith(ending)).map(name => readFileSync(join(migrations, name), 'utf8'))
  await withSession(duckdb, `duckdb:${join(folder, 'w.duckdb')}`, {}, async session => {
    const empty = await session.introspect()
    const states = []
    for (let round = 0; round < 2; round++) {
      for (const script of read('.up.sql')) await session.script(script)
      states.push(await session.introspect())
      for (const script of read('.down.sql').reverse()) await session.script(script)
      expect(await session.introspect()).toEqual(empty)
    }
    expect(states[1]).toEqual(states[0])
    for (const table of states[0]?.tables ?? []) {
      expect(table.comment, table.name).toBeTruthy()
      for (const column of table.columns) expect(column.comment, `${table.name}.${column.name}`).toBeTruthy()
    }
    expect(states[0]?.tables.map(table => `${table.schema}.${table.name}`)).toEqual([
      'analytics.latency_daily',
      'analytics.latency_hourly',
      'analytics.platform_daily',
      'analytics.platform_hourly',
      'analytics.reconciled_cells',
      'analytics.usage_daily',
      'analytics.usage_hourly',
      'raw.usage_events',
    ])
  })
})
