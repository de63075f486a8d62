/** Everything that a life of a warehouse in BigQuery sends there, typed by Google's analyzer; and readings there and in DuckDB, which are equal. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runChecks } from '../../src/analytics/check/check.ts'
import { type ReadRequest, readUsage, type UsageReading } from '../../src/analytics/read/read.ts'
import { reconcile } from '../../src/analytics/prove/reconcile.ts'
import { runRollup } from '../../src/analytics/run/run.ts'
import { rollupStatus } from '../../src/analytics/status.ts'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { kindOf, splitStatements } from '../../src/sql/googlesql.ts'
import { emulator, faulty, withoutBigQuery } from '../support/bigquery.ts'
import { analyst, withoutZetaSql } from '../support/zetasql.ts'
import { event, fillEvents, insertEvent, makeWorld, root } from './support/world.ts'

const server = emulator()
const google = analyst()

const questions: readonly ReadRequest[] = [
  { from: '2026-03-01', to: '2026-04-01' },
  { from: '2026-03-01T10:17:03', to: '2026-03-05T22:41', timeZone: 'Asia/Kathmandu', by: ['day', 'organization'] },
  { from: '2026-03-01T10:17', to: '2026-03-02T22:41', timeZone: 'Asia/Kolkata', by: ['hour'], quantiles: [0.9] },
  { from: '2026-02-01', to: '2026-05-01', timeZone: 'Europe/Berlin', by: ['month', 'model'] },
  { from: '2026-02-11', to: '2026-04-11T13:37', timeZone: 'America/New_York', by: ['week', 'model'] },
  { from: '2026-03-20', to: '2026-04-20', timeZone: 'Europe/Berlin', by: ['day', 'region'] },
]

describe.skipIf(withoutBigQuery)('a warehouse in BigQuery', { timeout: 240_000 }, () => {
  test('is read like one in DuckDB, and all that was sent there is typed', async () => {
    const world = await makeWorld()
    const sent: string[] = []
    const endpoint = await faulty(server.endpoint, ({ method, body }) => {
      if (method !== 'POST' || !body.startsWith('{')) return null
      const { query, configuration, tableReference, schema } = JSON.parse(body) as Sent
      const text = query ?? configuration?.query?.query
      if (text !== undefined) sent.push(text)
      if (tableReference && schema) google.learn(tableReference.datasetId, tableReference.tableId, schema.fields)
      return null
    })
    const url = new URL(server.url())
    url.searchParams.set('endpoint', endpoint)
    const far = () =>
      world.options({ warehouse: { engine: bigquery, url: url.toString() }, consumer: 'bigquery', runId: randomUUID() })
    const track = { track: 'analytics', folder: join(root, 'db/migrations/analytics'), actor: 'a test' }
    const applied = await withSession(bigquery, url.toString(), {}, session => applyTrack(session, track))
    expect(applied.status).toBe('succeeded')
    await fillEvents(world, 600)
    await world.run()
    await runRollup(world.project, far())
    await world.sql(insertEvent, event(world, { at: '2026-03-29T01:30:00Z', cost: '12.345678' }))
    await world.sql(`delete from platform.usage_events where latency_ms % 7 = 0`)
    await world.run()
    await runRollup(world.project, far())
    for (const question of questions) {
      const near = await readUsage(world.project, question, world.options())
      const there = await readUsage(world.project, question, far())
      expect(there.rows.length).toBeGreaterThan(0)
      expect(plain(there)).toEqual(plain(near))
    }
    expect((await reconcile(world.project, far())).status).toBe('equal')
    await rollupStatus(world.project, far())
    const checks = await withSession(bigquery, url.toString(), {}, warehouse =>
      runChecks(world.project, { warehouse, emit: () => undefined }),
    )
    expect(checks.checks.filter(({ status }) => status === 'error')).toEqual([])
    expect(sent.length).toBeGreaterThan(50)
    if (withoutZetaSql) return
    const complaints = new Set<string>()
    let typed = 0
    for (const script of sent) {
      for (const { text } of splitStatements(script)) {
        // What steers a script is not the analyzer's: it knows single statements.
        if (kindOf(text) === 'scripting') continue
        const complaint = await google.check(text)
        if (complaint !== null) complaints.add(`${complaint}: ${text.slice(0, 600)}`)
        typed++
      }
    }
    expect([...complaints]).toEqual([])
    expect(typed).toBeGreaterThan(100)
  })
})

/** The emulator does not tell the scale of a decimal, whose last zeros it leaves out. */
function plain(reading: UsageReading): unknown {
  const rows = reading.rows.map(row => ({ ...row, cost: Number(row['cost']) }))
  return { ...reading, asOf: null, rows }
}

interface Sent {
  readonly query?: string
  readonly configuration?: { readonly query?: { readonly query: string } }
  readonly tableReference?: { readonly datasetId: string; readonly tableId: string }
  readonly schema?: { readonly fields: readonly { readonly name: string; readonly type: string }[] }
}
