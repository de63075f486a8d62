/** Runs the checks of a project. A check answers the rows that are wrong; their number is reported, and they are kept where that is asked for. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { CheckStatus, Emit } from '../../telemetry/event.ts'
import { spellingOf } from '../run/cells.ts'
import { compile, type Names, namesOf } from '../project/compile.ts'
import { located } from '../run/materialize.ts'
import type { CheckDefinition, Project, Severity, StoredFailures } from '../project/project.ts'

export interface CheckOptions {
  /** An open session on the warehouse. */
  readonly warehouse: Session
  readonly emit: Emit
  readonly signal?: AbortSignal
  /** Names of the checks that are run; default all. */
  readonly select?: ReadonlySet<string>
  /** Keep wrong rows of every check, rather than of those that say so. */
  readonly storing?: 'every check' | 'as declared'
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
  /** Rows that were wrong, or what the check's `fail_calc` answers for them. */
  readonly failures: number
  /** Table or view in the warehouse that holds the rows that were wrong; null when they were not kept. */
  readonly stored: string | null
  readonly durationMs: number
  /** Why it could not run, with its place; null when it ran. */
  readonly error: PlinthError | null
}

/** Runs every check that is selected, also after one has failed. */
export async function runChecks(project: Project, options: CheckOptions): Promise<CheckReport> {
  const started = performance.now()
  const names = namesOf(project)
  const checks: CheckResult[] = []
  for (const check of project.checks) {
    if (options.select?.has(check.name) === false) continue
    options.signal?.throwIfAborted()
    const result = await runCheck(names, check, options)
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

/** The worst of some results. */
export function statusOf(results: readonly { readonly status: CheckStatus }[]): CheckReport['status'] {
  if (results.some(({ status }) => status === 'failed' || status === 'error')) return 'failed'
  return results.some(({ status }) => status === 'warned') ? 'warned' : 'passed'
}

async function runCheck(names: Names, check: CheckDefinition, options: CheckOptions): Promise<CheckResult> {
  const started = performance.now()
  const { warehouse } = options
  const result = (status: CheckStatus, failures: number, rest: Partial<CheckResult> = {}): CheckResult => ({
    check: check.name,
    subject: check.subject,
    severity: check.severity,
    status,
    failures,
    stored: null,
    durationMs: Math.round(performance.now() - started),
    error: null,
    ...rest,
  })
  try {
    const rendered = await compile(check.template, names, {
      engine: warehouse.engine.name,
      quote: warehouse.engine.warehouse?.name,
      session: warehouse,
      mode: 'whole',
      self: null,
    })
    const limit = check.limit === null ? '' : `\nlimit ${check.limit}`
    const store = check.store ?? (options.storing === 'every check' ? check.storable : null)
    return await located(check, rendered, async () => {
      const wrong = `(\n${rendered.sql}\n) as wrong${limit}`
      const kept = store && (await keepFailures(warehouse, store, wrong))
      const found = await countFailures(warehouse, check, kept ?? wrong)
      return result(found.status, found.failures, { stored: kept })
    })
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code !== 'TRANSFORM_INVALID') throw error
    return result('error', 0, { error: declaredError(check, error) })
  }
}

async function countFailures(
  warehouse: Session,
  { failCalc, warnIf, errorIf, severity }: CheckDefinition,
  wrong: string,
): Promise<{ readonly status: CheckStatus; readonly failures: number }> {
  const { rows } = await warehouse.query<{ failures: string | number; warns: boolean; fails: boolean }>(
    `with counted as (select coalesce(${failCalc.replace(/\s+/g, ' ')}, 0) as failures from (select * from ${wrong}) as wrong)
select failures, failures ${warnIf} as warns, failures ${errorIf} as fails from counted`,
  )
  const failures = Number(rows[0]?.failures ?? 0)
  const status = severity === 'error' && rows[0]?.fails ? 'failed' : rows[0]?.warns ? 'warned' : 'passed'
  return { status, failures }
}

async function keepFailures(warehouse: Session, { schema, name, as }: StoredFailures, wrong: string): Promise<string> {
  const { name: quoted, relation } = spellingOf(warehouse)
  const table = relation(schema, name)
  await warehouse.query(`create schema if not exists ${quoted(schema)}`)
  await warehouse.query(`create or replace ${as} ${table} as select * from ${wrong}`)
  return table
}

/** A template that was made from a declaration has no lines that a reader could find. */
function declaredError({ declared, template }: CheckDefinition, error: PlinthError): PlinthError {
  if (!declared || (error.at?.file !== undefined && error.at.file !== template.file)) return error
  return new PlinthError(error.code, error.message, { at: declared, hint: error.hint, cause: error })
}
