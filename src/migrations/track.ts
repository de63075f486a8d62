/** A track from its folder to its database: what apply, rollback, redo and plan mean. */
import { randomUUID } from 'node:crypto'
import { type Held, type LockKind, unfenced, withFence, withLock } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { type Code, PlinthError } from '../errors.ts'
import { openParser, type Parse, type Script } from '../sql/parse.ts'
import { type Direction, silent } from '../telemetry/event.ts'
import { refuseDependents } from './dependents.ts'
import { awaitEarlierWork } from './aftermath.ts'
import { closeOpenRuns, readStanding, readStoredSql } from './history.ts'
import { ensureLedger } from './ledger.ts'
import { loadMigrations } from './load.ts'
import { compareVersions, type MigrationFolder, type VersionHistory, versionKey } from './migration.ts'
import { newerNotices } from './newer.ts'
import { type Plan, type Planned, planMigrations, storedNeeded } from './plan.ts'
import { nothingToDo, type Report, type RunOptions, runPlan } from './run.ts'
import type { Foresight } from './rehearse/foresight.ts'
import type { DryRun } from './rehearse/dry-run.ts'
import { foreseeRestores } from './preserve/foresee.ts'
import { bringLatecomers } from './preserve/latecomers.ts'
import { preserveOptions } from './preserve/options.ts'
import { refuseLoss } from './preserve/step.ts'
import { type RepeatWish, withRepeatables } from './repeat.ts'
import { selectBack } from './repeat-back.ts'
import { refuseRepeatables } from './repeat-dependents.ts'
import { selectSteps, type Target } from './select.ts'

export interface PlanOptions {
  readonly track: string
  /** A folder's path, or what was loaded from it. */
  readonly folder: string | MigrationFolder
  readonly direction: Direction
  readonly target?: Target | undefined
  readonly allowOutOfOrder?: boolean | undefined
  readonly retryFailed?: boolean | undefined
  /** What happens where another tool has applied files that nobody here knows of; default `refuse`. */
  readonly otherHistory?: 'refuse' | 'ignore' | undefined
  /** Upwards: which repeatables run behind the versions; default `when changed`. */
  readonly repeatables?: RepeatWish | undefined
}

export interface TrackOptions extends Omit<PlanOptions, 'direction'>, Omit<RunOptions, 'command'> {
  /** Kept with the run; the verb by default. */
  readonly command?: string | undefined
  /** Asked before any lock is taken, where there is something to do; what it throws refuses the run. */
  readonly beforeLock?: ((session: Session, full: PlanInFull) => Promise<void>) | undefined
  /** Asked as well, for what a rehearsal foresees of the steps. */
  readonly foresee?: ((session: Session, full: PlanInFull) => Promise<Foresight | null>) | undefined
  /** How long another run of the track is waited for; default ten minutes. */
  readonly lockWaitMs?: number | undefined
  /** Default `auto`: a lease behind a pooler, else a session lock. */
  readonly lock?: LockKind | undefined
  /** How long a lease outlives its last heartbeat; default 30 seconds. */
  readonly leaseMs?: number | undefined
}

/** What would run now. Takes no lock and makes nothing in the database. */
export async function planTrack(session: Session, options: PlanOptions): Promise<Plan> {
  return planOf(await readPlan(session, options))
}

/** The plan with what is to be said of its folder. */
export function planOf({ planned: { plan }, folder }: PlanInFull): Plan {
  return { ...plan, notices: [...folder.warnings, ...plan.notices] }
}

/** Runs what is planned in a transaction that is rolled back; see rehearse/dry-run.ts. Throws what planning throws. */
export async function dryRunTrack(session: Session, options: DryRunOptions): Promise<DryRun> {
  const { tryPlan } = await import('./rehearse/dry-run.ts')
  const { planned } = await readPlan(session, options)
  const { emit = silent, signal, track } = options
  const work = () => tryPlan(session, planned, options)
  // Behind a pooler a lock would have to be written down, and nothing is to be left behind.
  if (session.pooled) return work()
  const waitMs = options.lockWaitMs ?? 600_000
  return withLock(session, `plinth:${track}`, { waitMs, emit, signal, kind: 'session' }, work)
}

export type DryRunOptions = PlanOptions &
  Pick<RunOptions, 'emit' | 'signal' | 'lockTimeoutMs' | 'statementTimeoutMs'> & {
    readonly lockWaitMs?: number | undefined
  }

/** What {@link planTrack} rests on: the plan with the SQL of its steps, what the database has, and what the folder has. */
export async function readPlan(session: Session, options: PlanOptions): Promise<PlanInFull> {
  const full = await planNow(session, await openFolder(options.folder, session), options)
  const { plan } = full.planned
  const restores = await foreseeRestores(session, options.track, full.planned)
  return { ...full, planned: { ...full.planned, plan: { ...plan, notices: [...plan.notices, ...restores] } } }
}

