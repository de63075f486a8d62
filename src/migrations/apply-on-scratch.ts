/** Applying on a scratch database, whose server need not have what all databases of the target's server share. */
import type { Engine, Session } from '../engines/engine.ts'
import { makeRole, type MissingRoles, missingRole } from './rehearse/surroundings.ts'
import type { Report } from './run.ts'
import { applyTrack, type TrackOptions } from './track.ts'

/** A server on which scratch databases may be made. */
export interface ScratchServer {
  readonly engine: Engine
  readonly url: string
  /** Whether roles may be made there as well. */
  readonly missingRoles?: MissingRoles | undefined
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
    if (role === null || made.has(role) || !(await makeRole(session, role))) return { ...report, done }
    made.add(role)
  }
}
