/** What every step of a run is given. */
import type { Held } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import type { Script } from '../sql/parse.ts'
import { openNode, textOf } from '../sql/tree.ts'
import type { Clock, Emit } from '../telemetry/event.ts'
import type { CheckReport } from './checks.ts'
import type { NewAttempt, RunOrigin } from './history.ts'
import { type AttemptStatus, label } from './migration.ts'
import type { Step, StepScript } from './plan.ts'
import type { Preserved } from './preserve/care.ts'
import type { PreserveOptions } from './preserve/options.ts'
import type { ForeseenLocks } from './rehearse/foresight.ts'
import { keepState } from './session-state.ts'

export interface Waiting {
  /** A statement that does not get its lock in this time gives up, in milliseconds; 0 waits for ever. */
  readonly lockTimeoutMs: number
  /** A statement that takes longer is cancelled, in milliseconds; 0 lets it run. */
  readonly statementTimeoutMs: number
  /** How often a step is tried again after it gave up a lock. */
  readonly lockRetries: number
}

export interface StepContext extends StepScript {
  readonly session: Session
  readonly step: Step
  readonly origin: RunOrigin
  readonly waiting: Waiting
  readonly emit: Emit
  readonly clock: Clock
  readonly newId: () => string
  readonly signal: AbortSignal | undefined
  /** Statements that bring the session back to what it was before the file. */
  readonly reset: readonly string[]
  /** The track's lock. Every transaction of a step awaits its `fence` right before the commit. */
  readonly held: Held
  /** What a rehearsal foresaw of the step; null where there was none. */
  readonly foreseen: ForeseenLocks | null
  /** Null where nothing is preserved: an engine without PostgreSQL's catalog, or a track that is rebuilt from its source. */
  readonly preserve: PreserveOptions | null
}

/** What a step did, as long as it succeeded. */
export interface Work {
  readonly rows: number
  readonly checks: readonly CheckReport[]
  /** What was kept and what came back; null when there was nothing of either. */
  readonly preserved: Preserved | null
  /** How long its statements held their locks, where that was not as long as the step took. */
  readonly lockedMs?: number
}

/** The row of an attempt at a step that runs, or ran, as a whole. */
export function attemptOf(context: StepContext, status: AttemptStatus, startedAtMs: number): NewAttempt {
  const { step, script, upSql, downSql } = context
  const { version, slug, direction, mode, upChecksum, downChecksum } = step
  return {
    id: context.newId(),
    version,
    slug,
    direction,
    status,
    mode,
    upChecksum,
    downChecksum,
    upSql,
    downSql,
    statementsTotal: script.statements.length,
    cursor: 0,
    prefixHash: null,
    startedAt: new Date(startedAtMs).toISOString(),
  }
}

/** File or label, for places. */
export function fileOf(step: Step): string {
  return step.file ?? `${label(step)}.${step.direction}.sql (kept in the history)`
}

/** What opens a transaction of a step: its limits, and behind a pooler what has to be restored at its end. */
export function opening(context: StepContext, begin = 'begin'): string[] {
  return [begin, ...(context.session.pooled ? [keepState] : []), ...timeouts(context, 'set local')]
}

/** What the head of a file says of its transaction, such as its isolation level: it holds only where nothing was asked before. To say it again is no harm. */
export function modesOf({ statements }: Script): string[] {
  const end = statements.findIndex(({ kind }) => kind !== 'VariableSetStmt')
  const head = end < 0 ? statements : statements.slice(0, end)
  return head.filter(({ tree }) => textOf(openNode(tree)[1], 'name') === 'TRANSACTION').map(({ text }) => text)
}

/** A transaction whose runner sleeps past its lease is ended by the server, so that its locks do not outlive the lease. */
export function timeouts(
  { session, waiting, held }: Pick<StepContext, 'session' | 'waiting' | 'held'>,
  scope: 'set' | 'set local',
): string[] {
  if (!session.engine.can.timeouts) return []
  const asleep = scope === 'set local' && held.leaseMs !== null
  return [
    ...(asleep ? [`set local idle_in_transaction_session_timeout = ${Math.trunc(held.leaseMs)}`] : []),
    `${scope} lock_timeout = ${Math.trunc(waiting.lockTimeoutMs)}`,
    `${scope} statement_timeout = ${Math.trunc(waiting.statementTimeoutMs)}`,
  ]
}
