/** Two servers on one database do each job once; when one is killed in the middle, the other takes over. Maintenance runs once for cron. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { emptyDatabase, withClient } from '../support/database.ts'
import { platformProject, plinth, startPlinth } from '../support/cli.ts'
import { freePort } from '../support/free-port.ts'

/** A project on its own databases, with what is there applied and seeded. */
async function installation(configuration = '') {
  const { url } = await emptyDatabase()
  const folder = platformProject()
  if (configuration) {
    const { appendFileSync } = await import('node:fs')
    appendFileSync(join(folder, 'configs/migrate.yaml'), configuration)
  }
  const env = {
    DATABASE_URL: url,
    WAREHOUSE_URL: `duckdb:${join(folder, 'warehouse.duckdb')}`,
    PLINTH_STATE: join(folder, 'state'),
  }
  const run = (...args: string[]) => plinth(args, { cwd: folder, env })
  const applied = await run('apply')
  expect(applied.stderr + applied.stdout, 'apply').not.toContain('✗')
  expect(applied.status).toBe(0)
  const start = (...args: string[]) => startPlinth(args, { cwd: folder, env })
  const sql = <R extends object>(text: string) => withClient(url, async client => (await client.query<R>(text)).rows)
  return { run, start, sql }
}

/** Asks until the answer is right, and answers it. */
async function until<T>(ask: () => Promise<T>, right: (answer: T) => boolean, tries = 240): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const answer = await ask().catch((error: unknown) => {
      if (attempt >= tries) throw error
      return undefined
    })
    if (answer !== undefined && right(answer)) return answer
    if (attempt >= tries) throw new Error(`still ${JSON.stringify(answer)}`)
    await sleep(250)
  }
}

interface RunRow {
  readonly job: string
  readonly status: string
  readonly owner: string
}

test('two servers do each job once, and answer how it went', { timeout: 240_000 }, async () => {
  const { run, start, sql } = await installation()
  expect((await run('seed', '--package', 'local-dev')).status).toBe(0)
  const [one, two] = [await freePort(), await freePort()]
  const servers = [start('serve', '--port', String(one)), start('serve', '--port', String(two))]
  try {
    const runs = await until(
      () => sql<RunRow>('select job, status, owner from plinth.job_runs order by number'),
      rows => rows.filter(({ status }) => status === 'succeeded').length === 3,
    )
    expect(runs.map(({ job }) => job).sort()).toEqual(['maintain', 'prove', 'rollup'])
    // Both have looked since, and found nothing that is due.
    await sleep(6000)
    expect(await sql('select from plinth.job_runs')).toHaveLength(3)

    const read = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text()
    expect(JSON.parse(await read(one, '/health'))).toEqual({ status: 'ok' })
    expect(JSON.parse(await read(two, '/ready'))).toEqual({ status: 'ok' })
    const jobs = JSON.parse(await read(one, '/jobs')) as { jobs: { status: string; runs: number }[] }
    expect(jobs.jobs.map(({ status, runs: times }) => [status, times])).toEqual(
      Array.from({ length: 3 }, () => ['succeeded', 1]),
    )
    const metrics = await read(two, '/metrics')
    expect(metrics).toMatch(/^plinth_rollup_lag_seconds\{source="raw\.usage_events"\} 0$/m)
    expect(metrics).toMatch(/^plinth_rollup_runs_total\{source="raw\.usage_events"\} 1$/m)
    expect(metrics).toMatch(/^plinth_checks_failed 0$/m)
    expect(metrics.endsWith('# EOF\n')).toBe(true)

    // Asked for once, done once, by whichever looks first.
    expect((await fetch(`http://127.0.0.1:${one}/jobs/rollup`, { method: 'POST' })).status).toBe(202)
    await until(
      () => sql<RunRow>(`select job, status, owner from plinth.job_runs where job = 'rollup'`),
      rows => rows.filter(({ status }) => status === 'succeeded').length === 2,
    )
    const stranger = { method: 'POST', headers: { origin: 'https://elsewhere.example' } }
    expect((await fetch(`http://127.0.0.1:${one}/jobs/rollup`, stranger)).status).toBe(403)
    expect((await fetch(`http://127.0.0.1:${one}/jobs/nothing`, { method: 'POST' })).status).toBe(400)
    expect((await fetch(`http://127.0.0.1:${one}/nothing`)).status).toBe(404)
  } finally {
    for (const { child } of servers) child.kill('SIGTERM')
  }
  for (const { ended } of servers) expect((await ended).status).toBe(0)
  const history = await run('rollup', 'status', '--history', '--json')
  expect(new Set(history.json.data.history.map((entry: { kind: string }) => entry.kind))).toEqual(
    new Set(['run', 'reconciliation', 'checks', 'freshness', 'seal']),
  )
})

