/**
 * Jobs that any number of processes do together, each once: a row a job with the time at which it is due next, by the clock of the database,
 * and a lease for whoever does it. Who dies in the middle leaves the time as it was, so another does it again; runs that were missed are made
 * up for by one.
 */
import { asPlinthError, codes, PlinthError } from '../errors.ts'
import type { Emit } from '../telemetry/event.ts'
import { withLock, withTransaction } from './brackets.ts'
import type { Session } from './engine.ts'
import { ownSchema } from './postgres/own-schema.ts'

export interface Job {
  readonly name: string
  /** Due at whole multiples of this time since 1970, UTC. */
  readonly everyMs: number
  run(): Promise<void>
}

export interface ScheduleOptions {
  /** Shown to others, such as `anna@host (process 4711)`. */
  readonly owner: string
  readonly emit: Emit
  readonly signal: AbortSignal
  /** How long to wait for another process that is doing the job; 0 leaves it to that one. */
  readonly waitMs: number
  readonly leaseMs?: number | undefined
}

export interface JobState {
  readonly job: string
  readonly everyMs: number
  readonly nextDueAt: string
  readonly dueInMs: number
  readonly status: 'never' | 'running' | 'succeeded' | 'failed'
  readonly code: string | null
  readonly owner: string | null
  readonly startedAt: string | null
  readonly finishedAt: string | null
  readonly durationMs: number | null
  /** How often it was done, and how often in a row it failed. */
  readonly runs: number
  readonly failures: number
}

export type JobOutcome = 'succeeded' | 'failed' | 'not due' | 'held'

/** Makes known which jobs there are; a new one is due at once, and one that comes more often than before is due sooner. */
export async function ensureJobs(session: Session, jobs: readonly Job[]): Promise<void> {
  await ensureTables(session)
  for (const { name, everyMs } of jobs)
    await session.query(
      `insert into plinth.jobs as known (name, every_ms, next_due_at) values ($1, $2, clock_timestamp())
       on conflict (name) do update
       set every_ms = excluded.every_ms,
           next_due_at = least(known.next_due_at, ${nextDue('excluded.every_ms')})
       where known.every_ms <> excluded.every_ms`,
      [name, everyMs],
    )
}

/**
 * Does the job when it is due, or in any case; nobody else does it meanwhile. A failure is kept and told, not thrown: it is due again after a
 * minute, and after twice as long each time, up to its usual pause. Throws INTERRUPTED, having left the job as due as it was.
 */
export async function runJob(
  session: Session,
  job: Job,
  when: 'due' | 'now',
  options: ScheduleOptions,
): Promise<{ readonly outcome: JobOutcome; readonly error: PlinthError | null }> {
  // Asked without the lease first, since mostly the answer is no.
  if (when === 'due' && !(await isDue(session, job.name))) return { outcome: 'not due', error: null }
  const { owner, emit, signal, waitMs, leaseMs } = options
  const lock = {
    kind: 'lease',
    owner: { actor: owner, runId: '' },
    waitMs,
    leaseMs,
    emit: quiet(emit),
    signal,
  } as const
  try {
    return await withLock(session, `job ${job.name}`, lock, async held => {
      if (when === 'due' && !(await isDue(session, job.name))) return { outcome: 'not due', error: null } as const
      const token = held.token ?? 0n
      await begin(session, job.name, owner, token)
      const started = performance.now()
      const error = await job.run().then(
        () => null,
        (thrown: unknown) => asPlinthError(thrown),
      )
      if (signal.aborted) throw interrupted(job.name)
      const durationMs = Math.round(performance.now() - started)
      const code = error?.code ?? null
      await withTransaction(session, async () => {
        await finish(session, job.name, token, { code, durationMs })
        await held.fence(session)
      })
      emit({ type: 'job.finished', job: job.name, status: error ? 'failed' : 'succeeded', code, durationMs })
      return { outcome: error ? 'failed' : 'succeeded', error } as const
    })
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (waitMs === 0 && error.code === 'LOCK_TIMEOUT' && error.at?.object === `job ${job.name}`)
      return { outcome: 'held', error: null }
    throw thrown
  }
}

/** Makes it due now, for whoever looks next. False when there is no such job. */
export async function requestJob(session: Session, name: string): Promise<boolean> {
  await ensureTables(session)
  const { rowCount } = await session.query(
    'update plinth.jobs set next_due_at = least(next_due_at, clock_timestamp()) where name = $1',
    [name],
  )
  return rowCount > 0
}

