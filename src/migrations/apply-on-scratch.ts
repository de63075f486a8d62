/** Applying on a scratch database, whose server need not have what all databases of the target's server share. */
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { quotedName } from '../sql/tree.ts'
import type { PreludeFile } from './prelude.ts'
import { lackHint } from './rehearse/script.ts'
import { makeRole, type MissingRoles, missingRole } from './rehearse/surroundings.ts'
import type { Report } from './run.ts'
import { applyTrack, type TrackOptions } from './track.ts'

/** A server on which scratch databases may be made. */
export interface ScratchServer {
  readonly engine: Engine
  readonly url: string
  /** Whether roles may be made there as well. */
  readonly missingRoles?: MissingRoles | undefined
  /** Schemas of the search path that are there before the first migration. */
  readonly pathSchemas?: readonly string[] | undefined
  /** What a scratch database has before the first migration. */
  readonly prelude?: readonly PreludeFile[] | undefined
}

/** Makes those that are missing. */
export async function makeSchemas(session: Session, names: readonly string[]): Promise<void> {
  for (const name of names) await session.query(`create schema if not exists ${quotedName([name])}`)
}

/** As `applyTrack`; with `make`, a role that a file names and no file makes is made without rights, and the rest runs. */
export async function applyOnScratch(
  session: Session,
  options: TrackOptions,
  missingRoles: MissingRoles = 'leave',
): Promise<Report> {
  const made = new Set<string>()
  const done: Report['done'][number][] = []
  for (;;) {
    const report = await applyTrack(session, made.size === 0 ? options : { ...options, retryFailed: true })
    done.push(...report.done)
    const role = missingRoles === 'make' && report.error ? missingRole(report.error) : null
    if (role === null || made.has(role) || !(await makeRole(session, role)))
      return { ...report, done, error: report.error && pointed(report.error) }
    made.add(role)
  }
}

/** What is missing may be what a platform gives. */
function pointed(error: PlinthError): PlinthError {
  const { code, message, at, sqlState, details } = error
  const hint = lackHint(error)
  if (hint === null || hint === error.hint) return error
  return new PlinthError(code, message, { at, sqlState, details, hint, cause: error })
}
