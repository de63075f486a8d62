/**
 * The same work on many databases: one goes first as a canary, the others follow a few at a time. A failure stops neither them nor the report,
 * and a second run does only what is missing, since each database has its own history.
 */
import { asPlinthError, type Code } from '../errors.ts'
import type { Emit, RunStatus } from '../telemetry/event.ts'

export interface Member {
  readonly name: string
  /** Safe to print. */
  readonly address: string
  /** The schema that unqualified names live in; null where the database's own default holds. */
  readonly schema: string | null
}

/** What was done on one database. */
export interface Visit {
  readonly status: RunStatus
  /** Newest applied version before and now. */
  readonly from: string | null
  readonly to: string | null
  readonly stepsDone: number
  readonly runId: string | null
  readonly error: VisitError | null
}

export interface VisitError {
  readonly code: Code
  readonly message: string
  readonly hint: string | null
  readonly sqlState: string | null
  readonly file: string | null
  readonly line: number | null
  readonly exit: number
}

export type MemberStatus = RunStatus | 'skipped'

export interface MemberReport extends Member, Omit<Visit, 'status'> {
  /** `skipped`: the canary failed, or the run was interrupted before its turn. */
  readonly status: MemberStatus
  readonly durationMs: number
}

export interface FleetReport {
  readonly format: 1
  readonly track: string
  readonly status: 'succeeded' | 'failed' | 'interrupted' | 'nothing-to-do'
  /** Name of the database that went first; null in a fleet of none. */
  readonly canary: string | null
  readonly counts: Readonly<Record<MemberStatus, number>>
  /** In the order of the fleet. */
  readonly databases: readonly MemberReport[]
  readonly durationMs: number
}

export interface FleetOptions<M extends Member> {
  readonly track: string
  readonly members: readonly M[]
  /** Goes first; the first of the members when null. */
  readonly canary: string | null
  /** How many at once, from 1. */
  readonly parallelism: number
  readonly emit: Emit
  readonly signal: AbortSignal
  /** The work on one database. What it throws is its failure. */
  readonly visit: (member: M, emit: Emit) => Promise<Visit>
}

/** Visits all. Never throws for what happens on one database. */
export async function visitFleet<M extends Member>(options: FleetOptions<M>): Promise<FleetReport> {
  const { members, emit, signal } = options
  const started = performance.now()
  const reports = new Map<string, MemberReport>()
  const canary = members.find(member => member.name === options.canary) ?? members[0] ?? null
  const settle = (member: M, report: MemberReport): void => {
    reports.set(member.name, report)
    const { name, address, status, from, to, error, durationMs } = report
    emit({ type: 'database.finished', name, address, status, from, to, code: error?.code ?? null, durationMs })
    emit({ type: 'progress', task: options.track, done: reports.size, total: members.length, unit: 'databases' })
  }
  const visit = async (member: M): Promise<void> => settle(member, await visitOne(options, member))
  if (canary) await visit(canary)
  const rest = members.filter(member => member !== canary)
  const mayGoOn = () => !signal.aborted && (canary === null || !isBroken(reports.get(canary.name)))
  const queue = [...rest]
  const worker = async (): Promise<void> => {
    for (let member = queue.shift(); member; member = queue.shift()) {
      if (mayGoOn()) await visit(member)
      else settle(member, skipped(member))
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.parallelism, rest.length) }, worker))
  const databases = members.flatMap(member => reports.get(member.name) ?? [])
  return {
    format: 1,
    track: options.track,
    status: statusOf(databases, signal),
    canary: canary?.name ?? null,
    counts: countsOf(databases),
    databases,
    durationMs: performance.now() - started,
  }
}

/** The failure of one database, for its place in the report. */
export function failedVisit(thrown: unknown): VisitError {
  const error = asPlinthError(thrown)
  const { code, message, hint = null, sqlState = null, at, exitStatus } = error
  return { code, message, hint, sqlState, file: at?.file ?? null, line: at?.line ?? null, exit: exitStatus }
}

async function visitOne<M extends Member>({ visit, emit }: FleetOptions<M>, member: M): Promise<MemberReport> {
  const started = performance.now()
  const { name, address, schema } = member
  const ended = (result: Visit) => ({ name, address, schema, ...result, durationMs: performance.now() - started })
  try {
    return ended(await visit(member, named(emit, name)))
  } catch (thrown) {
    const error = failedVisit(thrown)
    const status = error.code === 'INTERRUPTED' ? 'interrupted' : 'failed'
    return ended({ status, from: null, to: null, stepsDone: 0, runId: null, error })
  }
}

/** Facts of one database bear its name, and so do its locks, which have the same name everywhere. */
function named(emit: Emit, database: string): Emit {
  return fact => {
    const lock = 'lock' in fact ? { lock: `${fact.lock} of ${database}` } : {}
    emit(Object.assign({}, fact, lock, { database }))
  }
}

function skipped({ name, address, schema }: Member): MemberReport {
  const nothing = { from: null, to: null, stepsDone: 0, runId: null, error: null, durationMs: 0 }
  return { name, address, schema, status: 'skipped', ...nothing }
}

function isBroken(report: MemberReport | undefined): boolean {
  return report?.status === 'failed' || report?.status === 'interrupted'
}

function statusOf(databases: readonly MemberReport[], signal: AbortSignal): FleetReport['status'] {
  if (signal.aborted) return 'interrupted'
  if (databases.some(isBroken)) return 'failed'
  return databases.every(({ status }) => status === 'nothing-to-do') ? 'nothing-to-do' : 'succeeded'
}

function countsOf(databases: readonly MemberReport[]): FleetReport['counts'] {
  const counts = { succeeded: 0, 'nothing-to-do': 0, failed: 0, interrupted: 0, skipped: 0 }
  for (const { status } of databases) counts[status]++
  return counts
}
