/** Opens the sinks of a process: what a person sees, what a program reads, and what a collector gets. */
import type { Sink } from '../event.ts'
import type { RunTrace } from '../trace.ts'
import { createNdjsonSink, type NdjsonTarget } from './ndjson.ts'
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
  if (options.trace && exporterAsked(environment)) {
    try {
      const { createOtelSink } = await import('./otel.ts')
      sinks.push(await createOtelSink({ trace: options.trace, version: options.version ?? '0', environment, warn }))
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
      warn(
        missing
          ? 'Traces are not exported: the OpenTelemetry packages are not installed.'
          : 'Traces are not exported: the exporter could not be set up.',
        missing
          ? 'Install with optional dependencies, or set OTEL_TRACES_EXPORTER=none.'
          : 'Look at the OTEL_ variables of the environment.',
      )
    }
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

/** The variables by which OpenTelemetry's specification turns an exporter on. */
function exporterAsked(environment: Readonly<Record<string, string | undefined>>): boolean {
  if (/^true$/i.test(environment['OTEL_SDK_DISABLED'] ?? '')) return false
  const exporter = environment['OTEL_TRACES_EXPORTER']?.trim()
  if (exporter) return exporter !== 'none'
  return Boolean(environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
}
