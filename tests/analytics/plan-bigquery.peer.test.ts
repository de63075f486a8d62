/**
 * What a run would bill is asked first, and a cap keeps it from being sent. The emulator has no prices, so the way to it has: every dry run
 * answers a number of bytes.
 */
import { describe, expect, test } from 'vitest'
import { emulator, type Fault, faulty, withoutBigQuery } from '../support/bigquery.ts'
import { platformProject, plinth } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const server = emulator()
const bytesEach = 3_000_000_000

describe.skipIf(withoutBigQuery)('the bytes of a run', { timeout: 240_000 }, () => {
  test('are told by table before it, and a cap refuses before anything is sent', async () => {
    const sent: { readonly what: string; readonly body: string }[] = []
    const priced: Fault = ({ method, path, body }) => {
      const isDry = /"dryRun":\s*true/.test(body)
      if (method !== 'GET') sent.push({ what: isDry ? 'dry run' : `${method} ${path.replace(/\?.*/, '')}`, body })
      return isDry ? { answering: priceOf } : null
    }
    const url = new URL(server.url())
    url.searchParams.set('endpoint', await faulty(server.endpoint, priced))
    const database = await emptyDatabase()
    const cwd = platformProject()
    const env = { DATABASE_URL: database.url, WAREHOUSE_URL: url.toString(), PLINTH_STATE: `${cwd}/state` }
    const run = async (...args: string[]) => {
      sent.length = 0
      return plinth(args, { cwd, env })
    }
    const applied = await run('apply')
    expect([applied.status, applied.stderr]).toEqual([0, expect.anything()])
    expect((await run('seed', '--package', 'local-dev')).status).toBe(0)
    const first = await run('rollup', 'run')
    expect([first.status, first.stderr]).toEqual([0, expect.anything()])

    expect(await run('rollup', 'plan', '--bytes-max', '1')).toMatchObject({ status: 0 })
    // An event that was there for months is corrected: each table that follows from it reads what its hour and its day hold.
    await withClient(database.url, client =>
      client.query(
        `update platform.usage_events set input_tokens = input_tokens + 1
         where event_id = (select event_id from platform.usage_events order by occurred_at limit 1)`,
      ),
    )
    const plan = await run('rollup', 'plan', '--json')
    expect(plan.status).toBe(3)
    const replaced = tablesOf(plan.json.data).filter(({ action }) => action === 'replace cells')
    expect(replaced.map(({ transform }) => transform)).toEqual(
      expect.arrayContaining(['usage_hourly', 'usage_daily', 'latency_hourly', 'platform_hourly']),
    )
    for (const { bytes } of replaced) expect(bytes).toBe(bytesEach)
    const whole = plan.json.data.bytes as number
    expect(whole).toBeGreaterThanOrEqual(bytesEach * replaced.length)
    // What is asked holds the bounds of what changed as literals, which is what keeps the bill small.
    const asked = sent.filter(({ what }) => what === 'dry run').map(({ body }) => body)
    expect(asked.some(body => /timestamp\s*'\d{4}-\d\d-\d\d/i.test(body))).toBe(true)

    const over = await run('rollup', 'plan', '--bytes-max', '1GiB')
    expect(over.status).toBe(5)
    expect(over.stdout).toContain(`${(whole / 1024 ** 3).toFixed(1)} GiB would be read; the cap is 1.0 GiB.`)

    const refused = await run('rollup', 'run', '--bytes-max', '1GiB', '--json')
    expect(refused.status).toBe(5)
    expect(refused.json.error).toMatchObject({
      code: 'COST_CAP_EXCEEDED',
      message: expect.stringContaining(whole.toLocaleString('en-US')),
      hint: expect.stringContaining('plinth rollup plan'),
    })
    expect(refused.json.error?.message).toContain((1024 ** 3).toLocaleString('en-US'))
    // Its ledger was read, and nothing was loaded, made or changed.
    for (const { what, body } of sent) {
      expect(what === 'dry run' || what.endsWith('/jobs'), what).toBe(true)
      expect(body).not.toMatch(/\b(merge|insert|delete|update|create|drop)\b/i)
    }
    expect(sent.some(({ what }) => what === 'dry run')).toBe(true)

    expect((await run('rollup', 'run', '--bytes-max', '1TiB')).status).toBe(0)
    expect((await run('reconcile', '--dry-run')).status).toBe(0)
    expect(await run('rollup', 'plan', '--bytes-max', 'much', '--json')).toMatchObject({
      status: 2,
      json: { error: { code: 'USAGE' } },
    })
  })

  test('are named by BigQuery as well, when a job is over the cap of the URL', async () => {
    const message = 'Query exceeded limit for bytes billed: 1073741824. 5368709120 or higher required.'
    const answer = { status: 400, reason: 'bytesBilledLimitExceeded', message }
    const proxy = await faulty(server.endpoint, ({ body }) => (body.includes('select 1') ? answer : null))
    const { withSession } = await import('../../src/engines/brackets.ts')
    const { bigquery } = await import('../../src/engines/bigquery/index.ts')
    const url = new URL(server.url({ maximumBytesBilled: '1GiB' }))
    url.searchParams.set('endpoint', proxy)
    const asking = withSession(bigquery, url.toString(), {}, session => session.query('select 1'))
    await expect(asking).rejects.toMatchObject({
      code: 'COST_CAP_EXCEEDED',
      message: expect.stringMatching(/5,368,709,120 bytes.*1,073,741,824/),
    })
  })
})

interface PlannedTable {
  readonly transform: string
  readonly action: string
  readonly bytes: number | null
}

function tablesOf(plan: { readonly sources: readonly { readonly transforms: readonly PlannedTable[] }[] }) {
  return plan.sources.flatMap(({ transforms }) => transforms)
}

function priceOf(body: string): string {
  const job = JSON.parse(body) as { statistics?: { query?: object } }
  const totalBytesProcessed = String(bytesEach)
  return JSON.stringify({
    ...job,
    statistics: { ...job.statistics, totalBytesProcessed, query: { ...job.statistics?.query, totalBytesProcessed } },
  })
}
