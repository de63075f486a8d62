/** Numbers in the text format of OpenMetrics 1.0, which Prometheus and the OpenTelemetry collector read. */
import type { Labels, Metric } from './metric.ts'

export function writeMetrics(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(metric => {
    const samples = samplesOf(metric)
    if (samples.length === 0) return []
    return [
      `# TYPE ${metric.name} ${metric.kind}`,
      ...(metric.unit === undefined ? [] : [`# UNIT ${metric.name} ${metric.unit}`]),
      `# HELP ${metric.name} ${escaped(metric.help)}`,
      ...samples,
    ]
  })
  return `${[...lines, '# EOF'].join('\n')}\n`
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
