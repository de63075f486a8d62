/** What pending steps will do to their target: rehearsed on another server, and weighed with the rows that the target has. */
import type { Track } from '../config/load.ts'
import type { Session } from '../engines/engine.ts'
import { asPlinthError } from '../errors.ts'
import type { Forecast, forecastOf } from '../migrations/rehearse/forecast.ts'
import type { PlanInFull, PlanOptions } from '../migrations/track.ts'
import type { Scripts } from '../migrations/rehearse/rehearse.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'
import { type Desk, databaseOf, onDatabase } from './desk.ts'
import { folderOf } from './folder.ts'
import { targetOf } from './lint-target.ts'
import { canRehearseAtOnce, type Rehearsed, rehearse, rehearseIfPossible, refusesRehearsal } from './rehearse.ts'
import { differencesOf, serverOf, type TargetServer } from './target-server.ts'

/** Which steps are meant. */
export type PlanRequest = Omit<PlanOptions, 'track' | 'folder'>

export interface TrackForecast extends Rehearsed {
  readonly track: string
  /** The target; null where none was asked. */
  readonly address: string | null
  readonly forecast: Forecast | null
  readonly notices: readonly string[]
}

export interface RehearseRequest extends PlanRequest {
  /** Files and folders; empty means what is pending on the tracks. */
  readonly files: readonly string[]
}

/** Throws what planning and rehearsing throw: who asks for a rehearsal wants one. */
export async function rehearseTracks(desk: Desk, request: RehearseRequest): Promise<TrackForecast[]> {
  if (request.files.length > 0) return rehearseFiles(desk, request.files)
  const forecasts: TrackForecast[] = []
  for (const track of desk.config.tracks) forecasts.push(await forecastTrack(desk, track, request, 'required'))
  return forecasts
}

/** For one track of a plan: a reason in place of what cannot be had. */
export async function forecastTrack(
  desk: Desk,
  track: Track,
  request: PlanRequest,
  wish: 'required' | 'preferred',
): Promise<TrackForecast> {
  const refused = await refusesRehearsal(track)
  const nothing = { track: track.name, address: null, rehearsal: null, forecast: null, notices: [] }
  if (refused !== null) return { ...nothing, reason: refused }
  const { found, notice } = await pendingOf(desk, track, request)
  const { scripts, address } = found
  const notices = notice === null ? [] : [notice]
  if (scripts.pending.length === 0) return { ...nothing, address, notices, reason: 'Nothing is pending.' }
  const { rehearsal, reason } = await rehearseIfPossible(desk, wish, scripts, track)
  const forecast = rehearsal ? await forecastFor(rehearsal, found) : null
  return { track: track.name, address, rehearsal, forecast, reason, notices }
}

/** For an apply, where the project is linted anyway and a server runs: what its steps will lock. */
export async function foresightAtHand(desk: Desk, session: Session, full: PlanInFull, track: Track) {
  const { lint } = desk.config
  if (!lint.declared || lint.rehearsal === 'off' || !session.engine.can.postgresSyntax) return null
  if (!(await canRehearseAtOnce(desk))) return null
  const { scriptsOfPlan } = await import('../migrations/rehearse/of-plan.ts')
  const scripts = await scriptsOfPlan(session, full)
  const { rehearsal } = await rehearseIfPossible(desk, 'preferred', scripts, track)
  const { foresightOf } = await import('../migrations/rehearse/foresight.ts')
  return rehearsal ? foresightOf(rehearsal) : null
}

/** For a plan, which is to be quick: a reason in place of a forecast for which a server would have to be started first. */
export async function forecastAtHand(
  desk: Desk,
  session: Session,
  full: PlanInFull,
  track: Track,
): Promise<{ readonly forecast: Forecast | null; readonly reason: string | null }> {
  const nothing = { forecast: null, reason: null }
  if (full.planned.plan.steps.length === 0 || !session.engine.can.postgresSyntax) return nothing
  if (desk.config.lint.rehearsal === 'off') return { ...nothing, reason: 'The configuration turns rehearsals off.' }
  if (!(await canRehearseAtOnce(desk)))
    return { ...nothing, reason: 'No server for rehearsals runs; `plinth rehearse` starts one.' }
  const pending = await pendingOn(session, full)
  const { rehearsal, reason } = await rehearseIfPossible(desk, 'preferred', pending.scripts, track)
  return { forecast: rehearsal ? await forecastFor(rehearsal, pending) : null, reason }
}

