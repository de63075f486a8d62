/**
 * The one meeting point: opens configuration, engines and sinks, and lends each part its inputs. Wiring only; what is decided is decided in
 * the parts. The command line and the server call nothing else.
 */
import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { type Config, type ConfigFlags, expand, loadConfig, type Origin, type Track } from './config/load.ts'
import { withSession } from './engines/brackets.ts'
import type { Engine, Session } from './engines/engine.ts'
import { engineOf } from './engines/registry.ts'
import { asPlinthError, PlinthError } from './errors.ts'
import type { Plan } from './migrations/plan.ts'
import type { Report } from './migrations/run.ts'
import type { Target } from './migrations/select.ts'
import type { TrackStatus } from './migrations/status.ts'
import type { VerifyReport } from './migrations/verify.ts'
import { createEmitter, type Emit, type Fact } from './telemetry/event.ts'
import { closeSinks, openSinks } from './telemetry/sinks/index.ts'
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
}

export interface OutputFlags {
  readonly events?: string | undefined
  readonly quiet?: boolean | undefined
  readonly verbose?: boolean | undefined
}

/** A result on one track; `address` is safe to print. */
export interface OnTrack<T> {
  readonly track: string
  readonly address: string
  readonly result: T
}

export interface Setting {
  readonly path: string
  readonly value: string
  readonly origin: Origin
}

export interface PlanRequest {
  readonly direction: 'up' | 'down'
  readonly target?: Target | undefined
  readonly allowOutOfOrder?: boolean | undefined
  readonly retryFailed?: boolean | undefined
}

export type Foundation = Awaited<ReturnType<typeof openFoundation>>

/** Throws what loading the configuration throws. Nothing is connected before a method needs it. */
export async function openFoundation(options: FoundationOptions) {
  const config =
    options.configuration === 'load'
      ? await loadConfig(options.flags, options.cwd, options.variables)
      : await loadConfig({}, '/', {})
  const trace = runTrace(config.variables)
  const told: Fact[] = []
  const sinks = await openSinks(
    {
      terminal: options.flags.events
        ? undefined
        : {
            stream: process.stderr,
            verbosity: options.flags.quiet ? 'quiet' : options.flags.verbose ? 'verbose' : 'normal',
          },
      ndjson: options.flags.events ? { to: 'stderr' } : undefined,
      trace,
      version: options.version,
      environment: config.variables,
    },
    (message, hint) => told.push({ type: 'warning', message, hint }),
  )
  const emit = createEmitter(sinks, randomUUID())
  for (const warning of told) emit(warning)
  const actor = `${userName()}@${hostname()}`
  const desk: Desk = {
    config,
    emit,
    signal: options.signal,
    actor,
    application: applicationName(trace),
    traceId: trace.traceId,
    version: options.version,
  }

  /** Tells when a run begins and how it ends. */
  async function run<T>(work: () => Promise<T>, isIdle: (result: T) => boolean = () => false): Promise<T> {
    const started = performance.now()
    const { command } = options
    emit({
      type: 'run.started',
      command,
      track: options.flags.track ?? null,
      environment: config.environment.name,
      actor,
    })
    try {
      const result = await work()
      emit({
        type: 'run.finished',
        command,
        status: isIdle(result) ? 'nothing-to-do' : 'succeeded',
        durationMs: performance.now() - started,
        code: null,
      })
      return result
    } catch (thrown) {
      const { code } = asPlinthError(thrown)
      emit({
        type: 'run.finished',
        command,
        status: code === 'INTERRUPTED' ? 'interrupted' : 'failed',
        durationMs: performance.now() - started,
        code,
      })
      throw thrown
    }
  }

  return {
    config,
    emit,
    settings: () => listSettings(config),
    plan: (request: PlanRequest) => planTracks(desk, request),
    apply: (request: Omit<PlanRequest, 'direction'>) =>
      run(
        () => applyTracks(desk, request),
        reports => reports.every(isIdleReport),
      ),
    rollback: (request: Omit<PlanRequest, 'direction'>) =>
      run(
        () => rollbackTracks(desk, request),
        reports => reports.every(isIdleReport),
      ),
    redo: (count: number) => run(() => redoTracks(desk, count)),
    status: () =>
      onTracks(desk, async (session, track) =>
        (await import('./migrations/status.ts')).readStatus(session, { track: track.name, folder: track.migrations }),
      ),
    verify: () => run(() => verifyTracks(desk)),
    newMigration: (title: string) => createMigrationFiles(config, title),
    stop: () => stopServer(desk),
    close: () => closeSinks(sinks),
  }
}

