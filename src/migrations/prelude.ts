/**
 * The prelude of a track: what its databases have before the first migration, because a platform or a database administrator gives it there. It is
 * run on every scratch database, and never on a target.
 */
import { readFile } from 'node:fs/promises'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { openParser } from '../sql/parse.ts'
import { theirsOf } from './ours.ts'
import { replay } from './rehearse/replay.ts'
import type { ScriptToRehearse } from './rehearse/script.ts'
import { type MissingRoles, openSurroundings } from './rehearse/surroundings.ts'

export interface PreludeFile {
  readonly file: string
  readonly text: string
}

/** In the order in which they are named. Throws FILE_UNREADABLE. */
export async function readPrelude(files: readonly string[]): Promise<PreludeFile[]> {
  return Promise.all(files.map(async file => ({ file, text: await readFile(file, 'utf8').catch(unreadable(file)) })))
}

/** Throws PRELUDE_FAILED with file, line and SQLSTATE. A role that the server has already is left as it is. */
export async function runPrelude(
  session: Session,
  prelude: readonly PreludeFile[],
  missingRoles: MissingRoles = 'leave',
): Promise<void> {
  if (prelude.length === 0) return
  const { postgresSyntax, googleSyntax } = session.engine.can
  const parse = await openParser(postgresSyntax ? 'postgres' : googleSyntax ? 'googlesql' : 'other')
  const around = openSurroundings(missingRoles)
  await replay(session, preludeScripts(prelude), { parse, around, signal: undefined })
}

/** As `runPrelude`; answers what it made, or null where there is no prelude. */
export async function layPrelude(session: Session, prelude: readonly PreludeFile[], missingRoles?: MissingRoles) {
  if (prelude.length === 0) return null
  const bare = await session.introspect()
  await runPrelude(session, prelude, missingRoles)
  return theirsOf(bare, await session.introspect())
}

/** As a history begins with it. */
export function preludeScripts(prelude: readonly PreludeFile[]): ScriptToRehearse[] {
  return prelude.map(({ file, text }) => ({ version: file, direction: 'up', file, text, prelude: true }))
}

function unreadable(file: string) {
  return (cause: unknown): never => {
    throw new PlinthError('FILE_UNREADABLE', `The prelude cannot be read: ${file}.`, {
      at: { file },
      hint: 'Correct "prelude" of the track in the configuration, or write the file.',
      cause,
    })
  }
}
