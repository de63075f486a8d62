/** Service levels as measures: of rollups out of the ledgers, of jobs out of the schedule. */
import type { Levels, SourceLevels } from '../analytics/levels.ts'
import type { JobState } from '../engines/schedule.ts'
import { asPlinthError } from '../errors.ts'
import type { Metric, Sample } from '../telemetry/metric.ts'
import { type MetricsFormat, writeMetrics } from '../telemetry/openmetrics.ts'
import { projectOf } from './analytics.ts'
import { flowOptions } from './data.ts'
import type { Desk } from './desk.ts'
import type { MetricExporter } from '../telemetry/sinks/otel-metrics.ts'
import { statusOfJobs } from './schedule.ts'

export async function levelsOf(desk: Desk, waitMs?: number): Promise<Levels> {
  const { readLevels } = await import('../analytics/levels.ts')
  const options = await flowOptions(desk)
  return readLevels(await projectOf(desk), { ...options, waitMs: waitMs ?? options.waitMs })
}

/** What was measured when the warehouse could last be opened, since one process alone opens a DuckDB file. */
const remembered = new WeakMap<Desk['config'], { readonly levels: Levels; readonly atMs: number }>()

const warehouseWaitMs = 2000

/** The text for a scrape. */
export async function metricsOf(desk: Desk, format: MetricsFormat): Promise<string> {
  return writeMetrics(await measure(desk), format)
}

/** Sends the same to a collector, where one is configured. Never throws: what hinders it is told once, and again after it went well. */
export async function sendMetrics(desk: Desk): Promise<void> {
  const { exporter, emit } = desk
  if (!exporter) return
  try {
    await exporter.send(await measure(desk))
    hindered.delete(exporter)
  } catch (thrown) {
    if (hindered.has(exporter)) return
    hindered.add(exporter)
    const { message } = thrown instanceof Error ? thrown : { message: 'unknown' }
    emit({
      type: 'warning',
      message: `Service levels were not sent: ${message}`,
      hint: 'Look at OTEL_EXPORTER_OTLP_ENDPOINT and at the collector, or set OTEL_METRICS_EXPORTER=none.',
    })
  }
}

const hindered = new WeakSet<MetricExporter>()

/** Until the signal comes, so often as OTEL_METRIC_EXPORT_INTERVAL says, in milliseconds; every minute by default. */
export async function keepSending(desk: Desk): Promise<void> {
  if (!desk.exporter) return
  const { setTimeout: sleep } = await import('node:timers/promises')
  const asked = Number(desk.config.variables['OTEL_METRIC_EXPORT_INTERVAL'])
  while (!desk.signal.aborted) {
    await sleep(asked >= 100 ? asked : 60_000, undefined, { signal: desk.signal }).catch(() => undefined)
    if (!desk.signal.aborted) await sendMetrics(desk)
  }
}

/** While another process has the warehouse, its measures are those of before, and their age is told. */
async function measure(desk: Desk): Promise<Metric[]> {
  const jobs = await statusOfJobs(desk)
  let busy = 0
  try {
    remembered.set(desk.config, { levels: await levelsOf(desk, warehouseWaitMs), atMs: Date.now() })
  } catch (thrown) {
    if (asPlinthError(thrown).code !== 'WAREHOUSE_BUSY') throw thrown
    busy = 1
  }
  const known = remembered.get(desk.config)
  const age = known ? Math.round((Date.now() - known.atMs) / 1000) : null
  return [
    ...(known ? [...sourceMetrics(known.levels.sources), ...checkMetrics(known.levels)] : []),
    ...jobMetrics(jobs),
    gauge('plinth_warehouse_busy', 'Whether another process had the warehouse open, so that its measures are older.', [
      { labels: {}, value: busy },
    ]),
    gauge(
      'plinth_measured_age_seconds',
      'Age of the measures of the warehouse.',
      [{ labels: {}, value: age }],
      'seconds',
    ),
  ]
}

