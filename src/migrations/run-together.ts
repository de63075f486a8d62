/**
 * The first migrations of a database that nobody uses yet share transactions, and with them the commits and the ways to the server. Whatever
 * stands in the way of one is taken back to its begin, and it runs by itself, so that it says what it was.
 */
import type { Parameterized, Session } from '../engines/engine.ts'
import { attemptOf, modesOf, opening, type StepContext, timeouts } from './context.ts'
import { attemptRow } from './history.ts'
import { cancellable } from './patience.ts'
import { calmOf } from './preserve/calm.ts'
import { keptNothing, mayDestroy, type Preserved } from './preserve/care.ts'
import type { Step } from './plan.ts'
import { classAfter } from './preserve/step.ts'
import { type StepReport, tellFinished, tellStarted } from './run-step.ts'
import { sendPart } from './run-transactional.ts'

/** Whether there is no relation that anybody could be waiting for; an extension's are no reason, since it brings them along. */
export async function isUntouched(session: Session): Promise<boolean> {
  const { can } = session.engine
  if (!can.postgresSyntax || !can.transactionalDdl || session.pooled) return false
  const { rows } = await session.query<{ untouched: boolean }>(`
    select not exists (
      select
      from pg_catalog.pg_class c
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'plinth', 'plinth_archive')
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
        and not exists (
          select
          from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.deptype = 'e'
        )
    ) as untouched`)
  return rows[0]?.untouched === true
}

/** The first of these steps, as many as may share a transaction. */
export function sharing(steps: readonly Step[], contextOf: (step: Step) => StepContext): readonly StepContext[] {
  const together: StepContext[] = []
  for (const step of steps.slice(0, stepsMax)) {
    const context = contextOf(step)
    if (!mayShare(context)) break
    together.push(context)
  }
  return together
}

// A server has room for so many locks, and what is done is not left open for long.
const stepsMax = 32
const msMax = 250

/** It has no wish of its own and takes nothing away; whether it leaves rows alone may be for the catalog to say. */
function mayShare({ step, script, checks, foreseen }: StepContext): boolean {
  const { mode, cursor, resumes, directives } = step
  const { lockTimeoutMs, statementTimeoutMs, retries } = directives
  return (
    mode === 'transactional' &&
    cursor === 0 &&
    resumes === null &&
    foreseen === null &&
    checks.length === 0 &&
    [lockTimeoutMs, statementTimeoutMs, retries].every(wish => wish === null) &&
    !/\bprepare\b/i.test(script.text) &&
    (!mayDestroy(script.statements) || calmOf(script.statements) !== null)
  )
}

export interface Shared {
  readonly done: readonly StepReport[]
  /** So many of the steps behind those have to run one at a time. */
  readonly apart: number
}

/** As many of them as fit into a moment, in one transaction: those up to the first that fails, of which nothing is left. */
export async function runTogether(steps: readonly StepContext[]): Promise<Shared> {
  const [first] = steps
  if (!first) return { done: [], apart: 0 }
  try {
    return await attempt(first, steps)
  } catch {
    await first.session.query('rollback').catch(() => undefined)
    return { done: [], apart: steps.length }
  }
}

async function attempt(first: StepContext, steps: readonly StepContext[]): Promise<Shared> {
  const { session, held } = first
  const begun = performance.now()
  const done: Done[] = []
  await session.script([...opening(first), ...modesOf(first.script)].join(';\n'))
  let apart = 0
  for (const context of steps) {
    const marks = [...(done.length === 0 ? [] : [`release ${mark}`]), mark]
    const one = await cancellable(context, () => runOpen(context, marks)).catch(async () => {
      await session.query(`rollback to ${mark}`)
      return null
    })
    if (one) done.push(one)
    else apart = 1
    if (!one || performance.now() - begun > msMax) break
  }
  await held.fence(session)
  await session.send([...done.map(rowOf), { text: 'commit', prepared: true }])
  return { done: done.map(one => tellFinished(one.context, { ...one, checks: [], waits: null })), apart }
}

const mark = 'savepoint plinth_step'

interface Done {
  readonly context: StepContext
  readonly rows: number
  readonly preserved: Preserved | null
  readonly startedAtMs: number
  readonly durationMs: number
}

/** In the open transaction, behind a savepoint. Null where it was not begun, since it would change rows that are there. */
async function runOpen(context: StepContext, marks: readonly string[]): Promise<Done | null> {
  const { session, clock, script } = context
  const { statements } = script
  const calm = mayDestroy(statements) ? calmOf(statements) : null
  const asksFirst = calm?.moment === 'before'
  if (asksFirst) {
    const answers = await session.send([...marks.map(text => ({ text, prepared: true })), ...calm.asked])
    if (!calm.isCalm(answers.at(-1))) return null
  }
  const startedAtMs = clock.now()
  const started = performance.now()
  tellStarted(context)
  // What a transaction of its own would end with, and the limits again, which the reset takes away.
  const after = ['set constraints all immediate', ...context.reset, ...timeouts(context, 'set local')]
  const rows = await sendPart(context, { statements, before: asksFirst ? [] : marks, after, startedAtMs })
  if (calm?.moment === 'after' && !calm.isCalm((await session.send(calm.asked)).at(-1)))
    throw new Error('Code of a user ran, and its step wants care.')
  const preserved = calm === null ? null : keptNothing
  return { context, rows, preserved, startedAtMs, durationMs: performance.now() - started }
}

function rowOf({ context, preserved, rows, startedAtMs, durationMs }: Done): Parameterized {
  const { step, origin } = context
  const finishedAt = new Date(startedAtMs + durationMs).toISOString()
  const lossClass = classAfter(step, preserved)
  const outcome = { finishedAt, durationMs, rows, tables: step.tables, checks: [], lossClass, preserved }
  return attemptRow(origin, attemptOf(context, 'applied', startedAtMs), outcome)
}
