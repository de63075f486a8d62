/** Runs on a scratch database what its like has behind it: a prelude and a history, as fast as it goes. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Parse, Script } from '../../sql/parse.ts'
import { mayBeShared } from '../server-wide/index.ts'
import { resetStatements } from '../session-state.ts'
import { type Ran, runScript } from './run-script.ts'
import { arrangeScript, type ScriptToRehearse } from './script.ts'
import type { Surroundings } from './surroundings.ts'

export interface Means {
  readonly parse: Parse
  readonly around: Surroundings
  readonly signal: AbortSignal | undefined
}

/** Throws INTERRUPTED, REHEARSAL_FAILED, and PRELUDE_FAILED where it does not come so far. */
export async function replay(
  session: Session,
  history: readonly ScriptToRehearse[],
  { parse, around, signal }: Means,
): Promise<void> {
  const reset = await resetStatements(session)
  for (const input of history) {
    const { script, failure } = arrangeScript(input, parse)
    const file = input.file ?? input.version
    const ran = script
      ? ((await inOneMessage(session, isPlain(script, around) ? script.body : null, reset)) ??
        (await runScript({ session, recorder: null, around, signal, ending: 'commit' }, script, file)))
      : { failure }
    if (ran.failure && !input.optional) throw unreplayable(ran.failure, input, around)
    if (ran.failure) around.gaps.add(`${file} could not be run on the rehearsal server: ${ran.failure.message}`)
    if (ran !== done) await session.script(reset.join(';\n'))
  }
}

/** One transaction that says nothing of the roles of a server that is somebody else's. */
function isPlain({ mode, body }: Script, { missingRoles }: Surroundings): boolean {
  return mode === 'transactional' && (missingRoles === 'make' || !mayBeShared.test(body))
}

const done = { failure: null }

/** As fast as it goes; null when it did not go, so that it is tried again with more care. */
async function inOneMessage(
  session: Session,
  body: string | null,
  reset: readonly string[],
): Promise<typeof done | null> {
  if (body === null) return null
  try {
    await session.script(`begin;\n${body}\n;commit;\n${reset.join(';\n')}`)
    return done
  } catch {
    await session.query('rollback').catch(() => undefined)
    return null
  }
}

function unreplayable(
  failure: NonNullable<Ran['failure']>,
  { file, version, prelude }: ScriptToRehearse,
  { gaps }: Surroundings,
): PlinthError {
  const told = `${failure.message}${gaps.size > 0 ? ` ${[...gaps].join(' ')}` : ''}`
  const { line, column, sqlState } = failure
  const place = { at: { file: file ?? version, line, column }, sqlState: sqlState ?? undefined }
  return prelude
    ? new PlinthError('PRELUDE_FAILED', `The prelude cannot be run on the scratch database: ${told}`, {
        ...place,
        hint: failure.hint ?? 'Correct the file, or take it out of "prelude" of the track in the configuration.',
      })
    : new PlinthError('REHEARSAL_FAILED', `The history cannot be replayed on the rehearsal server: ${told}`, {
        ...place,
        hint:
          failure.hint ?? 'Name a server that is like the target with --rehearse-on, or go without: --no-rehearsal.',
      })
}
