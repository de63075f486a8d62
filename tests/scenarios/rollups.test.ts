/** Stories of an operator: history is loaded gently and killed, days are sealed, late events are decided on, an organization leaves. */
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import type { Row } from '../../src/engines/engine.ts'
import { platformProject, plinth, startPlinth } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

/** The platform with 30,000 events from 6 September to 31 October 2026. */
async function installation(file = 'warehouse.duckdb') {
  const { url } = await emptyDatabase()
  const folder = platformProject()
  const warehouse = `duckdb:${join(folder, file)}`
  const env = { DATABASE_URL: url, WAREHOUSE_URL: warehouse, PLINTH_STATE: join(folder, 'state') }
  const run = (...args: string[]) => plinth(args, { cwd: folder, env })
  expect((await run('apply', '--quiet')).status).toBe(0)
  expect((await run('seed', '--package', 'local-dev', '--quiet')).status).toBe(0)
  return {
    run,
    start: (...args: string[]) => startPlinth(args, { cwd: folder, env }),
    sql: <R extends object>(text: string) => withClient(url, async client => (await client.query<R>(text)).rows),
    ask: <R = Row>(text: string) =>
      withSession(duckdb, warehouse, {}, async session => (await session.query<R>(text)).rows),
    refused: async (...args: string[]) => {
      const { status, json } = await run(...args, '--json')
      return { status, code: json.error?.code, message: json.error?.message, hint: json.error?.hint }
    },
  }
}

/** Every event as both write it. */
const events = `select cast(event_id as varchar) as id, cast(input_tokens as varchar) as tokens, cast(cost as varchar) as cost`
const inSource = `${events} from platform.usage_events order by 1`
const inWarehouse = `${events} from raw.usage_events order by 1`

