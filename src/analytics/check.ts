/** Runs the checks of a project. A check answers the rows that are wrong; only their number is kept. */
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { CheckStatus, Emit } from '../telemetry/event.ts'
import { compile, namesOf } from './compile.ts'
import { located } from './materialize.ts'
import type { CheckDefinition, Project, Severity } from './project.ts'

export interface CheckOptions {
  /** An open session on the warehouse. */
  readonly warehouse: Session
  readonly emit: Emit
  readonly signal?: AbortSignal
}

export interface CheckReport {
  /** `failed` when a check of severity `error` failed or could not run. */
  readonly status: 'passed' | 'warned' | 'failed'
  readonly durationMs: number
  readonly checks: readonly CheckResult[]
}

export interface CheckResult {
  readonly check: string
  readonly subject: string | null
  readonly severity: Severity
  readonly status: CheckStatus
  /** Rows that were wrong. */
  readonly failures: number
  readonly durationMs: number
  /** Why it could not run, with its place; null when it ran. */
  readonly error: PlinthError | null
}

/** Runs every check, also after one has failed. */
export async function runChecks(project: Project, options: CheckOptions): Promise<CheckReport> {
  const started = performance.now()
  const checks: CheckResult[] = []
  for (const check of project.checks) {
    options.signal?.throwIfAborted()
    const result = await runCheck(project, check, options.warehouse)
    checks.push(result)
    options.emit({
      type: 'check.finished',
      check: result.check,
      status: result.status,
      failures: result.failures,
      durationMs: result.durationMs,
    })
  }
  return { status: statusOf(checks), durationMs: Math.round(performance.now() - started), checks }
}

async function runCheck(project: Project, check: CheckDefinition, warehouse: Session): Promise<CheckResult> {
  const started = performance.now()
  const result = (status: CheckStatus, failures: number, error: PlinthError | null): CheckResult => ({
    check: check.name,
    subject: check.subject,
    severity: check.severity,
    status,
    failures,
    durationMs: Math.round(performance.now() - started),
    error,
  })
  try {
    const rendered = await compile(check.template, namesOf(project), {
      engine: warehouse.engine.name,
      quote: warehouse.engine.warehouse?.name,
      mode: 'whole',
      self: null,
    })
    const { rows } = await located(check, rendered, () =>
      warehouse.query<{ failures: string }>(`select count(*) as failures from (\n${rendered.sql}\n) as wrong`),
    )
    const failures = Number(rows[0]?.failures ?? 0)
    if (failures === 0) return result('passed', failures, null)
    return result(check.severity === 'warn' ? 'warned' : 'failed', failures, null)
  } catch (error) {
    if (error instanceof PlinthError && error.code === 'TRANSFORM_INVALID') return result('error', 0, error)
    throw error
  }
}

function statusOf(checks: readonly CheckResult[]): CheckReport['status'] {
  if (checks.some(({ status }) => status === 'failed' || status === 'error')) return 'failed'
  return checks.some(({ status }) => status === 'warned') ? 'warned' : 'passed'
}
