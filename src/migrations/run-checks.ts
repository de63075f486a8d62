/** Asks the checks of a step. */
import type { Session } from '../engines/engine.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { Check, CheckReport } from './checks.ts'
import { type StepContext, timeouts } from './context.ts'
import { label } from './migration.ts'

export type CheckContext = Pick<StepContext, 'checks' | 'session' | 'emit' | 'step' | 'waiting' | 'held'>

/**
 * Runs the step's checks of one moment: in the open transaction, or each in one of its own. Throws CHECK_FAILED, and leaves the transaction to
 * its owner.
 */
export async function runChecks(
  context: CheckContext,
  moment: Check['moment'],
  place: 'in the open transaction' | 'in its own transaction',
): Promise<CheckReport[]> {
  const reports: CheckReport[] = []
  for (const check of context.checks) {
    if (check.moment !== moment) continue
    const started = performance.now()
    const found = await (place === 'in the open transaction' ? countInside(context, check) : countAlone(context, check))
    const durationMs = performance.now() - started
    const { name, line } = check
    context.emit({
      type: 'check.finished',
      check: name,
      status: found === 0 ? 'passed' : 'failed',
      failures: found,
      durationMs,
    })
    if (found > 0) throw failed(context, check, found)
    reports.push({ name, moment, line, durationMs })
  }
  return reports
}

/** A subtransaction that only reads, and takes its own settings with it when it goes. */
async function countInside(context: CheckContext, check: Check): Promise<number> {
  const { session } = context
  if (!session.engine.can.postgresSyntax) return count(session, check)
  await session.script(
    ['savepoint plinth_check', 'set transaction read only', ...timeouts(context, 'set local')].join(';\n'),
  )
  const found = await count(session, check)
  await session.script('rollback to savepoint plinth_check;\nrelease savepoint plinth_check')
  return found
}

async function countAlone(context: CheckContext, check: Check): Promise<number> {
  const { session } = context
  const begin = session.engine.can.postgresSyntax ? 'begin read only' : 'begin'
  try {
    await session.script([begin, ...timeouts(context, 'set local')].join(';\n'))
    return await count(session, check)
  } finally {
    await session.query('rollback').catch(() => undefined)
  }
}

async function count(session: Session, check: Check): Promise<number> {
  try {
    const { rows } = await session.query<{ found: string | number }>(
      `select count(*) as found from (\n${check.query}\n) as plinth_check`,
    )
    return Number(rows[0]?.found ?? 0)
  } catch (thrown) {
    const { code, message, hint, sqlState, details } = asPlinthError(thrown)
    const at = { file: check.file, line: check.line, object: `check ${check.name}` }
    throw new PlinthError(code, message, { at, hint, sqlState, details, cause: thrown })
  }
}

function failed({ step }: CheckContext, { name, moment, file, line, advice }: Check, rows: number): PlinthError {
  const what = `${step.direction === 'up' ? '' : 'the rollback of '}${label(step)}`
  return new PlinthError(
    'CHECK_FAILED',
    `The check "${name}" ${moment} ${what} found ${rows} ${rows === 1 ? 'row' : 'rows'}.`,
    {
      at: { file, line },
      hint: advice ?? 'Run its query to see them; once it finds none, run the command again.',
      details: { check: name, moment, rows, version: step.version, direction: step.direction },
    },
  )
}
