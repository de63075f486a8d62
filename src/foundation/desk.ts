/** What every function of the foundation is lent, and how it reaches a track's database. */
import { isAbsolute, join } from 'node:path'
import { type Config, expand, type Track } from '../config/load.ts'
import { withSession } from '../engines/brackets.ts'
import type { Engine, Session } from '../engines/engine.ts'
import { engineNamed, engineOf } from '../engines/registry.ts'
import { PlinthError } from '../errors.ts'
import type { ScratchServer } from '../migrations/apply-on-scratch.ts'
import type { KeptSessions } from '../migrations/rehearse/kept-sessions.ts'
import type { PreludeFile } from '../migrations/prelude.ts'
import type { Emit } from '../telemetry/event.ts'
import type { MetricExporter } from '../telemetry/sinks/otel-metrics.ts'

export interface Desk {
  readonly config: Config
  readonly emit: Emit
  readonly signal: AbortSignal
  /** Who answers for it, such as `anna@host`. */
  readonly actor: string
  /** For `application_name`. */
  readonly application: string
  readonly runId: string
  readonly traceId: string
  readonly version: string
  /** Where service levels go; null unless the environment names a collector. */
  readonly exporter: MetricExporter | null
  /** Where rehearsals on the embedded server find sessions that rest; undefined where each opens its own. */
  readonly sessions?: KeptSessions | undefined
  /** URLs that were looked up by this process, by what they stand for. */
  readonly known: Map<string, Promise<string>>
}

export interface Database {
  readonly engine: Engine
  readonly url: string
}

/** A result on one track; `address` is safe to print. */
export interface OnTrack<T> {
  readonly track: string
  readonly address: string
  readonly result: T
}

/** Visits the tracks in order, each in a session of its own. */
export async function onTracks<T>(
  desk: Desk,
  work: (session: Session, track: Track) => Promise<T>,
  order: 'first first' | 'last first' = 'first first',
): Promise<OnTrack<T>[]> {
  const results: OnTrack<T>[] = []
  for (const track of order === 'first first' ? desk.config.tracks : desk.config.tracks.toReversed()) {
    const { address, result } = await onDatabase(desk, await databaseOf(desk, track), async session => ({
      address: session.address,
      result: await work(session, track),
    }))
    results.push({ track: track.name, address, result })
  }
  return results
}

/** A session that waits politely for a file that another process has open. */
export async function onDatabase<T>(
  desk: Desk,
  { engine, url }: Database,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const waitMs = engine.can.concurrentProcesses ? 0 : desk.config.migrations.lockWaitSeconds * 1000
  const onWait = (holder: string | null, waitedMs: number) =>
    desk.emit({ type: 'lock.waiting', lock: engine.describe(url), holder, waitedMs })
  return withSession(engine, url, { applicationName: desk.application, waitMs, onWait }, work)
}

/** The engine and URL of a track; starts the embedded server when the track has no URL of its own. */
export async function databaseOf(desk: Desk, track: Track): Promise<Database> {
  const { config } = desk
  if (track.database === null) return { engine: await engineNamed('postgres'), url: await embeddedUrl(desk) }
  const origin = config.origins.get(`tracks.${track.name}.database`) ?? 'flag'
  const url = expand(track.database, config.variables, `tracks.${track.name}.database`)
  const file = /^duckdb:(?!:memory:)(.+)$/.exec(url)?.[1]
  const ofProject = file && !isAbsolute(file) && origin !== 'flag' && origin !== 'environment variable'
  const engine = withSetup(await engineOf(url), config.dbt)
  return { engine, url: ofProject ? `duckdb:${join(config.root, file)}` : url }
}

/** What a dbt profile says of its sessions holds for each of them. */
function withSetup(engine: Engine, dbt: Config['dbt']): Engine {
  if (dbt === null || dbt.engine !== engine.name || dbt.setup.length === 0) return engine
  return {
    ...engine,
    open: async (url, options) => {
      const session = await engine.open(url, options)
      try {
        for (const statement of dbt.setup) await session.query(statement)
        return session
      } catch (error) {
        await session.close()
        throw error
      }
    },
  }
}

/**
 * Where scratch databases of a track are made: beside the database that was named on the command line, if its user may, else on the embedded
 * server, since nobody wants them on the server that the environment points to. There a role does no harm.
 */
