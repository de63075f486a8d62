/** The jobs that keep an installation going: who does them, when, and what each is. */
import { withSession } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import type { Job, JobOutcome, JobState } from '../engines/schedule.ts'
import { PlinthError, nearest } from '../errors.ts'
import { checkFreshness, checkWarehouse, projectOf } from './analytics.ts'
import { reconcileWarehouse, rollUp } from './data.ts'
import { type Desk, flowOf } from './desk.ts'
import { anew, keepPartitions, sealRollups } from './rollups.ts'

export interface JobReport {
  readonly job: string
  readonly outcome: JobOutcome
  readonly error: PlinthError | null
}

/** In the order in which they are best done: what is new is rolled up, then proved, then sealed, then forgotten. */
export function jobsOf(desk: Desk): Job[] {
  const { runMinutes, maintainMinutes, proveMinutes } = desk.config.rollups
  return [
    { name: 'rollup', everyMs: runMinutes * 60_000, run: () => rollupJob(anew(desk)) },
    { name: 'prove', everyMs: proveMinutes * 60_000, run: () => proveJob(anew(desk)) },
    { name: 'maintain', everyMs: maintainMinutes * 60_000, run: () => maintainJob(anew(desk)) },
  ]
}

/** Does every job once, now, waiting for whoever is at one of them. A job that fails does not keep the others from being done. */
export async function maintainOnce(desk: Desk): Promise<JobReport[]> {
  const { ensureJobs, runJob } = await import('../engines/schedule.ts')
  return onSource(desk, async session => {
    const jobs = jobsOf(desk)
    await ensureJobs(session, jobs)
    const reports: JobReport[] = []
    for (const job of jobs)
      reports.push({ job: job.name, ...(await runJob(session, job, 'now', optionsOf(desk, 'wait'))) })
    return reports
  })
}

/**
 * Does the jobs that are due, one after another, until the signal comes: any number of processes may. Between them it looks every few seconds,
 * so that a job which another process left is taken over soon. A server that cannot be reached is asked again.
 */
export async function keepSchedule(desk: Desk, lookMs: number, afterJob: () => Promise<void>): Promise<void> {
  const { ensureJobs, readJobs, runJob } = await import('../engines/schedule.ts')
  while (!desk.signal.aborted) {
    try {
      await onSource(desk, async session => {
        const jobs = jobsOf(desk)
        await ensureJobs(session, jobs)
        while (!desk.signal.aborted) {
          for (const job of jobs) {
            if (desk.signal.aborted) return
            const { outcome } = await runJob(session, job, 'due', optionsOf(desk, 'leave'))
            if (outcome === 'succeeded' || outcome === 'failed') await afterJob()
          }
          const next = (await readJobs(session))[0]?.dueInMs ?? lookMs
          await pause(Math.min(Math.max(next, 250), lookMs), desk.signal)
        }
      })
    } catch (thrown) {
      if (desk.signal.aborted) return
      const { code = 'INTERNAL', message = 'unknown' } = thrown instanceof PlinthError ? thrown : {}
      desk.emit({ type: 'warning', message: `The schedule is looked at again soon: ${code}: ${message}`, hint: null })
      await pause(lookMs, desk.signal)
    }
  }
}

/** Makes a job due now. Throws USAGE for a job that there is not. */
export async function requestJobNow(desk: Desk, name: string): Promise<void> {
  const { ensureJobs, requestJob } = await import('../engines/schedule.ts')
  const jobs = jobsOf(desk)
  if (!jobs.some(job => job.name === name)) {
    const known = jobs.map(job => job.name)
    const guess = nearest(name, known)
    throw new PlinthError('USAGE', `There is no job "${name}".`, {
      hint: guess ? `Did you mean "${guess}"?` : `Jobs: ${known.join(', ')}.`,
    })
  }
  await onSource(desk, async session => {
    await ensureJobs(session, jobs)
    await requestJob(session, name)
  })
}

/** What is scheduled and how it went; empty before the first schedule. */
export async function statusOfJobs(desk: Desk): Promise<JobState[]> {
  if (desk.config.dbt !== null) return []
  const { hasJobs, readJobs } = await import('../engines/schedule.ts')
  return onSource(desk, async session => ((await hasJobs(session)) ? readJobs(session) : []))
}

async function rollupJob(desk: Desk): Promise<void> {
  await rollUp(desk, 'changes')
}

/** Fails when something is wrong that nobody mended, so that the job tells it. */
async function proveJob(desk: Desk): Promise<void> {
  const proof = await reconcileWarehouse(desk, 'repair', 'rotation')
  const checks = await checkWarehouse(desk)
  const wantsFreshness = (await projectOf(desk)).sources.some(({ freshness }) => freshness !== null)
  // Stale sources are told and measured; to do the job again would not make them fresh.
  if (wantsFreshness) await checkFreshness(desk, {})
  const wrong = [
    ...(proof.status === 'different' ? ['source and warehouse differ'] : []),
    ...(checks.status === 'failed' ? ['checks failed'] : []),
  ]
  if (wrong.length === 0) return
  throw new PlinthError('DIFFERENCES_FOUND', `${wrong.join(', ')}.`, {
    hint: 'See plinth rollup status --history, then plinth reconcile and plinth check.',
  })
}

/** Partitions before all: without them events come into the default one. */
async function maintainJob(desk: Desk): Promise<void> {
  await keepPartitions(desk)
  const report = await sealRollups(desk, { before: undefined })
  if (report.sources.some(({ hours }) => hours > 0)) await keepPartitions(desk)
  const stopped = report.sources.find(({ blocked }) => blocked?.reason === 'differences')
  if (stopped)
    throw new PlinthError(
      'DIFFERENCES_FOUND',
      `${stopped.source} cannot be sealed from ${stopped.blocked?.day ?? ''} on.`,
      {
        hint: 'Run plinth reconcile, which lists and repairs the differences.',
      },
    )
}

function optionsOf({ config, actor, emit, signal }: Desk, others: 'wait' | 'leave') {
  return {
    owner: `${actor} (process ${process.pid})`,
    emit,
    signal,
    waitMs: others === 'wait' ? config.migrations.lockWaitSeconds * 1000 : 0,
    leaseMs: config.migrations.leaseSeconds * 1000,
  }
}

async function onSource<T>(desk: Desk, work: (session: Session) => Promise<T>): Promise<T> {
  const { source } = await flowOf(desk)
  return withSession(source.engine, source.url, { applicationName: 'plinth schedule' }, work)
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { setTimeout: sleep } = await import('node:timers/promises')
  await sleep(milliseconds, undefined, { signal }).catch(() => undefined)
}