export interface PlanInFull {
  readonly planned: Planned
  readonly folder: MigrationFolder
  readonly history: readonly VersionHistory[]
  /** What is known of repeatables; see `Standing`. */
  readonly repeatables: readonly VersionHistory[]
  /** A run has begun and not said how it ended. */
  readonly hasOpenRun: boolean
}

/** Applies what is pending. Two at once: one works, the other waits and then finds nothing to do. */
export async function applyTrack(session: Session, options: TrackOptions): Promise<Report> {
  return runTrack(session, { ...options, command: options.command ?? 'apply', direction: 'up' })
}

/** Takes steps back, as far as the target says. Throws TARGET_REQUIRED without one. */
export async function rollbackTrack(session: Session, options: TrackOptions): Promise<Report> {
  return runTrack(session, { ...options, command: options.command ?? 'rollback', direction: 'down' })
}

/** Rolls the last steps back and applies them again, one by default, under one lock. Answers both reports. */
export async function redoTrack(
  session: Session,
  options: Omit<TrackOptions, 'target'> & { readonly count?: number | undefined },
): Promise<Report[]> {
  const folder = await openFolder(options.folder, session)
  const command = options.command ?? 'redo'
  return locked(session, options, async held => {
    const target = { kind: 'steps', count: options.count ?? 1 } as const
    const down = await runNow(session, folder, { ...options, ...held, command, direction: 'down', target })
    if (down.status !== 'succeeded' || down.from === null) return [down]
    const again = { kind: 'version', version: down.from } as const
    const up = await runNow(session, folder, {
      ...options,
      ...held,
      command,
      runId: randomUUID(),
      direction: 'up',
      target: again,
    })
    return [down, up]
  })
}

type RunInput = TrackOptions & { readonly command: string; readonly direction: Direction }

async function runTrack(session: Session, options: RunInput): Promise<Report> {
  const started = performance.now()
  const folder = await openFolder(options.folder, session)
  for (const message of folder.warnings) options.emit?.({ type: 'warning', message, hint: null })
  const preview = await previewPlan(session, folder, options)
  if (preview?.planned.plan.steps.length === 0) {
    if (preview.hasOpenRun) await closeDeadRuns(session, options)
    const { plan } = preview.planned
    return nothingToDo(plan, { runId: options.runId ?? randomUUID(), durationMs: performance.now() - started })
  }
  if (preview) await options.beforeLock?.(session, preview)
  const foresight = preview ? await options.foresee?.(session, preview) : null
  const run = { ...options, foresight, runId: options.runId ?? randomUUID() }
  return locked(session, run, held => runNow(session, folder, { ...run, ...held }))
}

/**
 * The plan without the lock: having nothing to do costs two queries, and what is wrong with the files is said before anything is written.
 * Null where a run that works at this moment would look like one that was interrupted.
 */
async function previewPlan(session: Session, folder: MigrationFolder, options: RunInput): Promise<PlanInFull | null> {
  try {
    return await planNow(session, folder, options)
  } catch (thrown) {
    if (thrown instanceof PlinthError && mayPass.has(thrown.code)) return null
    throw thrown
  }
}

/** A run that died between its last step and its end left everything done but its own row. One that is at work has the lock, and is left alone. */
async function closeDeadRuns(session: Session, options: RunInput): Promise<void> {
  const { track, lock, leaseMs, signal } = options
  const now = { waitMs: 500, emit: silent, signal, kind: lock, leaseMs }
  // Who may only read, or is refused the lock, has nothing to do all the same.
  await withLock(session, `plinth:${track}`, now, held => closeRuns(session, { ...options, held })).catch(
    () => undefined,
  )
}

/** Rows that such a run would still have tried come back with its end. */
async function closeRuns(session: Session, { track, runId = randomUUID(), held = unfenced, preserve }: RunInput) {
  await withFence(session, held, () => closeOpenRuns(session, track))
  const own = await preserveOptions(session, track, preserve)
  if (own?.late !== 'some') return
  const now = () => new Date().toISOString()
  await bringLatecomers({ session, held, track, runId, tenantColumn: own.tenantColumn, now })
}

const mayPass: ReadonlySet<Code> = new Set(['STEP_INTERRUPTED', 'STEP_FAILED_BEFORE', 'FILE_GONE', 'OUT_OF_ORDER'])

/** What a run has of the lock: a signal that also ends the run when the lock is lost. */
interface Holding {
  readonly held: Held
  readonly signal: AbortSignal | undefined
}

async function locked<T>(
  session: Session,
  options: Omit<TrackOptions, 'target'>,
  work: (holding: Holding) => Promise<T>,
): Promise<T> {
  const { track, actor, emit = silent, signal, lock, leaseMs, lockWaitMs = 600_000 } = options
  const polling = { waitMs: lockWaitMs, emit, signal }
  await ensureLedger(session, { emit, signal, lockWaitMs, lock })
  const owner = { actor, runId: options.runId ?? '' }
  return withLock(session, `plinth:${track}`, { ...polling, kind: lock, owner, leaseMs }, async held => {
    if (held.lost === null) return work({ held, signal })
    await awaitEarlierWork(session, track, polling)
    return work({ held, signal: signal ? AbortSignal.any([signal, held.lost]) : held.lost })
  })
}

