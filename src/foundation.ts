/**
 * The one meeting point: opens configuration, engines and sinks, and lends each part its inputs. Wiring only; what is decided is decided in
 * the parts. The command line and the server call nothing else.
 */
import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { type ConfigFlags, loadConfig } from './config/load.ts'
import { asPlinthError } from './errors.ts'
import { type AdoptRequest, adoptTrack, driftOfTracks } from './foundation/adopt.ts'
import {
  eraseTenantFromArchives,
  listTrackArchives,
  type PurgeArchivesRequest,
  purgeTrackArchives,
  restoreTrackArchive,
  showTrackArchive,
} from './foundation/archive.ts'
import { checkClasses, checkClassesIfAny, checkDocuments, generateDocuments } from './foundation/contract.ts'
import {
  checkFreshness,
  type CheckRequest,
  checkWarehouse,
  type CompileRequest,
  compileTransforms,
  listNodes,
  planRollup,
  type PlanRollupRequest,
  type ProjectRequest,
  runUnitTests,
} from './foundation/analytics.ts'
import {
  listSeedPackages,
  reconcileWarehouse,
  type RollupRequest,
  rollUp,
  type SeedRequest,
  seedDatabase,
  statusOfRollups,
} from './foundation/data.ts'
import { type Desk, serverFolder } from './foundation/desk.ts'
import { diagnose } from './foundation/doctor.ts'
import { expandMigrations } from './foundation/expand.ts'
import {
  type ApplyRequest,
  applyTracks,
  createMigrationFiles,
  dryRunTracks,
  isIdle,
  type PlanRequest,
  planTracks,
  redoTracks,
  rollbackTracks,
  statusOfTracks,
  verifyTracks,
} from './foundation/migrations.ts'
import type { LintRequest } from './foundation/lint.ts'
import { applyFleet, planFleet, rollbackFleet, statusOfFleet } from './foundation/fleet.ts'
import { type RehearseRequest, rehearseTracks } from './foundation/forecast.ts'
import { readRollups } from './foundation/read.ts'
import {
  type BackfillRequest,
  backfillRollups,
  eraseFromRollups,
  listLateEvents,
  planRollupBackfill,
  rollupHistory,
  type SealRequest,
  sealRollups,
  settleLateEvents,
  showLateEvents,
} from './foundation/rollups.ts'
import { listSettings } from './foundation/settings.ts'
import { bringUp } from './foundation/up.ts'
import type { ReadRequest } from './analytics/read/read.ts'
import type { Selection as LateSelection } from './analytics/seal/quarantine.ts'
import type { FleetReport } from './migrations/fleet.ts'
import type { KeptSessions } from './migrations/rehearse/kept-sessions.ts'
import type { ExpandRequest } from './migrations/expand/request.ts'
import { createEmitter, type Emit, type Fact } from './telemetry/event.ts'
import type { MetricsFormat } from './telemetry/openmetrics.ts'
import { closeSinks, metricExporter, openSinks } from './telemetry/sinks/index.ts'
import { applicationName, runTrace } from './telemetry/trace.ts'

export interface FoundationOptions {
  readonly flags: ConfigFlags & OutputFlags
  /** `defaults` for a command that works without a project. */
  readonly configuration: 'load' | 'defaults'
  /** For telemetry, such as `apply`. */
  readonly command: string
  readonly cwd: string
  readonly variables: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  readonly version: string
  /** Of a process that stays: rehearsals on the embedded server go on in sessions that rest between them. */
  readonly sessions?: KeptSessions | undefined
}

export interface OutputFlags {
  readonly events?: string | undefined
  readonly quiet?: boolean | undefined
  readonly verbose?: boolean | undefined
}

export type Foundation = Awaited<ReturnType<typeof openFoundation>>