function sourceMetrics(sources: readonly SourceLevels[]): Metric[] {
  const of = (value: (source: SourceLevels) => number | null) =>
    sources.map(source => ({ labels: { source: source.source }, value: value(source), since: source.since }))
  return [
    gauge(
      'plinth_rollup_lag_seconds',
      'How long changes of the source have waited for a run; 0 when none do.',
      of(one => one.lagSeconds),
      'seconds',
    ),
    gauge(
      'plinth_rollup_age_seconds',
      'Time since the source was last read.',
      of(one => one.ageSeconds),
      'seconds',
    ),
    gauge(
      'plinth_rollup_freshness_seconds',
      'Time since the newest event of the warehouse happened.',
      of(one => one.freshnessSeconds),
      'seconds',
    ),
    gauge(
      'plinth_rollup_pending_marks',
      'Marks that no run has taken yet.',
      of(one => one.pendingMarks),
    ),
    gauge(
      'plinth_rollup_pending_cells',
      'Cells that wait for a run.',
      of(one => one.pendingCells),
    ),
    gauge(
      'plinth_rollup_last_run_seconds',
      'How long the last run took.',
      of(one => one.lastRunSeconds),
      'seconds',
    ),
    {
      name: 'plinth_rollup_run_duration_seconds',
      kind: 'histogram',
      help: 'How long runs took.',
      unit: 'seconds',
      samples: sources.map(({ source, runDurations, runSeconds, since }) => ({
        labels: { source },
        bounds: runDurations.flatMap(({ upToSeconds }) => upToSeconds ?? []),
        counts: runDurations.map(({ runs }) => runs),
        sum: runSeconds,
        since,
      })),
    },
    counter(
      'plinth_rollup_runs',
      'Runs that changed the warehouse.',
      of(one => one.runs),
    ),
    counter(
      'plinth_rollup_run_seconds',
      'Time that runs took.',
      of(one => one.runSeconds),
      'seconds',
    ),
    counter(
      'plinth_rollup_rows',
      'Rows that were copied into the warehouse.',
      of(one => one.rows),
    ),
    counter(
      'plinth_rollup_cells_rewritten',
      'Cells that were replaced.',
      of(one => one.cells),
    ),
    counter(
      'plinth_rollup_late_events',
      'Events that came after their hour was rolled up.',
      of(one => one.lateEvents),
    ),
    counter(
      'plinth_rollup_late_cells',
      'Cells that changed after their hour was rolled up.',
      of(one => one.lateCells),
    ),
    counter(
      'plinth_reconciliations',
      'Reconciliations.',
      of(one => one.reconciliations),
    ),
    gauge(
      'plinth_reconciliation_different_cells',
      'Cells that the last reconciliation found different and did not repair.',
      of(one => one.differentCells),
    ),
    counter(
      'plinth_reconciliation_differed_cells',
      'Cells that were ever found different.',
      of(one => one.differedCells),
    ),
    gauge(
      'plinth_reconciliation_age_seconds',
      'Time since the last reconciliation.',
      of(one => one.reconciledSecondsAgo),
      'seconds',
    ),
    gauge(
      'plinth_rollup_quarantined_cells',
      'Sealed cells in which something came too late, and that nobody has decided on.',
      of(one => one.quarantinedCells),
    ),
    gauge(
      'plinth_rollup_sealed_before_timestamp_seconds',
      'Everything before this time is sealed.',
      of(one => (one.sealedBefore === null ? null : Date.parse(one.sealedBefore) / 1000)),
      'seconds',
    ),
  ]
}

function checkMetrics({ checks, staleSources }: Levels): Metric[] {
  const one = (value: number | null | undefined) => [{ labels: {}, value: value ?? null }]
  return [
    gauge(
      'plinth_checks_failed',
      'Checks of severity error that failed in the last run of checks.',
      one(checks?.failed),
    ),
    gauge(
      'plinth_checks_warned',
      'Checks of severity warn that failed in the last run of checks.',
      one(checks?.warned),
    ),
    gauge('plinth_sources_stale', 'Sources that were too old at the last look.', one(staleSources)),
    gauge('plinth_checks_ran', 'Checks of the last run of checks.', one(checks?.ran)),
  ]
}

function jobMetrics(jobs: readonly JobState[]): Metric[] {
  const of = (value: (job: JobState) => number | null) =>
    jobs.map(job => ({ labels: { job: job.job }, value: value(job) }))
  const overdue = ({ nextDueAt, status }: JobState) =>
    status === 'running' ? 0 : Math.max(0, Math.round((Date.now() - Date.parse(nextDueAt)) / 1000))
  return [
    counter(
      'plinth_job_runs',
      'How often the job was done.',
      of(one => one.runs),
    ),
    gauge(
      'plinth_job_failures',
      'How often in a row the job failed.',
      of(one => one.failures),
    ),
    gauge('plinth_job_overdue_seconds', 'How long the job has been due without being done.', of(overdue), 'seconds'),
    gauge(
      'plinth_job_seconds',
      'How long the job took last.',
      of(one => (one.durationMs === null ? null : one.durationMs / 1000)),
      'seconds',
    ),
  ]
}

function gauge(name: string, help: string, samples: readonly Sample[], unit?: 'seconds'): Metric {
  return { name, kind: 'gauge', help, samples, ...(unit === undefined ? {} : { unit }) }
}

function counter(name: string, help: string, samples: readonly Sample[], unit?: 'seconds'): Metric {
  return { name, kind: 'counter', help, samples, ...(unit === undefined ? {} : { unit }) }
}