/** The history is read under the lock, since another run may have been there meanwhile. */
async function runNow(session: Session, folder: MigrationFolder, options: RunInput): Promise<Report> {
  const started = performance.now()
  const { planned } = await planNow(session, folder, options)
  refuseLoss(planned.plan.steps, options.preserve)
  if (planned.plan.steps.length > 0) return runPlan(session, planned, options)
  await closeRuns(session, options)
  return nothingToDo(planned.plan, { runId: options.runId ?? randomUUID(), durationMs: performance.now() - started })
}

async function planNow(session: Session, folder: MigrationFolder, options: PlanOptions): Promise<PlanInFull> {
  const { track, direction, target, allowOutOfOrder, retryFailed, otherHistory } = options
  const { history, repeatables, hasOpenRun } = await readStanding(session, track)
  const { migrations } = folder
  const asked = { track, direction, target, allowOutOfOrder, retryFailed, history, migrations }
  const { selection, stored } =
    direction === 'up'
      ? {
          selection: withRepeatables(selectSteps(asked), {
            folder,
            history,
            repeatables,
            wish: options.repeatables ?? 'when changed',
          }),
          stored: new Map<string, string>(),
        }
      : await selectBack(session, { ...asked, repeatables, parse: () => parserOf(session, folder) })
  for (const id of storedNeeded(selection).filter(one => !stored.has(one))) {
    const sql = await readStoredSql(session, id, direction)
    if (sql !== null) stored.set(id, sql)
  }
  const known = { folder, history, repeatables, hasOpenRun }
  if (selection.choices.length === 0) return { planned: planMigrations(selection, parsesNothing, stored), ...known }
  const parse = await parserOf(session, folder)
  const planned = planMigrations(selection, parse, stored)
  if (direction === 'up' && session.engine.can.postgresSyntax && otherHistory !== 'ignore') {
    const { refuseUnadopted } = await import('./adopt/beside.ts')
    const own = new Set(history.map(one => versionKey(one.version)))
    const steps = planned.plan.steps.filter(step => !own.has(versionKey(step.version)))
    await refuseUnadopted(session, steps, folder)
  }
  await refuseDependents(session, { ...planned, later: selection.later, upOf: upIn(session, folder, history), parse })
  if (direction === 'down') await refuseRepeatables(session, { ...planned, repeatables, parse })
  const notices = newerNotices(planned, session.serverVersion)
  const { plan } = planned
  const full = notices.length === 0 ? plan : { ...plan, notices: [...plan.notices, ...notices] }
  return { planned: { ...planned, plan: full }, ...known }
}

/** The up SQL as it ran, else as the folder has it. */
function upIn(session: Session, folder: MigrationFolder, history: readonly VersionHistory[]) {
  return async (version: string): Promise<string | null> => {
    const applied = history.find(one => one.version === version)?.applied
    const stored = applied ? await readStoredSql(session, applied.id, 'up') : null
    return stored ?? folder.migrations.find(one => compareVersions(one.version, version) === 0)?.up.text ?? null
  }
}

/** The parser costs 30 ms to load, which a run with nothing to do shall not pay. A folder's answers are kept, since its plan is made twice. */
async function parserOf(session: Session, folder: MigrationFolder): Promise<Parse> {
  const { can } = session.engine
  const read = await openParser(can.postgresSyntax ? 'postgres' : can.googleSyntax ? 'googlesql' : 'other')
  const parse: Parse = (text, file) => (can.transactionalDdl ? read(text, file) : statementWise(read(text, file)))
  const known = answers.get(folder) ?? new Map<string, Script>()
  answers.set(folder, known)
  return (text, file) => {
    const script = known.get(text) ?? parse(text, file)
    known.set(text, script)
    return script
  }
}

/** What cannot be taken back as a whole is counted statement by statement, so that a run goes on where another one broke off. */
function statementWise(script: Script): Script {
  const reason = 'the engine cannot roll back definitions'
  return script.mode === 'statement-wise' ? script : { ...script, mode: 'statement-wise', reason }
}

const answers = new WeakMap<MigrationFolder, Map<string, Script>>()

function parsesNothing(): never {
  throw new PlinthError('INTERNAL', 'A plan without steps has no SQL to read.')
}

/** What is to be said of the server goes with what is to be said of the folder. */
async function openFolder(
  given: string | MigrationFolder,
  { engine, serverVersion }: Session,
): Promise<MigrationFolder> {
  const folder = typeof given === 'string' ? await loadMigrations(given, { dialect: engine.name }) : given
  const untried = engine.untried?.(serverVersion) ?? null
  return untried === null ? folder : { ...folder, warnings: [...folder.warnings, untried] }
}