test('the job of a server that is killed is taken over by the other one', { timeout: 240_000 }, async () => {
  const { run, start, sql } = await installation()
  expect((await run('seed', '--package', 'local-dev')).status).toBe(0)
  // The first rollup cannot read the marks, so it is in the middle when its process is killed.
  const first = start('serve', '--port', '0')
  const second = await withHeld(sql, async () => {
    const running = await until(
      () => sql<RunRow>('select job, status, owner from plinth.job_runs'),
      rows => rows.some(({ status }) => status === 'running'),
    )
    expect(running).toEqual([
      { job: 'rollup', status: 'running', owner: expect.stringContaining(`process ${first.child.pid}`) },
    ])
    const other = start('serve', '--port', '0')
    await until(
      () =>
        sql<{ n: string }>(
          `select count(*) as n from pg_stat_activity where application_name = 'plinth schedule' and datname = current_database()`,
        ),
      ([row]) => Number(row?.n) === 2,
    )
    first.child.kill('SIGKILL')
    await first.ended
    return other
  })
  try {
    const runs = await until(
      () => sql<RunRow>(`select job, status, owner from plinth.job_runs order by number`),
      rows => rows.filter(({ status }) => status === 'succeeded').length === 3,
    )
    const own = `process ${second.child.pid}`
    expect(runs.find(({ status }) => status === 'lost')).toMatchObject({ job: 'rollup' })
    for (const one of runs.filter(({ status }) => status === 'succeeded')) expect(one.owner).toContain(own)
    expect(runs).toHaveLength(4)
  } finally {
    second.child.kill('SIGTERM')
  }
  expect((await second.ended).status).toBe(0)
  expect((await run('reconcile', '--dry-run')).status).toBe(0)
})

test('maintain does all of it once, makes partitions, seals, and says what failed', { timeout: 240_000 }, async () => {
  const { run, sql } = await installation('rollups: { sealAfterDays: 3 }\n')
  expect((await run('seed', '--package', 'local-dev')).status).toBe(0)
  await sql('update platform.partition_settings set partitions_ahead = partitions_ahead + 2')
  const done = await run('maintain', '--json')
  expect(done.json.data.jobs.map(({ job, outcome }: { job: string; outcome: string }) => [job, outcome])).toEqual([
    ['rollup', 'succeeded'],
    ['prove', 'succeeded'],
    ['maintain', 'succeeded'],
  ])
  expect(done.status).toBe(0)
  expect(await sql('select from platform.maintain_usage_event_partitions()')).toHaveLength(0)
  const [sealed] = await sql<{ sealed_before: Date }>('select sealed_before from platform.usage_event_seals')
  expect(Date.now() - (sealed?.sealed_before.getTime() ?? 0)).toBeLessThan(5 * 86_400_000)
  const status = await run('rollup', 'status', '--json')
  expect(status.json.data.levels.sources[0]).toMatchObject({ pendingMarks: 0, quarantinedCells: 0, differentCells: 0 })

  await sql('alter table platform.usage_event_marks rename to marks_elsewhere')
  const failed = await run('maintain', '--json')
  expect(failed.status).toBe(2)
  expect(failed.json.data.jobs[0]).toMatchObject({
    job: 'rollup',
    outcome: 'failed',
    error: { code: 'TRANSFORM_INVALID' },
  })
})

/** Nobody can read the marks while the work goes on. */
async function withHeld<T>(sql: <R extends object>(text: string) => Promise<R[]>, work: () => Promise<T>): Promise<T> {
  const [{ url } = { url: '' }] = await sql<{ url: string }>('select current_database() as url')
  const { Client } = await import('pg')
  const { inject } = await import('vitest')
  const address = new URL(inject('serverUrl'))
  address.pathname = `/${url}`
  const client = new Client({ connectionString: address.toString() })
  await client.connect()
  try {
    await client.query('begin')
    await client.query('lock table platform.usage_event_marks in access exclusive mode')
    return await work()
  } finally {
    await client.end()
  }
}
