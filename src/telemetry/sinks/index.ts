/** Opens the sinks of a process: what a person sees, what a program reads, and what a collector gets. */
import type { Sink } from '../event.ts'
import type { RunTrace } from '../trace.ts'
import { createNdjsonSink, type NdjsonTarget } from './ndjson.ts'
import type { MetricExporter } from './otel-metrics.ts'
import { createTerminalSink, type TerminalOptions } from './terminal.ts'

export interface SinkOptions {
  /** Progress for people on standard error; absent for none, as `--events ndjson` has it, which takes the same stream. */
  readonly terminal?: TerminalOptions | undefined
  /** The event stream for programs. */
  readonly ndjson?: NdjsonTarget | undefined
  /** Identity of this run, for spans; spans are made only when the environment names an exporter. */
  readonly trace?: RunTrace | undefined
  /** Plinth's version, told to the collector. */
  readonly version?: string | undefined
  /** Where OTEL_… variables are read; default the process's own. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * The sinks that were asked for. Tracing never makes it throw: what is amiss there is told to `warn`, at once or while the sinks close, and
 * callers emit it as a warning.
 */
export async function openSinks(
  options: SinkOptions,
  warn: (message: string, hint: string) => void = () => {},
): Promise<Sink[]> {
  const sinks: Sink[] = []
  if (options.terminal) sinks.push(createTerminalSink(options.terminal))
  if (options.ndjson) sinks.push(createNdjsonSink(options.ndjson))
  const environment = options.environment ?? process.env
  const { trace, version = '0' } = options
  if (trace && exporterAsked('TRACES', environment)) {
    const open = async () => {
      const { createOtelSink } = await import('./otel.ts')
      return createOtelSink({ trace, version, environment, warn })
    }
    const sink = await openExporter('Traces', open, warn)
    if (sink) sinks.push(sink)
  }
  return sinks
}

/**
 * Flushes and closes all, the exporter first, so that what it warns of can still be told on the others. Takes about two seconds at most
 * and never throws.
 */
export async function closeSinks(sinks: readonly Sink[]): Promise<void> {
  for (const sink of sinks.toReversed()) await sink.close?.().catch(() => undefined)
}

/** Where service levels go; null unless the environment names an exporter. It is loaded by the first that is sent. */
export function metricExporter(
  { version = '0', environment = process.env }: Pick<SinkOptions, 'version' | 'environment'>,
  warn: (message: string, hint: string) => void = () => {},
): MetricExporter | null {
  if (!exporterAsked('METRICS', environment)) return null
  const open = async () => {
    const { createMetricExporter } = await import('./otel-metrics.ts')
    return createMetricExporter({ version, environment, warn })
  }
  let opened: Promise<MetricExporter | null> | undefined
  return {
    async send(metrics) {
      opened ??= openExporter('Metrics', open, warn)
      await (await opened)?.send(metrics)
    },
  }
}

async function openExporter<T>(
  what: 'Traces' | 'Metrics',
  open: () => Promise<T>,
  warn: (message: string, hint: string) => void,
): Promise<T | null> {
  try {
    return await open()
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    warn(
      missing
        ? `${what} are not exported: the OpenTelemetry packages are not installed.`
        : `${what} are not exported: the exporter could not be set up.`,
      missing
        ? `Install with optional dependencies, or set OTEL_${what.toUpperCase()}_EXPORTER=none.`
        : 'Look at the OTEL_ variables of the environment.',
    )
    return null
  }
}

/** The variables by which OpenTelemetry's specification turns an exporter on. */
function exporterAsked(
  signal: 'TRACES' | 'METRICS',
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (/^true$/i.test(environment['OTEL_SDK_DISABLED'] ?? '')) return false
  const exporter = environment[`OTEL_${signal}_EXPORTER`]?.trim()
  if (exporter) return exporter !== 'none'
  return Boolean(environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`])
}
