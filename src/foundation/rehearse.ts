/** Where the project rehearses, and the rehearsal of what is pending. */
import { expand, type Track } from '../config/load.ts'
import type { Engine, Session } from '../engines/engine.ts'
import { engineNamed, engineOf } from '../engines/registry.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { RehearsalPlace, Scripts } from '../migrations/rehearse/rehearse.ts'
import type { Rehearsal } from '../schema/rehearsal.ts'
import type { SearchPath } from '../engines/postgres/search-path.ts'
import { type Desk, embeddedUrl, embeddedUrlIfRunning, preludeOf, serverFolder } from './desk.ts'
import { alongPath, pathScripts, searchPathAtHand } from './search-path.ts'

/** A server of its own, never the one of the target: the embedded one, unless the configuration or `--rehearse-on` names another. */
export async function rehearsalPlaceOf(desk: Desk): Promise<RehearsalPlace> {
  const { config, signal } = desk
  if (config.rehearseOn === null) {
    const entered = await entering.get(desk)
    entering.delete(desk)
    const engine = await embeddedEngine(desk)
    if (entered) return { engine, ...entered, signal, missingRoles: 'make' }
    return { engine, url: await embeddedUrl(desk), signal, missingRoles: 'make' }
  }
  const url = expand(config.rehearseOn, config.variables, 'rehearseOn')
  const engine = await engineOf(url)
  if (engine.can.postgresSyntax) return { engine, url, signal, missingRoles: 'leave' }
  throw new PlinthError('REHEARSAL_FAILED', `Nothing can be rehearsed on ${engine.describe(url)}.`, {
    hint: 'Give --rehearse-on the URL of a PostgreSQL server.',
  })
}

async function embeddedEngine({ sessions }: Desk): Promise<Engine> {
  const engine = await engineNamed('postgres')
  return sessions?.on(engine) ?? engine
}

/** A server that would have to be made or started for this alone is not at hand. */
export async function canRehearseAtOnce({ config }: Desk): Promise<boolean> {
  if (config.rehearseOn !== null) return true
  const { embeddedStatus } = await import('../engines/postgres/embedded.ts')
  return (await embeddedStatus({ folder: serverFolder(config) }))?.running === true
}

/** Enters where a server runs, while texts are read; the first that rehearses goes on from there. `leave` closes what nobody took. */
export function knock(desk: Desk): void {
  if (desk.config.rehearseOn === null && !entering.has(desk)) entering.set(desk, enter(desk))
}

export async function leave(desk: Desk): Promise<void> {
  const entered = await entering.get(desk)
  entering.delete(desk)
  await entered?.opened.close()
}

interface Entered {
  readonly url: string
  readonly opened: Session
}

const entering = new WeakMap<Desk, Promise<Entered | null>>()

/** Whatever keeps it out is told to whoever comes to rehearse. */
async function enter(desk: Desk): Promise<Entered | null> {
  try {
    const url = await embeddedUrlIfRunning(desk)
    if (url === null) return null
    const engine = await embeddedEngine(desk)
    const opened = await engine.open(url, { applicationName: 'plinth rehearsal' })
    // Who entered the database knows that it is there.
    desk.known.set('embedded', desk.known.get('embedded') ?? Promise.resolve(url))
    return { url, opened }
  } catch {
    return null
  }
}

export interface Rehearsed {
  readonly rehearsal: Rehearsal | null
  /** Why there is none, one sentence. */
  readonly reason: string | null
}

/**
 * Behind the prelude of the track. The same scripts are rehearsed once a process. Throws REHEARSAL_FAILED and PRELUDE_FAILED, and what keeps the server
 * from starting.
 */
export async function rehearse(desk: Desk, asked: Scripts, track: Track | null): Promise<Rehearsal> {
  const path = await searchPathAtHand(desk, track)
  const scripts = await behindPrelude(asked, track, path)
  const known = rehearsals.get(desk) ?? new Map<string, Promise<Rehearsal>>()
  rehearsals.set(desk, known)
  const key = JSON.stringify([scripts.history, scripts.pending].map(list => list.map(keyOf)))
  const begin = async () => {
    const { rehearseScripts } = await import('../migrations/rehearse/rehearse.ts')
    return rehearseScripts(await alongPath(await rehearsalPlaceOf(desk), path), scripts)
  }
  const begun = known.get(key) ?? begin()
  known.set(key, begun)
  const { steps, ...rest } = await begun
  return { ...rest, steps: steps.map((step, at) => ({ ...step, file: scripts.pending[at]?.file ?? null })) }
}

async function behindPrelude(
  { history, pending }: Scripts,
  track: Track | null,
  path: SearchPath | null,
): Promise<Scripts> {
  const prelude = track ? await preludeOf(track) : []
  const laid = pathScripts(path)
  if (prelude.length === 0) return { history: [...laid, ...history], pending }
  const { preludeScripts } = await import('../migrations/prelude.ts')
  return { history: [...preludeScripts(prelude), ...laid, ...history], pending }
}

const rehearsals = new WeakMap<Desk, Map<string, Promise<Rehearsal>>>()

/** A path may be written in several ways. */
function keyOf({ version, direction, text, transaction }: Scripts['pending'][number]): readonly unknown[] {
  return [version, direction, transaction, text]
}

/** As `rehearse`; where there is none to be had, why. Throws where one is required, and what is nobody's fault but ours. */
export async function rehearseIfPossible(
  desk: Desk,
  wish: 'required' | 'preferred',
  scripts: Scripts,
  track: Track | null,
): Promise<Rehearsed> {
  try {
    return { rehearsal: await rehearse(desk, scripts, track), reason: null }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (wish === 'required' || error.code === 'INTERNAL' || error.code === 'INTERRUPTED') throw error
    const { message, at } = error
    const place = at?.file ? ` (${at.file}${at.line ? `:${at.line}` : ''})` : ''
    return { rehearsal: null, reason: `${message}${place}` }
  }
}

/** Null, with the reason, for a track whose dialect no rehearsal server speaks. */
export async function refusesRehearsal(track: Track): Promise<string | null> {
  const engine = await engineNamed(track.engine)
  if (engine.can.postgresSyntax) return null
  return `Nothing of the track ${track.name} is rehearsed: only PostgreSQL's locks and rewrites are observed.`
}
