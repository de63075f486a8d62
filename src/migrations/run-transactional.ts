/** A step in one transaction: the change and its history row commit together, so a crash leaves nothing in between. */
import { asPlinthError } from '../errors.ts'
import { attemptOf, fileOf, modesOf, opening, type StepContext, timeouts, type Work } from './context.ts'
import { attemptRow, prefixHash } from './history.ts'
import { composeMessage, placeFailure } from './message.ts'
import type { Direction } from '../telemetry/event.ts'
import type { AttemptStatus } from './migration.ts'
import { cancellable, refuseInterrupted, withLockRetries } from './patience.ts'
import type { Knowledge, Preserved } from './preserve/care.ts'
import { careOf, classAfter, insteadOf, learning, type Part, sendCarefully } from './preserve/step.ts'
import { differencesOf } from './rehearse/foresight.ts'
import { runChecks } from './run-checks.ts'
import { prepareRestores, type UnderWay } from './run-restore.ts'
import { StatementTally } from './tally.ts'

export interface Transacted extends Work {
  /** Columns that come back behind the transaction; null when the step is done. */
  readonly underWay: UnderWay | null
}

/** Rolls back and throws the located error when anything fails. */
export async function runTransactional(context: StepContext): Promise<Transacted> {
  await prepareRestores(context)
  return withLockRetries(context, async () => {
    try {
      return await cancellable(context, () => learning(context, knowledge => attempt(context, knowledge)))
    } catch (error) {
      await context.session.query('rollback').catch(() => undefined)
      throw error
    }
  })
}

async function attempt(context: StepContext, knowledge: Knowledge): Promise<Transacted> {
  const { session, script, step, origin, clock, held } = context
  const startedAtMs = clock.now()
  const started = performance.now()
  // Deferred constraints speak here, where the file's own settings still hold and its name is at hand.
  const settle = session.engine.can.postgresSyntax ? ['set constraints all immediate'] : []
  const head = [...opening(context), ...modesOf(script)]
  const asksFirst = context.checks.some(check => check.moment === 'before')
  if (asksFirst) await session.script(head.join(';\n'))
  const before = await runChecks(context, 'before', 'in the open transaction')
  // The limits hold for our own row as well, also where the file or the reset changed them.
  const tail = [...settle, ...context.reset, ...timeouts(context, 'set local')]
  const opened = asksFirst ? [] : head
  const care = careOf(context, script.statements, { knowledge, mode: 'transactional' })
  // Where nobody asks anything behind it, the tail goes with the last row.
  const asksLast = held.lost !== null || context.checks.some(check => check.moment === 'after')
  const endsAtOnce = care !== null && !asksLast && !tail.includes('deallocate all')
  let preserved: Preserved | null = null
  let rows = 0
  const send = async (part: Part) => {
    rows += await sendPart(context, { ...part, startedAtMs })
  }
  if (care) {
    preserved = await sendCarefully(care, script.statements, send, opened)
    if (!endsAtOnce) await session.script(tail.join(';\n'))
  } else await send({ statements: script.statements, before: opened, after: tail })
  // What others may see and use already is not done yet, and its row says so.
  const isOpen = care?.leavesOpen() ?? false
  const checks = [...before, ...(isOpen ? [] : await runChecks(context, 'after', 'in the open transaction'))]
  const total = script.statements.length
  const whole = attemptOf(context, statusOf(step.direction, isOpen), startedAtMs)
  const open = { mode: 'statement-wise', cursor: total, prefixHash: prefixHash(script.statements, total) }
  const row = isOpen ? { ...whole, ...open } : whole
  const outcome = {
    finishedAt: new Date(clock.now()).toISOString(),
    durationMs: performance.now() - started,
    rows,
    tables: step.tables,
    checks,
    lossClass: classAfter(step, preserved),
    preserved,
  }
  const told = attemptRow(origin, row, isOpen ? undefined : outcome)
  const { foreseen, emit } = context
  // What is archived or restored takes locks of its own, which no rehearsal foresees.
  const moves = preserved !== null && (isOpen || preserved.archiveId !== null || preserved.restored.length > 0)
  const differences = foreseen && !moves ? await differencesOf(session, foreseen, care ? 'watched' : 'plain') : []
  refuseInterrupted(context.signal)
  await held.fence(session)
  const last = endsAtOnce ? tail.map(text => ({ text, prepared: true })) : []
  await session.send([...last, told, { text: 'commit', prepared: true }])
  const { track } = origin
  for (const one of differences)
    emit({ type: 'lock.unforeseen', track, version: step.version, direction: step.direction, ...one })
  const underWay = isOpen && preserved ? { attempt: row.id, rows, checks, preserved, startedMs: started } : null
  return { rows, checks, preserved, underWay }
}

function statusOf(direction: Direction, isOpen: boolean): AttemptStatus {
  if (direction === 'up') return isOpen ? 'applying' : 'applied'
  return isOpen ? 'rolling_back' : 'rolled_back'
}

/** Answers the rows that it wrote. Throws the located error. */
export async function sendPart(
  context: StepContext,
  { statements, before = [], after = [], text, startedAtMs }: Part & { readonly startedAtMs: number },
): Promise<number> {
  const { session, script, step } = context
  const message = composeMessage(insteadOf(script, statements, text), statements, { before, after })
  const tally = new StatementTally(context, message, startedAtMs)
  try {
    await session.script(message.text, tally.count)
  } catch (error) {
    throw placeFailure(asPlinthError(error), { message, answered: tally.answered, script, file: fileOf(step) })
  }
  return tally.rows
}
