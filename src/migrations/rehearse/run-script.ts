/** Runs one file of a migration on a scratch database, statement by statement and in the transactions that a real run would have. */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError, type PlinthError } from '../../errors.ts'
import type { RehearsalFailure, RehearsedStatement } from '../../schema/rehearsal.ts'
import type { Script, Statement } from '../../sql/parse.ts'
import { composeMessage, placeFailure } from '../message.ts'
import { refuseInterrupted } from '../patience.ts'
import { type Segment, segmentsOf } from '../segments.ts'
import { seeLocks } from './bare.ts'
import type { Recorder, Seen } from './recorder.ts'
import { failureOf } from './script.ts'
import { answerFailure, type Surroundings, wordingOf } from './surroundings.ts'

export interface Stage {
  readonly session: Session
  /** Null where nobody looks. */
  readonly recorder: Recorder | null
  readonly around: Surroundings
  /** Ends the work before its next statement. */
  readonly signal?: AbortSignal | undefined
  /** What becomes of a file that is one transaction. */
  readonly ending: 'commit' | 'rollback'
  /** Called with everything done, before the end. */
  readonly atEnd?: (() => Promise<void>) | undefined
}

export interface Ran {
  readonly statements: readonly RehearsedStatement[]
  readonly failure: RehearsalFailure | null
  readonly error: PlinthError | null
  /** It could not go on for want of something that the server lacks; the gaps tell what. */
  readonly stopped: boolean
}

export async function runScript(stage: Stage, script: Script, file: string): Promise<Ran> {
  const statements: RehearsedStatement[] = []
  for (const segment of script.mode === 'transactional' ? wholeOf(script) : segmentsOf(script)) {
    const ran = await tryOften(stage, { script, file, segment })
    statements.push(...ran.statements)
    if (ran.failure || ran.stopped) return { ...ran, statements }
  }
  if (script.mode !== 'transactional') await stage.atEnd?.()
  return { statements, failure: null, error: null, stopped: false }
}

/** A file that is one transaction. */
function wholeOf({ statements }: Script): Segment[] {
  return [{ kind: 'block', statements, begin: null, end: null, next: statements.length }]
}

interface Part {
  readonly script: Script
  readonly file: string
  readonly segment: Segment
}

async function tryOften(stage: Stage, part: Part): Promise<Ran> {
  const { session, around, recorder } = stage
  for (let tries = 1; ; tries++) {
    const ran = await runSegment(stage, part)
    const { error, failure } = ran
    if (!error) return ran
    const statement = part.script.statements.find(({ index }) => index === failure?.statement)
    const answer = tries < triesMax ? await answerFailure(session, { error, statement }, around) : 'fail'
    if (answer === 'fail') return ran
    if (answer === 'stop') return { ...ran, failure: null, error: null, stopped: true }
    recorder?.forget()
  }
}

/** One role a try. */
const triesMax = 30

async function runSegment(stage: Stage, part: Part): Promise<Ran> {
  const { segment } = part
  if (segment.kind === 'bare') return runAlone(stage, part)
  if (segment.kind === 'nothing')
    return { statements: segment.statements.map(unseen), failure: null, error: null, stopped: false }
  return inTransaction(stage, part)
}

async function inTransaction(stage: Stage, part: Part): Promise<Ran> {
  const { session, recorder } = stage
  const { segment, script } = part
  const done: RehearsedStatement[] = segment.begin ? [unseen(segment.begin)] : []
  let current = segment.statements[0]
  await session.query(segment.begin?.text ?? 'begin')
  try {
    await recorder?.begin('in transaction')
    for (const statement of segment.statements) {
      current = statement
      done.push(await runOne(stage, part, statement))
    }
    if (!segment.end) await session.script('set constraints all immediate')
    if (script.mode === 'transactional') await stage.atEnd?.()
    await session.query(segment.end?.text ?? (script.mode === 'transactional' ? stage.ending : 'commit'))
    if (segment.end) done.push(unseen(segment.end))
    return { statements: done, failure: null, error: null, stopped: false }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    await session.query('rollback').catch(() => undefined)
    if (error.code === 'CONNECTION_LOST' || error.code === 'INTERNAL' || error.code === 'INTERRUPTED') throw error
    return { statements: done, failure: failureOf(error, current?.index ?? 0), error, stopped: false }
  }
}

async function runOne(stage: Stage, part: Part, statement: Statement): Promise<RehearsedStatement> {
  const { session, recorder, around, signal } = stage
  const { index } = statement
  refuseInterrupted(signal)
  const wording = await wordingOf(session, statement, around)
  if (wording === null) return unseen(statement)
  const started = performance.now()
  await send(stage, part, { ...statement, text: wording })
  const durationMs = performance.now() - started
  if (statement.kind === 'DeallocateStmt' || statement.kind === 'DiscardStmt') await recorder?.renew()
  return { index, durationMs, bare: false, ...((await recorder?.look()) ?? nothingSeen) }
}

async function runAlone(stage: Stage, part: Part): Promise<Ran> {
  const { session, recorder, around, signal } = stage
  const [statement] = part.segment.statements
  if (!statement) return { statements: [], failure: null, error: null, stopped: false }
  refuseInterrupted(signal)
  if ((await wordingOf(session, statement, around)) === null)
    return { statements: [unseen(statement)], failure: null, error: null, stopped: false }
  await recorder?.begin('at rest')
  try {
    const started = performance.now()
    const work = () => send(stage, part, statement)
    const locks = recorder ? await seeLocks(session, statement, work) : await work().then(() => [])
    const durationMs = performance.now() - started
    const seen = (await recorder?.look()) ?? nothingSeen
    const told = { ...seen, locks: recorder?.known(locks) ?? [] }
    const statements = [{ index: statement.index, durationMs, bare: true, ...told }]
    return { statements, failure: null, error: null, stopped: false }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    if (error.code === 'CONNECTION_LOST' || error.code === 'INTERNAL' || error.code === 'INTERRUPTED') throw error
    return { statements: [], failure: failureOf(error, statement.index), error, stopped: false }
  }
}

/** The text of the statement may be another one than that of the script, in as many lines. */
async function send({ session }: Stage, { script, file }: Part, statement: Statement): Promise<void> {
  const message = composeMessage(script, [statement], { before: [], after: [] })
  const isOwn = script.body.startsWith(statement.text, statement.start)
  try {
    await session.script(isOwn ? message.text : `${statement.text}\n`)
  } catch (thrown) {
    throw placeFailure(asPlinthError(thrown), { message, answered: 0, script, file })
  }
}

const nothingSeen: Seen = { locks: [], rewrites: [], scans: [], truncates: [], rows: [], changes: [] }

/** What opens or closes a transaction, and what was left out. */
function unseen({ index, bare }: Statement): RehearsedStatement {
  return { index, durationMs: 0, bare, ...nothingSeen }
}