export async function scratchPlaceOf(desk: Desk, track: Track): Promise<ScratchServer> {
  const origin = desk.config.origins.get(`tracks.${track.name}.database`) ?? 'flag'
  const engine = await engineNamed(track.engine)
  const prelude = await preludeOf(track)
  const beside = async () => ({ ...(await databaseOf(desk, track)), prelude })
  if (!engine.can.postgresSyntax) return beside()
  // `--dir` alone names no database but by a variable, which need not be set where nobody looks at one.
  const isNamed = origin === 'flag' && (track.database !== '${DATABASE_URL}' || desk.config.variables['DATABASE_URL'])
  if (isNamed && (await mayMakeDatabases(await beside()))) return beside()
  return { engine, url: await embeddedUrl(desk), missingRoles: 'make', prelude }
}

/** What scratch databases of a track have before its first migration. Throws FILE_UNREADABLE. */
export async function preludeOf({ prelude = [] }: Track): Promise<readonly PreludeFile[]> {
  if (prelude.length === 0) return []
  const { readPrelude } = await import('../migrations/prelude.ts')
  return readPrelude(prelude)
}

async function mayMakeDatabases({ engine, url }: Database): Promise<boolean> {
  return withSession(engine, url, { applicationName: 'plinth scratch' }, async session => {
    const { rows } = await session.query<{ may: boolean }>(
      // A standby, or a role that reads alone, has the history as well, and its migrations can be proved elsewhere.
      "select (rolsuper or rolcreatedb) and current_setting('transaction_read_only') = 'off' as may from pg_catalog.pg_roles where rolname = current_user",
    )
    return rows[0]?.may === true
  })
}

/** The database that changes are captured from, and the one that holds the rollups. Throws ENGINE_UNSUPPORTED when a track is missing. */
export async function flowOf(desk: Desk): Promise<{ readonly source: Database; readonly warehouse: Database }> {
  const databases = await Promise.all(
    desk.config.tracks.map(async track => ({ track, engine: await engineNamed(track.engine) })),
  )
  const source = databases.find(({ engine }) => engine.can.capture)?.track
  const warehouse = databases.find(({ engine }) => engine.can.warehouse)?.track
  if (warehouse && !source && desk.config.dbt !== null)
    return { source: await noSource(), warehouse: await databaseOf(desk, warehouse) }
  if (!source || !warehouse) {
    throw new PlinthError(
      'ENGINE_UNSUPPORTED',
      `Rollups need a ${source ? 'warehouse' : 'source'}, and no track here is one.`,
      {
        hint: 'Run it without --track, --dir and --database; set DATABASE_URL and WAREHOUSE_URL to name other databases.',
      },
    )
  }
  return { source: await databaseOf(desk, source), warehouse: await databaseOf(desk, warehouse) }
}

/** Stands where a dbt project captures nothing; one that does needs a configuration. */
async function noSource(): Promise<Database> {
  const refuse = () =>
    Promise.reject(
      new PlinthError('ENGINE_UNSUPPORTED', 'The project captures a source, and nothing says where that is.', {
        hint: 'Write a plinth.yaml with both tracks, or set meta.plinth.capture aside.',
      }),
    )
  return { engine: { ...(await engineNamed('postgres')), open: refuse }, url: 'postgres://' }
}

/** The database of the project on the embedded server, which is started or found running once a process. */
export async function embeddedUrl({ config, emit, known }: Desk): Promise<string> {
  const start = async (): Promise<string> => {
    const { runningUrl, startEmbedded } = await import('../engines/postgres/embedded.ts')
    const { ensureDatabase } = await import('../engines/postgres/database.ts')
    const engine = await engineNamed('postgres')
    const folder = serverFolder(config)
    // Usually it runs, and whoever enters the database has entered the server.
    const running = await runningUrl({ folder }).catch(() => null)
    const entered = running && (await ensureDatabase(engine, running, databaseName(config)).catch(() => null))
    if (entered) return entered
    const { url } = await startEmbedded({ folder, emit })
    return ensureDatabase(engine, url, databaseName(config))
  }
  const url = known.get('embedded') ?? start()
  known.set('embedded', url)
  return url
}

/** As `embeddedUrl`, where the server runs already; whether it has the database is not asked. */
export async function embeddedUrlIfRunning({ config }: Desk): Promise<string | null> {
  const { runningUrl } = await import('../engines/postgres/embedded.ts')
  const running = await runningUrl({ folder: serverFolder(config) })
  return running === null ? null : ((await engineNamed('postgres')).beside?.(running, databaseName(config)) ?? null)
}

export function serverFolder(config: Config): string {
  return join(config.state, 'postgres')
}

function databaseName(config: Config): string {
  return (
    config.project
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '_')
      .slice(0, 60) || 'plinth'
  )
}
