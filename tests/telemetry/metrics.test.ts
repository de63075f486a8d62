/** Service levels reach a collector and a scrape by one definition: the same names, labels and numbers. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Metric } from '../../src/telemetry/metric.ts'
import { writeMetrics } from '../../src/telemetry/openmetrics.ts'
import { metricExporter } from '../../src/telemetry/sinks/index.ts'
import { platformProject, plinth, startPlinth } from '../support/cli.ts'
import { type Attribute, attributesOf, startCollector } from '../support/collector.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const metrics: readonly Metric[] = [
  {
    name: 'plinth_rollup_lag_seconds',
    kind: 'gauge',
    help: 'How long changes wait.',
    unit: 'seconds',
    samples: [
      { labels: { source: 'raw.usage_events' }, value: 2.5 },
      { labels: { source: 'raw.never_read' }, value: null },
    ],
  },
  {
    name: 'plinth_rollup_late_events',
    kind: 'counter',
    help: 'Late events.',
    samples: [{ labels: { source: 'raw.usage_events' }, value: 7, since: '2026-01-31T12:00:00.250Z' }],
  },
  {
    name: 'plinth_rollup_run_duration_seconds',
    kind: 'histogram',
    help: 'How long runs took.',
    unit: 'seconds',
    samples: [{ labels: { source: 'raw.usage_events' }, bounds: [1, 2.5], counts: [3, 0, 1], sum: 9.25, since: null }],
  },
  { name: 'plinth_checks_failed', kind: 'gauge', help: 'Failed checks.', samples: [{ labels: {}, value: null }] },
]

test('a gauge, a counter since its ledger began and a histogram; what is not measured yet is not sent', async () => {
  const collector = await startCollector<OtlpMetrics>('accepting')
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  await metricExporter({ version: '1.2.3' })?.send(metrics)

  expect(collector.requests.map(({ path }) => path)).toEqual(['/v1/metrics'])
  const [sent] = collector.requests[0]?.body.resourceMetrics ?? []
  expect(attributesOf(sent?.resource.attributes ?? [])).toMatchObject({
    'service.name': 'plinth',
    'service.version': '1.2.3',
  })
  const of = (name: string) => sent?.scopeMetrics[0]?.metrics.find(metric => metric.name === name)
  expect(sent?.scopeMetrics[0]?.metrics.map(({ name, unit }) => [name, unit])).toEqual([
    ['plinth_rollup_lag_seconds', 's'],
    ['plinth_rollup_late_events', '1'],
    ['plinth_rollup_run_duration_seconds', 's'],
  ])
  expect(of('plinth_rollup_lag_seconds')?.gauge?.dataPoints).toMatchObject([
    { asDouble: 2.5, attributes: [{ key: 'source', value: { stringValue: 'raw.usage_events' } }] },
  ])
  const cumulative = 2
  expect(of('plinth_rollup_late_events')?.sum).toMatchObject({
    aggregationTemporality: cumulative,
    isMonotonic: true,
    dataPoints: [{ asDouble: 7, startTimeUnixNano: '1769860800250000000' }],
  })
  expect(of('plinth_rollup_run_duration_seconds')?.histogram).toMatchObject({
    aggregationTemporality: cumulative,
    dataPoints: [{ count: 4, sum: 9.25, bucketCounts: [3, 0, 1], explicitBounds: [1, 2.5] }],
  })
})

test('a scrape has the same in the text of OpenMetrics', () => {
  expect(writeMetrics(metrics)).toBe(
    `# TYPE plinth_rollup_lag_seconds gauge
# UNIT plinth_rollup_lag_seconds seconds
# HELP plinth_rollup_lag_seconds How long changes wait.
plinth_rollup_lag_seconds{source="raw.usage_events"} 2.5
# TYPE plinth_rollup_late_events counter
# HELP plinth_rollup_late_events Late events.
plinth_rollup_late_events_total{source="raw.usage_events"} 7
# TYPE plinth_rollup_run_duration_seconds histogram
# UNIT plinth_rollup_run_duration_seconds seconds
# HELP plinth_rollup_run_duration_seconds How long runs took.
plinth_rollup_run_duration_seconds_bucket{source="raw.usage_events",le="1.0"} 3
plinth_rollup_run_duration_seconds_bucket{source="raw.usage_events",le="2.5"} 3
plinth_rollup_run_duration_seconds_bucket{source="raw.usage_events",le="+Inf"} 4
plinth_rollup_run_duration_seconds_count{source="raw.usage_events"} 4
plinth_rollup_run_duration_seconds_sum{source="raw.usage_events"} 9.25
# EOF
`,
  )
})

test.each([
  ['nothing set', {}, false],
  ['an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, true],
  ['an endpoint for metrics', { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://127.0.0.1:9/v1/metrics' }, true],
  ['an endpoint for traces alone', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:9/v1/traces' }, false],
  ['an endpoint, but no metrics', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h', OTEL_METRICS_EXPORTER: 'none' }, false],
  ['an endpoint, but all off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h', OTEL_SDK_DISABLED: 'true' }, false],
  ['the console', { OTEL_METRICS_EXPORTER: 'console' }, true],
])('the environment decides: %s', (_what, environment, sends) => {
  expect(metricExporter({ environment }) !== null).toBe(sends)
})

test.each(['silent', 'refusing'] as const)('a collector that is %s is told, and holds nobody up', async behaviour => {
  const collector = await startCollector<OtlpMetrics>(behaviour)
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', collector.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  await expect(metricExporter({})?.send(metrics)).rejects.toThrow()
})

test('every run that changes service levels sends them, and so does a server', { timeout: 240_000 }, async () => {
  const collector = await startCollector<OtlpMetrics>('accepting')
  const { url } = await emptyDatabase()
  const folder = platformProject()
  const env = {
    DATABASE_URL: url,
    WAREHOUSE_URL: `duckdb:${folder}/warehouse.duckdb`,
    PLINTH_STATE: `${folder}/state`,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_METRIC_EXPORT_INTERVAL: '300',
  }
  const run = async (...args: string[]) => {
    collector.requests.length = 0
    return plinth(args, { cwd: folder, env })
  }
  const told = () => {
    const [sent] = collector.requests.at(-1)?.body.resourceMetrics ?? []
    return Object.fromEntries((sent?.scopeMetrics[0]?.metrics ?? []).map(metric => [metric.name, valueOf(metric)]))
  }
  expect((await run('apply')).status).toBe(0)
  expect((await run('seed', '--package', 'local-dev')).status).toBe(0)
  expect(collector.requests).toHaveLength(0)

  expect((await run('rollup', 'run')).status).toBe(0)
  expect(collector.requests).toHaveLength(1)
  const events = await countEvents(url)
  expect(told()).toMatchObject({
    plinth_rollup_lag_seconds: 0,
    plinth_rollup_freshness_seconds: expect.any(Number),
    plinth_rollup_last_run_seconds: expect.any(Number),
    plinth_rollup_run_duration_seconds: 1,
    plinth_rollup_runs: 1,
    plinth_rollup_rows: events,
    plinth_rollup_cells_rewritten: expect.any(Number),
    plinth_rollup_late_events: 0,
  })
  expect(told()).not.toHaveProperty('plinth_checks_failed')

  await withClient(url, client =>
    client.query(
      `delete from platform.usage_events where event_id = (select event_id from platform.usage_events order by occurred_at limit 1)`,
    ),
  )
  expect((await run('check')).status).toBe(0)
  expect(told()).toMatchObject({ plinth_checks_failed: 0, plinth_rollup_pending_cells: 1 })
  expect(told()).not.toHaveProperty('plinth_reconciliation_different_cells')
  expect((await run('reconcile')).status).toBe(0)
  expect(told()).toMatchObject({ plinth_reconciliation_different_cells: 0, plinth_reconciliations: 1 })
  expect((await run('maintain')).status).toBe(0)
  expect(told()).toMatchObject({ plinth_rollup_runs: 2, plinth_rollup_pending_cells: 0, plinth_job_failures: 0 })

  collector.requests.length = 0
  const server = startPlinth(['serve', '--port', '0'], { cwd: folder, env })
  onTestFinished(() => void server.child.kill('SIGKILL'))
  for (let attempt = 0; attempt < 200 && collector.requests.length < 3; attempt++) await sleep(100)
  server.child.kill('SIGTERM')
  expect((await server.ended).status).toBe(0)
  expect(collector.requests.length).toBeGreaterThanOrEqual(3)
  expect(told()).toMatchObject({ plinth_rollup_runs: 2, plinth_warehouse_busy: 0 })

  await collector.stop()
  const alone = await run('rollup', 'run')
  expect([alone.status, alone.stderr]).toEqual([0, expect.stringContaining('Service levels were not sent')])
})

async function countEvents(url: string): Promise<number> {
  const { rows } = await withClient(url, client =>
    client.query<{ n: string }>('select count(*) as n from platform.usage_events'),
  )
  return Number(rows[0]?.n)
}

interface OtlpMetrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeMetrics: readonly { readonly metrics: readonly OtlpMetric[] }[]
  }[]
}

interface OtlpMetric {
  readonly name: string
  readonly unit: string
  readonly gauge?: { readonly dataPoints: readonly Point[] }
  readonly sum?: { readonly dataPoints: readonly Point[] }
  readonly histogram?: { readonly dataPoints: readonly { readonly count: number }[] }
}

interface Point {
  readonly asDouble: number
}

/** Of the first point: its number, or how many a histogram has seen. */
function valueOf({ gauge, sum, histogram }: OtlpMetric): number | undefined {
  return histogram ? histogram.dataPoints[0]?.count : (gauge ?? sum)?.dataPoints[0]?.asDouble
}
