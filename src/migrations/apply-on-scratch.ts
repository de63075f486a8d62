/** Applying on a scratch database, whose server need not have what all databases of the target's server share. */
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { openParser } from '../sql/parse.ts'
import { quotedName } from '../sql/tree.ts'
import type { PreludeFile } from './prelude.ts'
import { lackHint } from './rehearse/script.ts'
import { missingRole } from './rehearse/missing-role.ts'
import { makeRole, type MissingRoles } from './rehearse/surroundings.ts'
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
    const role =
      missingRoles === 'make' && report.error
        ? await missingRole(session, report.error, await treesOf(report.error, options.folder))
        : null
    if (role === null || made.has(role) || !(await makeRole(session, role)))
      return { ...report, done, error: report.error && pointed(report.error) }
    made.add(role)
  }
}

/** The statements of the file that failed; none where it is not at hand or cannot be read. */
async function treesOf({ sqlState, at }: PlinthError, folder: TrackOptions['folder']): Promise<readonly unknown[]> {
  if (sqlState !== '42704' || typeof folder === 'string') return []
  const all = [...folder.migrations, ...(folder.repeatables ?? [])]
  const file = all.flatMap(({ up, down }) => [up, down]).find(one => one !== null && one.file === at?.file)
  const parse = file ? await openParser('postgres') : null
  try {
    return parse && file ? parse(file.text, file.file).statements.map(({ tree }) => tree) : []
  } catch (thrown) {
    if (thrown instanceof PlinthError) return []
    throw thrown
  }
}

/** What is missing may be what a platform gives. */
function pointed(error: PlinthError): PlinthError {
  const { code, message, at, sqlState, details } = error
  const hint = lackHint(error)
  if (hint === null || hint === error.hint) return error
  return new PlinthError(code, message, { at, sqlState, details, hint, cause: error })
}