type Steps = Parameters<typeof forecastOf>[1]

interface Pending {
  readonly scripts: Scripts
  readonly steps: Steps
  readonly address: string | null
  readonly rows: Readonly<Record<string, number>>
  /** Null where no target was asked. */
  readonly server: TargetServer | null
}

async function forecastFor(rehearsal: Rehearsal, { steps, rows, server }: Pending): Promise<Forecast> {
  const { forecastOf } = await import('../migrations/rehearse/forecast.ts')
  const forecast = forecastOf(rehearsal, steps, rows)
  return server === null ? forecast : { ...forecast, gaps: [...forecast.gaps, ...differencesOf(rehearsal, server)] }
}

async function planOn(session: Session, desk: Desk, track: Track, request: PlanRequest): Promise<Pending> {
  const { readPlan } = await import('../migrations/track.ts')
  return pendingOn(
    session,
    await readPlan(session, { ...request, track: track.name, folder: await folderOf(desk.config, track) }),
  )
}

async function pendingOn(session: Session, full: PlanInFull): Promise<Pending> {
  const { scriptsOfPlan } = await import('../migrations/rehearse/of-plan.ts')
  const scripts = await scriptsOfPlan(session, full)
  return {
    scripts,
    steps: full.planned.plan.steps,
    address: session.address,
    rows: await targetOf(session),
    server: await serverOf(session, scripts),
  }
}

/** Where no database answers, everything in the folder is pending; who names one wants to hear that it is not there. */
async function pendingOf(
  desk: Desk,
  track: Track,
  request: PlanRequest,
): Promise<{ readonly found: Pending; readonly notice: string | null }> {
  try {
    const database = await databaseOf(desk, track)
    return { found: await onDatabase(desk, database, session => planOn(session, desk, track, request)), notice: null }
  } catch (thrown) {
    const { code, exitStatus, message } = asPlinthError(thrown)
    const named =
      desk.config.origins.get(`tracks.${track.name}.database`) === 'flag' && track.database !== '${DATABASE_URL}'
    if (named || (exitStatus !== 7 && code !== 'CONFIG_INVALID')) throw thrown
    const { migrations } = await folderOf(desk.config, track)
    const pending = migrations.map(({ version, up }) => ({ ...up, version, direction: 'up' as const }))
    return {
      found: await withSteps({ history: [], pending }),
      notice: `${message} What is applied is not known, so every migration of the folder was rehearsed.`,
    }
  }
}

async function rehearseFiles(desk: Desk, files: readonly string[]): Promise<TrackForecast[]> {
  const { namedGroups } = await import('./lint-sources.ts')
  const forecasts: TrackForecast[] = []
  for (const { track, sources } of await namedGroups(files, desk.config)) {
    const ups = sources.filter(one => one.direction === 'up' || one.role === 'judged')
    const first = ups.findIndex(one => one.role === 'judged')
    const last = ups.findLastIndex(one => one.role === 'judged')
    const scripts = ups.map(({ version, direction, path, text }) => ({
      version: version ?? path,
      direction,
      file: path,
      text,
    }))
    const found = await withSteps({ history: scripts.slice(0, first), pending: scripts.slice(first, last + 1) })
    const rehearsal = await rehearse(desk, found.scripts, track)
    const forecast = await forecastFor(rehearsal, found)
    forecasts.push({ track: track?.name ?? 'files', address: null, rehearsal, forecast, reason: null, notices: [] })
  }
  return forecasts
}

/** Without a target nobody knows a number of rows. */
async function withSteps(scripts: Scripts): Promise<Pending> {
  const { openParser } = await import('../sql/parse.ts')
  const { arrangeScript } = await import('../migrations/rehearse/script.ts')
  const parse = await openParser('postgres')
  const arranged = scripts.pending.map(input => arrangeScript(input, parse))
  const steps = arranged.map(({ input, script }) => ({
    version: input.version,
    mode: script?.mode ?? ('transactional' as const),
    statements: script?.statements ?? [],
  }))
  const pending = arranged.map(({ input, script }) => (script ? { ...input, script } : input))
  return { scripts: { ...scripts, pending }, steps, address: null, rows: {}, server: null }
}
