/**
 * The rehearsal: replays a history on a scratch database, then runs the pending steps one statement at a time and says what really happened.
 * The target is neither read nor changed.
 */
import type { Session, Since } from '../../engines/engine.ts'
import type { Schema } from '../../schema/model.ts'
import type { Rehearsal, RehearsedStep } from '../../schema/rehearsal.ts'
import { openParser, type Script } from '../../sql/parse.ts'
import { cancellable } from '../patience.ts'
import { resetStatements } from '../session-state.ts'
import { onHistory, type Server, type Told } from './kept.ts'
import { questions, recall, writeMemory } from './memory.ts'
import { openRecorder, type Recorder } from './recorder.ts'
import { replay } from './replay.ts'
import { type Ran, runScript, type Stage } from './run-script.ts'
import { type Arranged, arrangeScript, prefixKeys, type ScriptToRehearse } from './script.ts'
import { type MissingRoles, openSurroundings, type Surroundings } from './surroundings.ts'

export type { ScriptToRehearse } from './script.ts'

export interface RehearsalPlace extends Server {
  /** Default `leave`. */
  readonly missingRoles?: MissingRoles | undefined
}

export interface Scripts {
  /** In the order in which they were applied, behind the prelude. */
  readonly history: readonly ScriptToRehearse[]
  readonly pending: readonly ScriptToRehearse[]
}

/**
 * Throws INTERRUPTED, REHEARSAL_FAILED or PRELUDE_FAILED when the history cannot be replayed, and what connecting throws. A pending step that fails is a value: its file ends
 * there, and the later ones are still tried.
 */
export async function rehearseScripts(place: RehearsalPlace, { history, pending }: Scripts): Promise<Rehearsal> {
  const { signal } = place
  const parse = await openParser('postgres')
  const around = openSurroundings(place.missingRoles ?? 'leave')
  const steps = pending.map(input => arrangeScript(input, parse))
  const past = {
    keys: prefixKeys(history, questions()),
    replay: async (session: Session, done: number, told: Told) => {
      hear(told, around)
      await session.script(calm)
      await cancellable({ session, signal }, () => replay(session, history.slice(done), { parse, around, signal }))
      return { gaps: [...around.gaps], missing: [...around.missing] }
    },
    remember: writeMemory,
  }
  return onHistory(place, past, canBeTakenBack(steps) ? 'lent' : 'given', async (session, told) => {
    hear(told, around)
    await session.script(calm)
    const { schema: before, rows } = await recall(session)
    const recorder = await openRecorder(session, rows)
    const stage = { session, recorder, around, signal, ending: canBeTakenBack(steps) ? 'rollback' : 'commit' } as const
    const done = await cancellable({ session, signal }, () => rehearseSteps(stage, steps, before))
    if (steps.some(({ script }) => script?.statements.some(({ kind }) => rowByRow.has(kind))))
      around.gaps.add(emptyTables)
    const gaps = [...around.gaps]
    const { serverVersion } = session
    return { format: 1, serverVersion, gaps, before, after: done.at(-1)?.after ?? before, steps: done }
  })
}

const rowByRow: ReadonlySet<string> = new Set(['DoStmt', 'CallStmt'])
const emptyTables =
  'Tables hold no more rows than the migrations write, so what a block or a procedure does only for rows of the target was not seen.'

function hear({ gaps, missing }: Told, around: Surroundings): void {
  for (const gap of gaps) around.gaps.add(gap)
  for (const extension of missing) around.missing.add(extension)
}

/** One transaction can be rolled back, so no copy of the database is needed. */
function canBeTakenBack(steps: readonly Arranged[]): boolean {
  return steps.length <= 1 && steps.every(({ script }) => script === null || script.mode === 'transactional')
}

/** Tables are nearly empty here, and on the target they are not: an index that serves is used, as it would be there. */
const calm = 'set enable_seqscan = off;\nset jit = off;\nset synchronous_commit = off;\nset client_min_messages = error'

/** Catalogs are not empty, so whoever reads all of one is better off without its indexes. */
async function readSchema(session: Session, sinceWhen?: () => Promise<Since | null>): Promise<Schema> {
  await session.script('set enable_seqscan = on')
  const since = await sinceWhen?.()
  const schema = await session.introspect({ prepared: true, ...(since ? { since } : {}) })
  await session.script('set enable_seqscan = off')
  return schema
}

async function rehearseSteps(
  stage: Stage & { readonly recorder: Recorder },
  steps: readonly Arranged[],
  before: Schema,
) {
  const { session, recorder, around } = stage
  const reset = (await resetStatements(session)).filter(one => !one.startsWith('deallocate'))
  const done: RehearsedStep[] = []
  let after = before
  /** A step that failed is told with its good part, of which nothing stays. */
  let there = before
  for (const { input, script, failure } of steps) {
    const { version, direction, file } = input
    let ran: Pick<Ran, 'statements' | 'failure'> = { statements: [], failure }
    if (script) {
      await recorder.beginStep()
      const whole = await runScript(
        {
          ...stage,
          atEnd: async () => {
            const isTold = script.mode === 'transactional' && !mayExtend(script)
            after = await readSchema(session, isTold ? () => recorder.since(there) : undefined)
          },
        },
        script,
        file ?? version,
      )
      await session.script(reset.join(';\n'))
      const isWhole = !whole.failure && !whole.stopped
      if (!isWhole) {
        recorder.forget()
        after = await catalogBehind(stage, { script, ran: whole, after })
      }
      if (isWhole || script.mode !== 'transactional') there = after
      ran = whole.failure && done.some(step => step.failure) ? blamedEarlier(whole, version, around) : whole
    }
    done.push({ version, direction, file, after, statements: ran.statements, failure: ran.failure })
  }
  return done
}

/** What joins or leaves an extension comes into sight or goes out of it, and nothing of it is written. */
function mayExtend({ text }: Script): boolean {
  return /\balter\s+extension\b/i.test(text)
}

/** What came after a failure may fail for want of it, and nobody can tell before that is mended. */
function blamedEarlier(
  { statements }: Ran,
  version: string,
  around: Surroundings,
): Pick<Ran, 'statements' | 'failure'> {
  around.gaps.add(`${version} could not be rehearsed to its end, which may be because an earlier migration failed.`)
  return { statements, failure: null }
}

/** A transaction that failed left nothing, so its good part is done once more. */
async function catalogBehind(
  { session, around }: Stage,
  { script, ran, after }: { script: Script; ran: Ran; after: Schema },
): Promise<Schema> {
  if (script.mode !== 'transactional') return readSchema(session)
  const good = script.statements.slice(0, ran.statements.length)
  if (good.length === 0) return after
  let catalog = after
  const again = { ...script, statements: good }
  const atEnd = async () => {
    catalog = await readSchema(session)
  }
  await runScript({ session, recorder: null, around, ending: 'rollback', atEnd }, again, '')
  return catalog
}
