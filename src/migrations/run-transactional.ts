/** A step in one transaction: the change and its history row commit together, so a crash leaves nothing in between. */
import { asPlinthError } from '../errors.ts'
import { runChecks } from './checks.ts'
import { fileOf, opening, type StepContext, timeouts, type Work } from './context.ts'
import { insertAttempt } from './history.ts'
import { composeMessage, placeFailure } from './message.ts'
import { cancellable, refuseInterrupted, withLockRetries } from './patience.ts'
import { StatementTally } from './tally.ts'

/** Rolls back and throws the located error when anything fails. */
export async function runTransactional(context: StepContext): Promise<Work> {
  return withLockRetries(context, async () => {
    try {
      return await cancellable(context, () => attempt(context))
    } catch (error) {
      await context.session.query('rollback').catch(() => undefined)
      throw error
    }
  })
}

async function attempt(context: StepContext): Promise<Work> {
  const { session, script, step, origin, clock, held } = context
  const startedAtMs = clock.now()
  const started = performance.now()
  // Deferred constraints speak here, where the file's own settings still hold and its name is at hand.
  const settle = session.engine.can.postgresSyntax ? ['set constraints all immediate'] : []
  const head = opening(context)
  const asksFirst = context.checks.some(check => check.moment === 'before')
  if (asksFirst) await session.script(head.join(';\n'))
  const before = await runChecks(context, 'before', 'in the open transaction')
  const message = composeMessage(script, script.statements, {
    before: asksFirst ? [] : head,
    // The limits hold for our own row as well, also where the file or the reset changed them.
    after: [...settle, ...context.reset, ...timeouts(context, 'set local')],
  })
  const tally = new StatementTally(context, message, startedAtMs)
  try {
    await session.script(message.text, tally.count)
  } catch (error) {
    throw placeFailure(asPlinthError(error), { message, answered: tally.answered, script, file: fileOf(step) })
  }
  const checks = [...before, ...(await runChecks(context, 'after', 'in the open transaction'))]
  const row = {
    id: context.newId(),
    version: step.version,
    slug: step.slug,
    direction: step.direction,
    status: step.direction === 'up' ? ('applied' as const) : ('rolled_back' as const),
    mode: step.mode,
    upChecksum: step.upChecksum,
    downChecksum: step.downChecksum,
    upSql: context.upSql,
    downSql: context.downSql,
    statementsTotal: script.statements.length,
    cursor: 0,
    prefixHash: null,
    startedAt: new Date(startedAtMs).toISOString(),
  }
  await insertAttempt(session, origin, row, {
    finishedAt: new Date(clock.now()).toISOString(),
    durationMs: performance.now() - started,
    rows: tally.rows,
    tables: step.tables,
    checks,
  })
  refuseInterrupted(context.signal)
  await held.fence(session)
  await session.query('commit')
  return { rows: tally.rows, checks }
}
