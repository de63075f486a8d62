/** How old the newest row of each source is, held against how old it may be. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { CheckStatus, Emit } from '../../telemetry/event.ts'
import { spellingOf } from '../run/cells.ts'
import { statusOf } from './check.ts'
import { type Freshness, type Project, type Source, sourceKey } from '../project/project.ts'

export interface FreshnessOptions {
  /** An open session on the warehouse. */
  readonly warehouse: Session
  readonly emit: Emit
  readonly signal?: AbortSignal
  /** Sources that are looked at, as `group.name`; default all that say how fresh they must be. */
  readonly select?: ReadonlySet<string>
}

export interface FreshnessReport {
  readonly status: 'passed' | 'warned' | 'failed'
  readonly durationMs: number
  readonly sources: readonly SourceFreshness[]
}

export interface SourceFreshness {
  readonly source: string
  readonly status: CheckStatus
  /** When the newest row was loaded, ISO 8601; null when there is no row. */
  readonly newestAt: string | null
  /** By the clock of the warehouse when it was asked; null when there is no row. */
  readonly ageMs: number | null
  readonly warnAfterMs: number | null
  readonly errorAfterMs: number | null
  readonly durationMs: number
  /** Why it could not be told, with its place; null when it could. */
  readonly error: PlinthError | null
}

/** Looks at every source that says how fresh it must be. A source without rows is as stale as can be. */
export async function checkFreshness(project: Project, options: FreshnessOptions): Promise<FreshnessReport> {
  const started = performance.now()
  const sources: SourceFreshness[] = []
  for (const source of project.sources) {
    if (!source.freshness || options.select?.has(sourceKey(source)) === false) continue
    options.signal?.throwIfAborted()
    const result = await freshnessOf(source, source.freshness, options.warehouse)
    sources.push(result)
    const { status, durationMs } = result
    const failures = status === 'passed' ? 0 : 1
    options.emit({ type: 'check.finished', check: `freshness ${result.source}`, status, failures, durationMs })
  }
  return { status: statusOf(sources), durationMs: Math.round(performance.now() - started), sources }
}

async function freshnessOf(source: Source, freshness: Freshness, warehouse: Session): Promise<SourceFreshness> {
  const started = performance.now()
  const { warnAfterMs, errorAfterMs } = freshness
  const result = (status: CheckStatus, rest: Partial<SourceFreshness>): SourceFreshness => ({
    source: sourceKey(source),
    status,
    newestAt: null,
    ageMs: null,
    warnAfterMs,
    errorAfterMs,
    durationMs: Math.round(performance.now() - started),
    error: null,
    ...rest,
  })
  try {
    const { rows } = await warehouse.query<{ newest: string | null; now: string }>(
      queryOf(source, freshness, warehouse),
    )
    const { newest = null, now = '' } = rows[0] ?? {}
    if (newest === null) return result(errorAfterMs === null ? 'warned' : 'failed', {})
    const ageMs = Math.max(0, momentOf(now) - momentOf(newest))
    const status =
      errorAfterMs !== null && ageMs > errorAfterMs
        ? 'failed'
        : warnAfterMs !== null && ageMs > warnAfterMs
          ? 'warned'
          : 'passed'
    return result(status, { newestAt: new Date(momentOf(newest)).toISOString(), ageMs })
  } catch (error) {
    if (!(error instanceof PlinthError) || (error.code !== 'SQL_FAILED' && error.code !== 'SQL_SYNTAX')) throw error
    const failure = new PlinthError('TRANSFORM_INVALID', error.message, {
      at: freshness.place,
      hint: error.hint,
      cause: error,
    })
    return result('error', { error: failure })
  }
}

function queryOf({ schema, identifier }: Source, { field, query, filter }: Freshness, warehouse: Session): string {
  const newest =
    query === null
      ? `select max(${field}) from ${spellingOf(warehouse).relation(schema, identifier)}${filter === null ? '' : ` where ${filter}`}`
      : query
  return `select (\n${newest}\n) as newest, current_timestamp as now`
}

/** Times come as ISO 8601; one without a zone, and a day, is UTC. */
function momentOf(text: string): number {
  const iso = text.replace(' ', 'T')
  const isDay = /^\d{4}-\d\d-\d\d$/.test(iso)
  return Date.parse(isDay || /(Z|[+-]\d\d(:?\d\d)?)$/.test(iso) ? iso : `${iso}Z`)
}