/** Throws what loading the configuration throws. Nothing is connected before a method needs it. */
export async function openFoundation(options: FoundationOptions) {
  const { desk, close } = await openDesk(options)
  const { config, emit, actor } = desk

  /** Tells when a run begins and how it ends. */
  async function run<T>(work: () => Promise<T>, idle: (result: T) => boolean = () => false): Promise<T> {
    const started = performance.now()
    const { command } = options
    const track = options.flags.track ?? null
    emit({ type: 'run.started', command, track, environment: config.environment.name, actor })
    const finish = (status: 'succeeded' | 'failed' | 'interrupted' | 'nothing-to-do', code: string | null) =>
      emit({ type: 'run.finished', command, status, durationMs: performance.now() - started, code })
    try {
      const result = await work()
      const status = isFleetReport(result) ? result.status : idle(result) ? 'nothing-to-do' : 'succeeded'
      finish(status, status === 'failed' ? 'FLEET_FAILED' : null)
      return result
    } catch (thrown) {
      const { code } = asPlinthError(thrown)
      finish(code === 'INTERRUPTED' ? 'interrupted' : 'failed', code)
      throw thrown
    }
  }

  /** A run that changes service levels: they are sent after it, unless nothing can be reached or it was broken off. */
  async function measured<T>(work: () => Promise<T>, idle?: (result: T) => boolean): Promise<T> {
    const send = async () => desk.exporter && (await import('./foundation/metrics.ts')).sendMetrics(desk)
    try {
      const result = await run(work, idle)
      await send()
      return result
    } catch (thrown) {
      if (asPlinthError(thrown).exitStatus < 6) await send()
      throw thrown
    }
  }

  return {
    config,
    version: options.version,
    settings: () => listSettings(config),
    up: (request: { readonly secrets: SeedRequest['secrets'] }) =>
      run(
        () => bringUp(desk, request),
        report => !report.changed,
      ),
    stop: async () => {
      const { stopEmbedded } = await import('./engines/postgres/embedded.ts')
      return stopEmbedded({ folder: serverFolder(config), emit })
    },
    plan: (request: PlanRequest) => planTracks(desk, request),
    rehearse: (request: RehearseRequest) => rehearseTracks(desk, request),
    dryRun: (request: PlanRequest) => dryRunTracks(desk, request),
    apply: (request: ApplyRequest) =>
      run(
        () => applyTracks(desk, request),
        reports => reports.every(isIdle),
      ),
    rollback: (request: ApplyRequest) =>
      run(
        () => rollbackTracks(desk, request),
        reports => reports.every(isIdle),
      ),
    applyFleet: (request: ApplyRequest) => run(() => applyFleet(desk, request)),
    rollbackFleet: (request: ApplyRequest) => run(() => rollbackFleet(desk, request)),
    planFleet: (request: PlanRequest) => planFleet(desk, request),
    statusFleet: () => statusOfFleet(desk),
    redo: (count: number, acceptLoss?: ApplyRequest['acceptLoss']) => run(() => redoTracks(desk, count, acceptLoss)),
    archives: () => listTrackArchives(desk),
    archive: (id: string) => showTrackArchive(desk, id),
    restoreArchive: (id: string) => run(() => restoreTrackArchive(desk, id)),
    purgeArchives: (request: PurgeArchivesRequest) => run(() => purgeTrackArchives(desk, request)),
    eraseFromArchives: (tenant: string) => run(() => eraseTenantFromArchives(desk, tenant)),
    lint: async (request: LintRequest) => (await import('./foundation/lint.ts')).lintProject(desk, request),
    lintAndFix: async (request: LintRequest) => (await import('./foundation/lint-fix.ts')).lintAndFix(desk, request),
    status: () => statusOfTracks(desk),
    verify: () => run(() => verifyTracks(desk)),
    adopt: (request: AdoptRequest) =>
      run(
        () => adoptTrack(desk, request),
        ({ result }) => result.status === 'nothing-to-do',
      ),
    drift: () => driftOfTracks(desk),
    newMigration: (title: string, kind?: 'version' | 'repeatable') => createMigrationFiles(desk, title, kind),
    expandMigrations: (request: ExpandRequest) => expandMigrations(desk, request),
    seedPackages: () => listSeedPackages(desk),
    seed: (request: SeedRequest) =>
      run(
        () => seedDatabase(desk, request),
        report => !report.changed,
      ),
    rollup: (mode: 'changes' | 'rebase', request: RollupRequest = {}) =>
      measured(
        () => rollUp(desk, mode, request),
        report => report.status === 'nothing-to-do',
      ),
    rollupStatus: () => statusOfRollups(desk),
    readRollup: (request: ReadRequest) => readRollups(desk, request),
    check: (request: CheckRequest = {}) => measured(() => checkWarehouse(desk, request)),
    checkFreshness: (request: ProjectRequest = {}) => measured(() => checkFreshness(desk, request)),
    runUnitTests: (request: ProjectRequest = {}) => runUnitTests(desk, request),
    listNodes: (request: ProjectRequest = {}) => listNodes(desk, request),
    compileTransforms: (request: CompileRequest = {}) => compileTransforms(desk, request),
    planRollup: (request: PlanRollupRequest) => planRollup(desk, request),
    reconcile: (action: 'repair' | 'report', scope?: 'everything' | 'rotation') =>
      measured(() => reconcileWarehouse(desk, action, scope)),
    seal: (request: SealRequest) =>
      measured(
        () => sealRollups(desk, request),
        report => report.status === 'nothing-to-do',
      ),
    planBackfill: (request: BackfillRequest) => planRollupBackfill(desk, request),
    backfill: (request: BackfillRequest) =>
      measured(
        () => backfillRollups(desk, request),
        report => report.status === 'nothing-to-do',
      ),
    quarantine: () => listLateEvents(desk),
    quarantinedRows: (selection: LateSelection) => showLateEvents(desk, selection),
    settleQuarantine: (decision: 'admit' | 'dismiss', selection: LateSelection) =>
      measured(() => settleLateEvents(desk, decision, selection)),
    eraseFromRollups: (organization: string) => measured(() => eraseFromRollups(desk, organization)),
    rollupHistory: (limit: number) => rollupHistory(desk, limit),
    levels: async () => (await import('./foundation/metrics.ts')).levelsOf(desk),
    metrics: async (format: MetricsFormat = 'openmetrics') =>
      (await import('./foundation/metrics.ts')).metricsOf(desk, format),
    jobs: async () => (await import('./foundation/schedule.ts')).statusOfJobs(desk),
    requestJob: async (name: string) => (await import('./foundation/schedule.ts')).requestJobNow(desk, name),
    maintain: () => measured(async () => (await import('./foundation/schedule.ts')).maintainOnce(desk)),
    keepSchedule: (lookMs: number) =>
      run(async () => {
        const { keepSchedule } = await import('./foundation/schedule.ts')
        const { keepSending, sendMetrics } = await import('./foundation/metrics.ts')
        await Promise.all([keepSchedule(desk, lookMs, () => sendMetrics(desk)), keepSending(desk)])
      }),
    generateDocs: () => run(() => generateDocuments(desk)),
    checkDocs: () => checkDocuments(desk),
    checkClassification: () => checkClasses(desk),
    checkClassificationIfAny: () => checkClassesIfAny(desk),
    doctor: () => diagnose(desk),
    close,
  }
}