describe('a backfill', () => {
  test('that is killed in the middle of a piece goes on where it was, and no event is lost or doubled', {
    timeout: 240_000,
  }, async () => {
    const { run, start, sql, ask, refused } = await installation('plinth.duckdb')
    await sql(
      `insert into platform.usage_events (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, latency_ms, region, cost)
       select organization_id, gen_random_uuid(), occurred_at + n * interval '1 second', api_key_id, model_id, input_tokens, latency_ms, region, cost
       from platform.usage_events, generate_series(1, 4) as n`,
    )
    const all = 150_000
    const planned = (await run('rollup', 'backfill', '--plan', '--rate', '6000', '--json')).json.data.sources[0]
    expect(planned).toMatchObject({ order: 'newest', resumed: 'no', seconds: Math.ceil(planned.rows / 6000) })
    // Of a large table a sample is looked at.
    expect(Math.abs(planned.rows - all)).toBeLessThan(all / 5)

    // Pieces are of fifty thousand rows; the second one is being read when the process dies.
    const { child, ended } = start('rollup', 'backfill', '--rate', '6000', '--events', 'ndjson')
    const told: Progress[] = []
    follow(child.stderr, told)
    while (!told.some(({ done }) => done > 0)) await sleep(20)
    const copying = `select from pg_stat_activity where datname = current_database() and query ilike 'copy%' and state = 'active'`
    while ((await sql(copying)).length === 0) await sleep(20)
    await sleep(1000)
    expect(await sql(copying)).toHaveLength(1)
    child.kill('SIGKILL')
    expect((await ended).status).toBeNull()
    const done = told.at(-1)?.done ?? 0
    expect(done).toBeGreaterThanOrEqual(50_000)
    expect(done).toBeLessThan(all)
    expect(
      await ask(`select count(*)::varchar as n, count(distinct event_id)::varchar as ids from raw.usage_events`),
    ).toEqual([{ n: String(done), ids: String(done) }])

    const [left] = (await run('rollup', 'backfill', '--plan', '--json')).json.data.sources
    expect(left).toMatchObject({ resumed: 'yes', from: planned.from, until: planned.until })
    expect(left.rowsTotal - left.rows).toBe(done)
    expect(Math.abs(left.rows - (all - done))).toBeLessThan(all / 5)
    expect(await refused('rollup', 'backfill', '--order', 'oldest')).toMatchObject({
      status: 2,
      code: 'USAGE',
      message: expect.stringContaining('under way'),
      hint: expect.stringContaining('Go on with it first'),
    })
    // Nobody waits for it: events come late, change and go, on both sides of how far it is, and a run takes what it has to.
    await sql(`delete from platform.usage_events where input_tokens % 97 = 3`)
    await sql(`update platform.usage_events set cost = cost + 1 where input_tokens % 97 = 4`)
    expect((await run('rollup', 'run')).status).toBe(0)
    expect((await run('reconcile', '--dry-run')).status).toBe(0)

    const resumed = start('rollup', 'backfill', '--rate', '0', '--events', 'ndjson')
    const after: Progress[] = []
    follow(resumed.child.stderr, after)
    expect((await resumed.ended).status).toBe(0)
    expect(after[0]?.done).toBe(done)
    expect(after.map(one => one.done)).toEqual(after.map(one => one.done).toSorted((a, b) => a - b))
    expect(after.at(-1)?.done).toBe(after.at(-1)?.total)
    expect(after.length).toBeGreaterThan(1)
    expect((await run('rollup', 'run')).status).toBe(0)

    const [source, warehouse] = [await sql(inSource), await ask(inWarehouse)]
    expect(warehouse).toHaveLength(source.length)
    expect(warehouse).toEqual(source)
    expect((await run('reconcile', '--dry-run')).status).toBe(0)
    expect((await run('rollup', 'backfill', '--plan', '--json')).json.data.sources[0]).toMatchObject({ resumed: 'no' })
  })

  test('goes in the order that is asked for, and refuses what it cannot do', { timeout: 240_000 }, async () => {
    const { run, ask, refused } = await installation('raw.duckdb')
    const plan = await run('rollup', 'backfill', '--plan', '--rate', '3000')
    expect(plan.stdout).toMatch(/events +about 30,000 rows/)
    expect(plan.stdout).toMatch(/time +about 10\.0 s at 3,000 rows a second/)
    expect(await ask(`select count(*)::varchar as n from raw.usage_events`)).toEqual([{ n: '0' }])
    expect(await refused('rollup', 'backfill', '--from', '2026-10-01')).toMatchObject({
      status: 2,
      code: 'USAGE',
      message: expect.stringContaining('The warehouse is empty'),
      hint: expect.stringContaining('plinth rollup run'),
    })
    expect((await run('rollup', 'run')).status).toBe(0)

    for (const [order, end] of [
      ['oldest', '2026-11-01'],
      ['newest', '2026-10-01'],
    ] as const) {
      const done = await run('rollup', 'backfill', '--from', '2026-10-01', '--to', '2026-11-01', '--order', order)
      expect([done.status, done.stdout]).toEqual([0, expect.stringContaining('from 2026-10-01T00 to 2026-11-01T00')])
      const states = await ask(
        `select direction, state, strftime(position at time zone 'UTC', '%Y-%m-%d') as position from plinth.rollup_backfills`,
      )
      expect(states.at(-1)).toEqual({ direction: order, state: 'done', position: end })
    }
    expect((await run('reconcile', '--dry-run')).status).toBe(0)

    for (const [args, message] of [
      [['--rate', '-5'], '--rate takes a whole number'],
      [['--rate', '2.5'], '--rate takes a whole number'],
      [['--max-load', 'few'], '--max-load takes a whole number'],
      [['--from', 'soon'], '--from takes a UTC day or hour, and "soon" is none.'],
      [['--to', '2026-02-30'], '--to takes a UTC day or hour, and "2026-02-30" is none.'],
      [['--from', '2026-10-02', '--to', '2026-10-02'], '--from is not before --to.'],
    ] as const) {
      const answer = await refused('rollup', 'backfill', ...args)
      expect(answer, args.join(' ')).toEqual({
        status: 2,
        code: 'USAGE',
        message: expect.stringContaining(message),
        hint: expect.any(String),
      })
    }
    expect((await run('rollup', 'backfill', '--order', 'middle')).stderr).toContain(
      'Allowed choices are newest, oldest',
    )
    const beyond = await run('rollup', 'backfill', '--from', '2031-01-01', '--plan')
    expect([beyond.status, beyond.stdout]).toEqual([0, expect.stringContaining('nothing to do')])
  })
})

