/**
 * Numbers in the text format of OpenMetrics 1.0, which Prometheus and the OpenTelemetry collector read, and in that of Prometheus before it (version 0.0.4), for
 * readers that ask for no other: there a counter is declared by the name of its samples, and there are no units and no end.
 */
import type { Labels, Metric } from './metric.ts'

export type MetricsFormat = 'openmetrics' | 'prometheus'

export function writeMetrics(metrics: readonly Metric[], format: MetricsFormat = 'openmetrics'): string {
  const lines = metrics.flatMap(metric => {
    const samples = samplesOf(metric)
    if (samples.length === 0) return []
    if (format === 'openmetrics')
      return [
        `# TYPE ${metric.name} ${metric.kind}`,
        ...(metric.unit === undefined ? [] : [`# UNIT ${metric.name} ${metric.unit}`]),
        `# HELP ${metric.name} ${escaped(metric.help)}`,
        ...samples,
      ]
    const name = `${metric.name}${metric.kind === 'counter' ? '_total' : ''}`
    const help = metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${metric.kind}`, ...samples]
  })
  return [...lines, ...(format === 'openmetrics' ? ['# EOF'] : [])].map(line => `${line}\n`).join('')
}

export const metricsTypes: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
}

/** What a reader's `Accept` prefers of the two; OpenMetrics where it names neither. */
export function metricsFormatFor(accept: string | undefined): MetricsFormat {
  const wishes = (accept ?? '').split(',').map(one => {
    const [type = '', ...parameters] = one.split(';').map(part => part.trim().toLowerCase())
    const weight = Number(parameters.find(part => part.startsWith('q='))?.slice(2) ?? 1)
    return { type, weight: Number.isFinite(weight) ? weight : 0 }
  })
  const weightOf = (...types: string[]) =>
    Math.max(0, ...wishes.filter(({ type }) => types.includes(type)).map(({ weight }) => weight))
  return weightOf('text/plain', 'text/*') > weightOf('application/openmetrics-text') ? 'prometheus' : 'openmetrics'
}

function samplesOf(metric: Metric): string[] {
  const { name } = metric
  if (metric.kind !== 'histogram') {
    const known = metric.samples.filter(({ value }) => value !== null)
    const ending = metric.kind === 'counter' ? '_total' : ''
    return known.map(({ labels, value }) => `${name}${ending}${spelled(labels)} ${value}`)
  }
  return metric.samples.flatMap(({ labels, bounds, counts, sum }) => {
    let upTo = 0
    const buckets = counts.map((count, index) => {
      upTo += count
      const bound = bounds[index]
      const le = bound === undefined ? '+Inf' : Number.isInteger(bound) ? bound.toFixed(1) : String(bound)
      return `${name}_bucket${spelled({ ...labels, le })} ${upTo}`
    })
    return [...buckets, `${name}_count${spelled(labels)} ${upTo}`, `${name}_sum${spelled(labels)} ${sum}`]
  })
}

function spelled(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
