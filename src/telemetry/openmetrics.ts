/** Numbers in the text format of OpenMetrics 1.0, which Prometheus and the OpenTelemetry collector read. */
export interface Metric {
  /** Without the ending of its kind: a counter's samples end in `_total` by themselves. */
  readonly name: string
  readonly kind: 'gauge' | 'counter'
  readonly help: string
  /** The last part of the name, such as `seconds`. */
  readonly unit?: string
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  /** Left out when null: there is nothing to measure yet. */
  readonly value: number | null
}

export function writeMetrics(metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(metric => {
    const samples = metric.samples.filter(({ value }) => value !== null)
    if (samples.length === 0) return []
    return [
      `# TYPE ${metric.name} ${metric.kind}`,
      ...(metric.unit === undefined ? [] : [`# UNIT ${metric.name} ${metric.unit}`]),
      `# HELP ${metric.name} ${escaped(metric.help)}`,
      ...samples.map(
        ({ labels, value }) => `${metric.name}${metric.kind === 'counter' ? '_total' : ''}${spelled(labels)} ${value}`,
      ),
    ]
  })
  return `${[...lines, '# EOF'].join('\n')}\n`
}

function spelled(labels: Sample['labels']): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