/** What every function below is lent. */
interface Desk {
  readonly config: Config
  readonly emit: Emit
  readonly signal: AbortSignal
  readonly actor: string
  /** For `application_name`. */
  readonly application: string
  readonly traceId: string
  readonly version: string
}

async function planTracks(desk: Desk, request: PlanRequest): Promise<OnTrack<Plan>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { planTrack } = await import('./migrations/track.ts')
  return onTracks(desk, (session, track) =>
    planTrack(session, { ...request, track: track.name, folder: track.migrations }),
  )
}

async function applyTracks(desk: Desk, request: Omit<PlanRequest, 'direction'>): Promise<OnTrack<Report>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { applyTrack } = await import('./migrations/track.ts')
  return onTracks(desk, async (session, track) =>
    unbroken(await applyTrack(session, { ...request, ...runOptions(desk, track) })),
  )
}

/** Later tracks build on earlier ones, so they are taken back first. */
async function rollbackTracks(desk: Desk, request: Omit<PlanRequest, 'direction'>): Promise<OnTrack<Report>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { rollbackTrack } = await import('./migrations/track.ts')
  return onTracks(
    desk,
    async (session, track) => unbroken(await rollbackTrack(session, { ...request, ...runOptions(desk, track) })),
    'last first',
  )
}

async function redoTracks(desk: Desk, count: number): Promise<OnTrack<Report>[]> {
  const { redoTrack } = await import('./migrations/track.ts')
  const both = await onTracks(
    desk,
    async (session, track) => (await redoTrack(session, { ...runOptions(desk, track), count })).map(unbroken),
    'last first',
  )
  return both.flatMap(({ track, address, result }) => result.map(report => ({ track, address, result: report })))
}

async function verifyTracks(desk: Desk): Promise<OnTrack<VerifyReport>[]> {
  const { verifyTrack } = await import('./migrations/verify.ts')
  const reports: OnTrack<VerifyReport>[] = []
  for (const track of desk.config.tracks) {
    const { engine, url } = await databaseOf(desk, track)
    const result = await verifyTrack({
      engine,
      url,
      track: track.name,
      folder: track.migrations,
      actor: desk.actor,
      emit: desk.emit,
      signal: desk.signal,
    })
    reports.push({ track: track.name, address: engine.describe(url), result })
  }
  return reports
}

async function createMigrationFiles(config: Config, title: string): Promise<string[]> {
  const { createMigration } = await import('./migrations/create.ts')
  const [track] = config.tracks
  if (!track)
    throw new PlinthError('TRACK_UNKNOWN', 'The configuration has no track.', {
      hint: 'Add one under "tracks", or pass --dir.',
    })
  const { up, down } = await createMigration({ folder: track.migrations, title })
  return [up, down]
}

async function stopServer({ config, emit }: Desk): Promise<boolean> {
  const { stopEmbedded } = await import('./engines/postgres/embedded.ts')
  return stopEmbedded({ folder: serverFolder(config), emit })
}

function runOptions({ config, emit, signal, actor, traceId, version }: Desk, track: Track) {
  const { lockWaitSeconds, lockTimeoutSeconds, statementTimeoutSeconds, lockRetries } = config.migrations
  return {
    track: track.name,
    folder: track.migrations,
    actor,
    emit,
    signal,
    traceId,
    toolVersion: version,
    lockWaitMs: lockWaitSeconds * 1000,
    lockTimeoutMs: lockTimeoutSeconds * 1000,
    statementTimeoutMs: statementTimeoutSeconds * 1000,
    lockRetries,
  }
}

/** A report that failed becomes the failure, with what was done among its details. */
function unbroken(report: Report): Report {
  const { error, ...rest } = report
  if (!error) return report
  throw new PlinthError(error.code, error.message, {
    at: error.at,
    hint: error.hint,
    sqlState: error.sqlState,
    details: { ...error.details, report: rest },
    cause: error,
  })
}

