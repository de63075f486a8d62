/**
 * Measures to a collector over OTLP/HTTP. This file loads the OpenTelemetry SDK, so it is imported only when the environment names an
 * exporter. Numbers come out of ledgers, so counters are cumulative since the ledger began, whichever process sends them.
 */
import { ValueType } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import type { Metric } from '../metric.ts'
import { type Exporting, exporterKind, resource } from './otel-environment.ts'
import { metricsExporter } from './otlp.ts'

export interface MetricExporter {
  /** Sends them within two seconds, or throws. */
  send(metrics: readonly Metric[]): Promise<void>
}

export function createMetricExporter(options: Exporting & { readonly version: string }): MetricExporter {
  const { environment, version } = options
  if (exporterKind('metrics', options) === 'console') return { send: async metrics => write(metrics) }
  const exporter = metricsExporter(options)
  const scope = { name: 'plinth', version }
  return {
    async send(metrics) {
      const atMs = Date.now()
      const data = metrics.map(metric => dataOf(metric, atMs)).filter(({ dataPoints }) => dataPoints.length > 0)
      await new Promise<void>((resolve, reject) => {
        exporter.export(
          { resource: resource(version, environment), scopeMetrics: [{ scope, metrics: data }] },
          result => (result.code === succeeded ? resolve() : reject(result.error ?? new Error('not delivered'))),
        )
      })
    },
  }
}

/** ExportResultCode.SUCCESS of the SDK's core, which is not a dependency of ours. */
const succeeded = 0 as unknown as Parameters<Parameters<PushMetricExporter['export']>[1]>[0]['code']

function dataOf(metric: Metric, atMs: number): MetricData {
  const { name, help: description, unit } = metric
  const endTime = time(atMs)
  const shared = {
    descriptor: { name, description, unit: unit === undefined ? '1' : units[unit], valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  } as const
  const began = (since: string | null | undefined) => time(since ? Date.parse(since) : 0)
  if (metric.kind === 'histogram')
    return {
      ...shared,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: metric.samples.map(({ labels, bounds, counts, sum, since }) => ({
        startTime: began(since),
        endTime,
        attributes: labels,
        value: {
          buckets: { boundaries: [...bounds], counts: [...counts] },
          sum,
          count: counts.reduce((all, count) => all + count, 0),
        },
      })),
    }
  const dataPoints = metric.samples.flatMap(({ labels, value, since }) =>
    value === null
      ? []
      : [{ startTime: metric.kind === 'gauge' ? endTime : began(since), endTime, attributes: labels, value }],
  )
  return metric.kind === 'gauge'
    ? { ...shared, dataPointType: DataPointType.GAUGE, dataPoints }
    : { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
}

/** As UCUM spells them. */
const units = { seconds: 's' } as const

function time(ms: number): [number, number] {
  return [Math.floor(ms / 1000), (ms % 1000) * 1e6]
}

/** One JSON line a metric on standard error, since standard output carries results alone. */
function write(metrics: readonly Metric[]): void {
  for (const metric of metrics) process.stderr.write(`${JSON.stringify(metric)}\n`)
}
