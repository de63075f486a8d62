/** What the environment says of OpenTelemetry, by the variables of its specification, for traces and for metrics alike. */
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'

export type Signal = 'traces' | 'metrics'

export interface Exporting {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly warn: (message: string, hint: string) => void
}

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over Plinth's own. */
export function resource(version: string): ReturnType<typeof defaultResource> {
  return defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'plinth', 'service.version': version }))
    .merge(detectResources({ detectors: [envDetector] }))
}

export function exporterKind(signal: Signal, { environment, warn }: Exporting): 'otlp' | 'console' {
  const name = signal.toUpperCase()
  const asked = environment[`OTEL_${name}_EXPORTER`]?.trim() || 'otlp'
  if (asked === 'console') return 'console'
  const protocol = environment[`OTEL_EXPORTER_OTLP_${name}_PROTOCOL`] ?? environment['OTEL_EXPORTER_OTLP_PROTOCOL']
  if (asked !== 'otlp')
    warn(
      `The exporter "${asked}" is not known; ${signal} go to OTLP.`,
      `Set OTEL_${name}_EXPORTER to otlp, console or none.`,
    )
  else if (protocol === 'grpc')
    warn(
      `OTLP over gRPC is not supported; ${signal} go over HTTP.`,
      'Name the HTTP port of the collector, mostly 4318, and OTEL_EXPORTER_OTLP_PROTOCOL=http/json.',
    )
  return 'otlp'
}

/**
 * Where to and how, as the specification has it: the exporters themselves look at the process's own variables alone, and a project may have
 * its own in `.env`.
 */
export function exporterOptions(signal: Signal, environment: Exporting['environment']) {
  const own = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}`
  const base = environment['OTEL_EXPORTER_OTLP_ENDPOINT']?.trim()
  const url = environment[`${own}_ENDPOINT`]?.trim() || (base ? `${base.replace(/\/$/, '')}/v1/${signal}` : '')
  const headers = {
    ...headersIn(environment['OTEL_EXPORTER_OTLP_HEADERS']),
    ...headersIn(environment[`${own}_HEADERS`]),
  }
  return { timeoutMillis: exportMs(signal, environment), ...(url === '' ? {} : { url }), headers }
}

/** `key=value,key=value`, each percent-encoded where it has to be. */
function headersIn(text = ''): Record<string, string> {
  const pairs = text.split(',').flatMap(pair => {
    const at = pair.indexOf('=')
    return at > 0 ? [[decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))] as const] : []
  })
  return Object.fromEntries(pairs)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return text.trim()
  }
}

/** Shorter than the time that the end of a run waits for. */
function exportMs(signal: Signal, environment: Exporting['environment']): number {
  const asked = Number(
    environment[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_TIMEOUT`] ??
      environment['OTEL_EXPORTER_OTLP_TIMEOUT'] ??
      exportMsMax,
  )
  return asked > 0 ? Math.min(asked, exportMsMax) : exportMsMax
}

const exportMsMax = 1800