function isIdleReport({ result }: OnTrack<Report>): boolean {
  return result.status === 'nothing-to-do'
}

/** Versions, steps and runs belong to one track; only `latest` and `0` mean the same on all of them. */
function refuseAmbiguousTarget(config: Config, target: Target | undefined): void {
  if (
    config.tracks.length < 2 ||
    !target ||
    target.kind === 'latest' ||
    (target.kind === 'version' && /^0+$/.test(target.version))
  )
    return
  throw new PlinthError('USAGE', 'There are several tracks, and this target belongs to one of them.', {
    hint: `Add --track ${config.tracks.map(track => track.name).join(' or --track ')}.`,
  })
}

/** Visits the tracks in order, each in a session of its own. */
async function onTracks<T>(
  desk: Desk,
  work: (session: Session, track: Track) => Promise<T>,
  order: 'first first' | 'last first' = 'first first',
): Promise<OnTrack<T>[]> {
  const results: OnTrack<T>[] = []
  for (const track of order === 'first first' ? desk.config.tracks : desk.config.tracks.toReversed()) {
    results.push(await onTrack(desk, track, work))
  }
  return results
}

async function onTrack<T>(
  desk: Desk,
  track: Track,
  work: (session: Session, track: Track) => Promise<T>,
): Promise<OnTrack<T>> {
  const { engine, url } = await databaseOf(desk, track)
  const waitMs = engine.can.concurrentProcesses ? 0 : desk.config.migrations.lockWaitSeconds * 1000
  const onWait = (holder: string | null, waitedMs: number) =>
    desk.emit({ type: 'lock.waiting', lock: engine.describe(url), holder, waitedMs })
  return withSession(engine, url, { applicationName: desk.application, waitMs, onWait }, async session => {
    return { track: track.name, address: session.address, result: await work(session, track) }
  })
}

/** The engine and URL of a track; starts the embedded server when the track has no URL of its own. */
async function databaseOf(
  { config, emit }: Desk,
  track: Track,
): Promise<{ readonly engine: Engine; readonly url: string }> {
  if (track.database === null) return { engine: await engineOf('postgres:'), url: await embeddedUrl(config, emit) }
  const url = expand(track.database, config.variables, `tracks.${track.name}.database`)
  const fromCaller = ['flag', 'environment variable'].includes(
    config.origins.get(`tracks.${track.name}.database`) ?? 'flag',
  )
  const file = /^duckdb:(?!:memory:)(.+)$/.exec(url)?.[1]
  return {
    engine: await engineOf(url),
    url: file && !isAbsolute(file) && !fromCaller ? `duckdb:${join(config.root, file)}` : url,
  }
}

async function embeddedUrl(config: Config, emit: Emit): Promise<string> {
  const { startEmbedded } = await import('./engines/postgres/embedded.ts')
  const { url } = await startEmbedded({ folder: serverFolder(config), emit })
  return url
}

function serverFolder(config: Config): string {
  return join(config.state, 'postgres')
}

/** Dotted paths with their values; passwords in URLs are masked. */
function listSettings(config: Config): Setting[] {
  const { environment, migrations, tracks, origins } = config
  const values: Record<string, unknown> = {
    project: config.project,
    environment: environment.name,
    'environment.seedable': environment.seedable,
    'environment.protected': environment.protected,
    state: config.state,
  }
  for (const track of tracks) {
    for (const key of ['engine', 'migrations', 'database'] as const)
      values[`tracks.${track.name}.${key}`] = track[key] ?? 'embedded'
  }
  for (const [key, value] of Object.entries(migrations)) values[`migrations.${key}`] = value
  for (const key of ['seeds', 'analytics', 'classification', 'docs'] as const) values[key] = config[key]
  return Object.entries(values).map(([path, value]) => ({
    path,
    value: maskPassword(String(value)),
    origin: origins.get(path) ?? 'flag',
  }))
}

function maskPassword(text: string): string {
  return text.replace(/^([a-z]+:\/\/[^:@/]*):[^@]*@/i, '$1:***@').replace(/(password=)[^&]*/i, '$1***')
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