test('days are sealed, what comes too late is decided on, and an organization leaves', {
  timeout: 240_000,
}, async () => {
  // Named after a schema that is in it.
  const { run, sql, ask, refused } = await installation('analytics.duckdb')

  // Before anything is there.
  const early = await run('rollup', 'seal', '--before', '2026-10-15')
  expect([early.status, early.stdout]).toEqual([
    3,
    expect.stringContaining('was never rolled up; run: plinth rollup run'),
  ])
  expect(await run('rollup', 'quarantine', 'list')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing came too late'),
  })
  expect(await run('rollup', 'quarantine', 'admit', '--all')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing waits there'),
  })
  const [{ id: gone } = { id: '' }] = await sql<{ id: string }>(
    `select organization_id as id from platform.usage_events group by 1 order by count(*) desc limit 1`,
  )
  expect(await run('rollup', 'erase', gone, '--yes')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing that is sealed is of this organization'),
  })

  expect((await run('rollup', 'run')).status).toBe(0)
  for (const [given, status, code, message] of [
    ['next week', 2, 'USAGE', '"next week" is none'],
    ['2026-02-30', 2, 'USAGE', '"2026-02-30" is none'],
    ['2026-10-01T05', 2, 'USAGE', 'whole days are sealed'],
    ['2999-01-01', 5, 'SEAL_REFUSED', 'has not come yet'],
  ] as const)
    expect(await refused('rollup', 'seal', '--before', given)).toEqual({
      status,
      code,
      message: expect.stringContaining(message),
      hint: expect.any(String),
    })
  expect(await run('rollup', 'seal', '--before', '2026-10-15')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('sealed before 2026-10-15'),
  })
  expect(await run('rollup', 'seal', '--before', '2026-10-01')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/sealed before 2026-10-15\n/),
  })
  // A day with changes that no run has taken stops it, and says so.
  await sql(
    `update platform.usage_events set cost = cost + 1 where occurred_at >= '2026-10-20' and occurred_at < '2026-10-20T03:00Z'`,
  )
  const stopped = await run('rollup', 'seal', '--before', '2026-10-25')
  expect([stopped.status, stopped.stdout]).toEqual([
    3,
    expect.stringContaining('2026-10-20 has changes that no run has taken yet'),
  ])

  // Two hours of sealed days change.
  await sql(
    `update platform.usage_events set cost = cost + 1 where occurred_at >= '2026-09-20T12:00Z' and occurred_at < '2026-09-20T14:00Z'`,
  )
  const noticed = await run('rollup', 'run')
  expect([noticed.status, noticed.stderr]).toEqual([0, expect.stringContaining('plinth rollup quarantine list')])
  const listed = await run('rollup', 'quarantine', 'list', '--json')
  const cells: { hour: string; kind: string; state: string; shard: number }[] = listed.json.data.sources[0].cells
  expect(listed.status).toBe(3)
  expect(new Set(cells.map(({ hour, kind, state }) => `${hour.slice(0, 13)} ${kind} ${state}`))).toEqual(
    new Set(['2026-09-20T12 changed open', '2026-09-20T13 changed open']),
  )
  const shown = await run('rollup', 'quarantine', 'show', '2026-09-20T12')
  expect(shown.stdout).toMatch(/changed .* cost/)
  expect(shown.stdout).not.toContain('2026-09-20T13:')
  expect((await run('rollup', 'quarantine', 'show', '2026-09-21')).stdout).toBe('Nothing waits.\n')

  for (const [args, message] of [
    [['admit'], 'Which cells?'],
    [['dismiss'], 'Which cells?'],
    [['admit', 'yesterday'], '"yesterday" is none'],
    [['admit', '2026-09-31'], '"2026-09-31" is none'],
    [['dismiss', '2026-09-20T25'], '"2026-09-20T25" is none'],
    [['admit', '2026-09-20', '--shard', '-1'], '--shard takes a whole number'],
    [['show', '2026-09-20', '--shard', 'x'], '--shard takes a whole number'],
  ] as const)
    expect(await refused('rollup', 'quarantine', ...args), args.join(' ')).toEqual({
      status: 2,
      code: 'USAGE',
      message: expect.stringContaining(message),
      hint: expect.any(String),
    })
  // An hour, or a shard, in which nothing waits.
  for (const args of [['2026-09-21'], ['2026-09-20T12', '--shard', '900']]) {
    const nothing = await run('rollup', 'quarantine', 'admit', ...args)
    expect([nothing.status, nothing.stdout]).toEqual([0, expect.stringContaining('plinth rollup quarantine list')])
  }
  expect(await run('rollup', 'quarantine', 'admit', '2026-09-20T12')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\d+ cells? admitted/),
  })
  expect(await run('rollup', 'quarantine', 'dismiss', '--all')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\d+ cells? dismissed/),
  })
  const settled = await run('rollup', 'quarantine', 'list', '--json')
  expect([
    settled.status,
    new Set(settled.json.data.sources[0].cells.map((one: { state: string }) => one.state)),
  ]).toEqual([0, new Set(['admitted', 'dismissed'])])
  const costOf = async (hour: string) => {
    const [near] = await ask<{ cost: string }>(
      `select sum(cost)::varchar as cost from analytics.usage_hourly where bucket_hour = timestamptz '2026-09-20T${hour}:00:00Z'`,
    )
    const [far] = await sql<{ cost: string }>(
      `select sum(cost)::text as cost from platform.usage_events where date_trunc('hour', occurred_at, 'UTC') = '2026-09-20T${hour}:00:00Z'`,
    )
    return Number(near?.cost) - Number(far?.cost)
  }
  expect(await costOf('12')).toBe(0)
  expect(await costOf('13')).toBeLessThan(0)

  // Erasing: confirmed, of a true id, and after the source has forgotten, since what it has would come back.
  expect(await refused('rollup', 'erase', gone)).toMatchObject({ status: 5, code: 'CONFIRMATION_REQUIRED' })
  for (const id of ['nobody', "a'b", `${gone}0`])
    expect(await refused('rollup', 'erase', id, '--yes')).toMatchObject({
      status: 2,
      code: 'USAGE',
      message: 'This is not the id of an organization.',
      hint: expect.stringContaining('plinth rollup read'),
    })
  expect((await run('rollup', 'erase')).status).toBe(2)
  expect(await run('rollup', 'erase', '7f3c2b1a-0000-4000-8000-000000000007', '--yes')).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('nothing that is sealed is of this organization'),
  })
  expect(await refused('rollup', 'erase', gone, '--yes')).toMatchObject({
    status: 5,
    code: 'SEAL_REFUSED',
    message: expect.stringContaining('still has events'),
    hint: expect.stringContaining('Delete them there first'),
  })
  await sql(`delete from platform.usage_events where organization_id = '${gone}'`)
  expect(await run('rollup', 'erase', gone.toUpperCase(), '--yes')).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/[\d,]+ events left [\d,]+ sealed cells\./),
  })
  expect((await run('rollup', 'run')).status).toBe(0)
  expect(
    await ask(`select count(*)::varchar as n from analytics.usage_daily where organization_id = '${gone}'`),
  ).toEqual([{ n: '0' }])
  expect(await ask(`select count(*)::varchar as n from raw.usage_events where organization_id = '${gone}'`)).toEqual([
    { n: '0' },
  ])
  const open = (await run('rollup', 'quarantine', 'list', '--json')).json.data.sources[0].cells
  expect(open.filter((one: { state: string }) => one.state === 'open')).toEqual([])
})

interface Progress {
  readonly done: number
  readonly total: number
}

/** Collects what is told of progress, while it is told. */
function follow(stream: NodeJS.ReadableStream | null, into: Progress[]): void {
  let rest = ''
  stream?.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line) as { type: string } & Progress
      if (event.type === 'progress') into.push(event)
    }
  })
}
