/** Jobs on one database: due by its clock, done once by whoever is first, made up for once, and taken over from who died. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { ensureJobs, type Job, readJobs, requestJob, runJob, type ScheduleOptions } from '../../src/engines/schedule.ts'
import { PlinthError } from '../../src/errors.ts'
import type { Fact } from '../../src/telemetry/event.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const hourMs = 3_600_000

function options(owner: string, facts: Fact[] = []): ScheduleOptions {
  return { owner, emit: fact => void facts.push(fact), signal: new AbortController().signal, waitMs: 0 }
}

async function onDatabase(work: (url: string, session: Session) => Promise<void>): Promise<void> {
  const { url } = await emptyDatabase()
  await withSession(postgres, url, {}, session => work(url, session))
}

const runsOf = (url: string) =>
  withClient(
    url,
    async client => (await client.query('select job, status, owner, code from plinth.job_runs order by number')).rows,
  )

test('a job that eight processes come for at once is done once, and is due next at a whole hour', async () => {
  await onDatabase(async (url, session) => {
    let done = 0
    const job: Job = { name: 'rollup', everyMs: hourMs, run: async () => void (await sleep(200), done++) }
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        withSession(postgres, url, {}, async own => {
          await ensureJobs(own, [job])
          return (await runJob(own, job, 'due', options(`process ${index}`))).outcome
        }),
      ),
    )
    expect(done).toBe(1)
    expect(outcomes.filter(outcome => outcome === 'succeeded')).toHaveLength(1)
    expect(new Set(outcomes.filter(outcome => outcome !== 'succeeded')).size).toBeGreaterThan(0)
    const [state] = await readJobs(session)
    expect(state).toMatchObject({ status: 'succeeded', runs: 1, failures: 0 })
    expect(Date.parse(state?.nextDueAt ?? '') % hourMs).toBe(0)
    expect((await runJob(session, job, 'due', options('late'))).outcome).toBe('not due')
    // Asked for by hand it is done again.
    expect(await requestJob(session, 'rollup')).toBe(true)
    expect((await runJob(session, job, 'due', options('late'))).outcome).toBe('succeeded')
    expect(await requestJob(session, 'nothing')).toBe(false)
  })
})

test('hours that were missed are made up for by one run', async () => {
  await onDatabase(async (url, session) => {
    let done = 0
    const job: Job = { name: 'prove', everyMs: hourMs, run: async () => void done++ }
    await ensureJobs(session, [job])
    await session.query(`update plinth.jobs set next_due_at = now() - interval '9 hours'`)
    expect((await runJob(session, job, 'due', options('one'))).outcome).toBe('succeeded')
    expect((await runJob(session, job, 'due', options('one'))).outcome).toBe('not due')
    expect(done).toBe(1)
    expect(await runsOf(url)).toHaveLength(1)
  })
})

test('a failure is told, kept, and tried again sooner than its hour, later each time', async () => {
  await onDatabase(async (url, session) => {
    const facts: Fact[] = []
    const job: Job = {
      name: 'rollup',
      everyMs: hourMs,
      run: async () => {
        throw new PlinthError('WAREHOUSE_BUSY', 'Somebody else has it.')
      },
    }
    await ensureJobs(session, [job])
    const pauses: number[] = []
    for (let attempt = 0; attempt < 8; attempt++) {
      const { outcome, error } = await runJob(session, job, 'now', options('one', facts))
      expect([outcome, error?.code]).toEqual(['failed', 'WAREHOUSE_BUSY'])
      pauses.push(Math.round(((await readJobs(session))[0]?.dueInMs ?? 0) / 60_000))
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    expect(facts).toContainEqual(
      expect.objectContaining({ type: 'job.finished', status: 'failed', code: 'WAREHOUSE_BUSY' }),
    )
    expect((await runsOf(url))[0]).toMatchObject({ status: 'failed', code: 'WAREHOUSE_BUSY' })
  })
})

test('a process whose session dies in the middle loses the job to the next, and cannot say that it finished', async () => {
  await onDatabase(async (url, session) => {
    let begun = () => {}
    const started = new Promise<void>(resolve => {
      begun = resolve
    })
    let release = () => {}
    const goOn = new Promise<void>(resolve => {
      release = resolve
    })
    const slow: Job = { name: 'rollup', everyMs: hourMs, run: async () => (begun(), goOn) }
    const quick: Job = { ...slow, run: async () => undefined }
    await ensureJobs(session, [slow])
    const first = withSession(postgres, url, { applicationName: 'the first' }, own =>
      runJob(own, slow, 'due', options('first')),
    )
    const ended = first.then(
      () => 'finished',
      () => 'thrown',
    )
    await started
    expect((await runJob(session, quick, 'due', options('second'))).outcome).toBe('held')
    await session.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'the first'`)
    // Its lease is free as soon as its server process is gone.
    let outcome = 'held'
    for (let attempt = 0; attempt < 100 && outcome === 'held'; attempt++) {
      await sleep(50)
      outcome = (await runJob(session, quick, 'due', options('second'))).outcome
    }
    expect(outcome).toBe('succeeded')
    release()
    expect(await ended).toBe('thrown')
    expect(await runsOf(url)).toMatchObject([
      { owner: 'first', status: 'lost' },
      { owner: 'second', status: 'succeeded' },
    ])
    expect((await readJobs(session))[0]).toMatchObject({ owner: 'second', runs: 1 })
  })
})

test('an interrupted job stays as due as it was', async () => {
  await onDatabase(async (_url, session) => {
    const stop = new AbortController()
    const job: Job = {
      name: 'maintain',
      everyMs: hourMs,
      run: async () => {
        stop.abort()
        throw new PlinthError('INTERRUPTED', 'stopped')
      },
    }
    await ensureJobs(session, [job])
    await expect(runJob(session, job, 'due', { ...options('one'), signal: stop.signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect((await readJobs(session))[0]).toMatchObject({ dueInMs: 0, runs: 0 })
    expect((await runJob(session, { ...job, run: async () => undefined }, 'due', options('two'))).outcome).toBe(
      'succeeded',
    )
  })
})
