/** How long an application may have waited for a run: what an observer saw, else the time of the steps that lock what it uses. */
import type { Script, Statement } from '../sql/parse.ts'
import { openNode, walk } from '../sql/tree.ts'

export interface Downtime {
  /** Sum over the steps, each of which releases its locks before the next. */
  readonly totalMs: number
  /** The longest single step. */
  readonly longestMs: number
  /** `upper bound`: nobody watched, so that each step counts whole from its first lock on. */
  readonly basis: 'observed' | 'upper bound'
}

export interface StepTimes {
  /** The longest wait that was seen of another session; absent when nobody watched. */
  readonly blockedMsMax?: number | null | undefined
  /** Time of the step, or 0 when it locks nothing that others use. */
  readonly lockedMsMax: number
}

/** Downtime of the steps that were done. Pure. */
export function downtimeOf(steps: readonly StepTimes[]): Downtime {
  const times = steps.map(({ blockedMsMax, lockedMsMax }) => blockedMsMax ?? lockedMsMax)
  return {
    totalMs: times.reduce((sum, time) => sum + time, 0),
    longestMs: Math.max(0, ...times),
    basis:
      steps.every(({ blockedMsMax }) => typeof blockedMsMax === 'number') && steps.length > 0
        ? 'observed'
        : 'upper bound',
  }
}

/** Whether a script takes a lock that makes readers or writers of a table wait. In doubt it does. */
export function locksOthers(script: Script): boolean {
  return script.statements.some(statement => !statement.concurrentIndex && !isHarmless(statement))
}

/** Makes something new, or reads: nobody waits for it. Tables that a new foreign key points to are locked against writers. */
function isHarmless({ tree }: Statement): boolean {
  const [kind] = openNode(tree)
  if (!harmless.has(kind)) return false
  let isReferring = false
  walk(tree, (inner, fields) => {
    if (inner === 'Constraint' && fields['pktable'] !== undefined) isReferring = true
  })
  return !isReferring
}

const harmless: ReadonlySet<string> = new Set([
  'CommentStmt',
  'CompositeTypeStmt',
  'CreateDomainStmt',
  'CreateEnumStmt',
  'CreateExtensionStmt',
  'CreateFunctionStmt',
  'CreateRoleStmt',
  'CreateSchemaStmt',
  'CreateSeqStmt',
  'CreateStmt',
  'InsertStmt',
  'SelectStmt',
  'TransactionStmt',
  'VariableSetStmt',
])