/** What failed on a database of a fleet is in the report rather than thrown. */
function isFleetReport(result: unknown): result is FleetReport {
  return typeof result === 'object' && result !== null && 'databases' in result && 'canary' in result
}

async function openDesk(options: FoundationOptions): Promise<{ desk: Desk; close: () => Promise<void> }> {
  const { flags, cwd, variables, version, signal, sessions } = options
  const config =
    options.configuration === 'load' ? await loadConfig(flags, cwd, variables) : await loadConfig({}, '/', {})
  const trace = runTrace(config.variables)
  const early: Fact[] = []
  let tell: Emit = fact => void early.push(fact)
  const verbosity = flags.quiet ? 'quiet' : flags.verbose ? 'verbose' : 'normal'
  const warn = (message: string, hint: string) => tell({ type: 'warning', message, hint })
  const sinks = await openSinks(
    {
      terminal: flags.events ? undefined : { stream: process.stderr, verbosity, environment: config.variables },
      ndjson: flags.events ? { to: 'stderr' } : undefined,
      trace,
      version,
      environment: config.variables,
    },
    warn,
  )
  const exporter = metricExporter({ version, environment: config.variables }, warn)
  const runId = randomUUID()
  const emit = createEmitter(sinks, runId)
  tell = emit
  for (const fact of early) emit(fact)
  for (const { message, hint } of config.dbt?.notes ?? []) emit({ type: 'warning', message, hint })
  const actor = `${userName()}@${hostname()}`
  const application = applicationName(trace)
  const { traceId } = trace
  const desk = {
    config,
    emit,
    signal,
    actor,
    application,
    runId,
    traceId,
    version,
    exporter,
    sessions,
    known: new Map(),
  }
  return { desk, close: () => closeSinks(sinks) }
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