/** All jobs, the one that is due next first. */
export async function readJobs(session: Session): Promise<JobState[]> {
  const { rows } = await session.query<Record<string, string | number | null>>(
    `select name, every_ms, next_due_at, (extract(epoch from next_due_at - clock_timestamp()) * 1000)::double precision as due_in_ms,
       status, code, owner, started_at, finished_at, duration_ms, runs, failures
     from plinth.jobs order by next_due_at, name`,
  )
  const text = (value: string | number | null | undefined) =>
    value === null || value === undefined ? null : String(value)
  return rows.map(row => ({
    job: String(row['name']),
    everyMs: Number(row['every_ms']),
    nextDueAt: String(row['next_due_at']),
    dueInMs: Math.max(0, Math.round(Number(row['due_in_ms']))),
    status: row['status'] as JobState['status'],
    code: text(row['code']),
    owner: text(row['owner']),
    startedAt: text(row['started_at']),
    finishedAt: text(row['finished_at']),
    durationMs: row['duration_ms'] === null ? null : Number(row['duration_ms']),
    runs: Number(row['runs']),
    failures: Number(row['failures']),
  }))
}

export async function hasJobs(session: Session): Promise<boolean> {
  const { rows } = await session.query<{ present: boolean }>(
    "select to_regclass('plinth.job_runs') is not null as present",
  )
  return rows[0]?.present === true
}

async function isDue(session: Session, name: string): Promise<boolean> {
  const { rows } = await session.query<{ due: boolean }>(
    'select next_due_at <= clock_timestamp() as due from plinth.jobs where name = $1',
    [name],
  )
  return rows[0]?.due === true
}

/** Runs of holders before this one that never ended are lost: the lease says that they are over. */
async function begin(session: Session, name: string, owner: string, token: bigint): Promise<void> {
  await withTransaction(session, async () => {
    await session.query(
      `update plinth.job_runs set status = 'lost', finished_at = clock_timestamp() where job = $1 and status = 'running'`,
      [name],
    )
    await session.query(
      `insert into plinth.job_runs (job, due_at, token, owner)
       select name, next_due_at, $2::bigint, $3 from plinth.jobs where name = $1`,
      [name, token, owner],
    )
    await session.query(
      `update plinth.jobs set status = 'running', code = null, owner = $2, started_at = clock_timestamp(), finished_at = null where name = $1`,
      [name, owner],
    )
  })
}

async function finish(
  session: Session,
  name: string,
  token: bigint,
  { code, durationMs }: { readonly code: string | null; readonly durationMs: number },
): Promise<void> {
  const status = code === null ? 'succeeded' : 'failed'
  await session.query(
    `update plinth.jobs
     set status = $2, code = $3, duration_ms = $4, finished_at = clock_timestamp(), runs = runs + 1,
         failures = case when $3::text is null then 0 else failures + 1 end,
         next_due_at = case when $3::text is null then ${nextDue('every_ms')}
           else clock_timestamp() + make_interval(secs => least(every_ms, 60000 * power(2, least(failures, 20))) / 1000.0) end
     where name = $1`,
    [name, status, code, durationMs],
  )
  await session.query(
    `update plinth.job_runs set status = $3, code = $4, finished_at = clock_timestamp()
     where job = $1 and token = $2::bigint and status = 'running'`,
    [name, token, status, code],
  )
  // Enough to look back a month at an hourly job.
  await session.query(
    `delete from plinth.job_runs where job = $1 and number <= (select max(number) from plinth.job_runs where job = $1) - 3000`,
    [name],
  )
}

/** The next whole multiple, so that runs that were missed are not made up for one by one. */
function nextDue(everyMs: string): string {
  return `to_timestamp((floor(extract(epoch from clock_timestamp()) * 1000 / ${everyMs}) + 1) * ${everyMs} / 1000.0)`
}

async function ensureTables(session: Session): Promise<void> {
  if (await hasJobs(session)) return
  await withTransaction(session, async () => {
    await session.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', ['plinth.jobs'])
    for (const statement of tables) await session.query(statement)
  })
}

/** Leases of jobs come and go; who waits for one is told. */
function quiet(emit: Emit): Emit {
  return fact => {
    if (fact.type !== 'lock.acquired' && fact.type !== 'lock.released') emit(fact)
  }
}

function interrupted(job: string): PlinthError {
  return new PlinthError('INTERRUPTED', `The job ${job} was interrupted.`, { hint: codes.INTERRUPTED.explain })
}

const tables = [
  ownSchema,
  `create table if not exists plinth.jobs (
     name text primary key,
     every_ms bigint not null,
     next_due_at timestamptz not null,
     status text not null default 'never',
     code text,
     owner text,
     started_at timestamptz,
     finished_at timestamptz,
     duration_ms bigint,
     runs bigint not null default 0,
     failures bigint not null default 0
   )`,
  `comment on table plinth.jobs is 'What any number of processes do together, each once: when it is due next, and how it went.'`,
  `create table if not exists plinth.job_runs (
     number bigint generated always as identity primary key,
     job text not null,
     due_at timestamptz not null,
     token bigint not null,
     owner text not null,
     started_at timestamptz not null default clock_timestamp(),
     finished_at timestamptz,
     status text not null default 'running',
     code text
   )`,
  `comment on table plinth.job_runs is 'Each run of a job: running, succeeded, failed, or lost with its process.'`,
]
