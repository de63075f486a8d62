/** What the environment says of OpenTelemetry, by the variables of its specification, for traces and for metrics alike. */
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'

export type Signal = 'traces' | 'metrics'

export interface Exporting {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly warn: (message: string, hint: string) => void
}

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over Plinth's own. */
export function resource(version: string, environment: Exporting['environment']): ReturnType<typeof defaultResource> {
  const name = environment['OTEL_SERVICE_NAME']?.trim()
  const own = resourceFromAttributes({ 'service.name': 'plinth', 'service.version': version })
  const asked = { ...pairsIn(environment['OTEL_RESOURCE_ATTRIBUTES']), ...(name ? { 'service.name': name } : {}) }
  return defaultResource().merge(own).merge(resourceFromAttributes(asked))
}

export function exporterKind(signal: Signal, { environment, warn }: Exporting): 'otlp' | 'console' {
  const name = signal.toUpperCase()
  const asked = environment[`OTEL_${name}_EXPORTER`]?.trim() || 'otlp'
  // Several may be named; what is for a collector goes there.
  const exporters = asked.split(',').map(one => one.trim())
  if (!exporters.includes('otlp') && exporters.includes('console')) return 'console'
  const protocol = protocolOf(signal, environment)
  if (!exporters.includes('otlp'))
    warn(
      `The exporter "${asked}" is not known; ${signal} go to OTLP.`,
      `Set OTEL_${name}_EXPORTER to otlp, console or none.`,
    )
  else if (protocol === 'grpc')
    warn(
      `OTLP over gRPC is not supported; ${signal} go over HTTP.`,
      'Name the HTTP port of the collector, mostly 4318, and OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf or http/json.',
    )
  return 'otlp'
}

/** JSON, which every receiver takes and a person can read, unless the environment asks for what the specification prefers. */
export function spokenIn(signal: Signal, environment: Exporting['environment']): 'json' | 'protobuf' {
  return protocolOf(signal, environment) === 'http/protobuf' ? 'protobuf' : 'json'
}

function protocolOf(signal: Signal, environment: Exporting['environment']): string | undefined {
  return own('PROTOCOL', signal, environment)
}

/** What is said of one signal wins over what is said of all; what is empty is not said. */
function own(name: string, signal: Signal, environment: Exporting['environment']): string | undefined {
  const ofSignal = environment[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`]?.trim()
  return ofSignal || environment[`OTEL_EXPORTER_OTLP_${name}`]?.trim() || undefined
}

/**
 * Where to and how, as the specification has it: the exporters themselves look at the process's own variables alone, and a project may have
 * its own in `.env`.
 */
export function exporterOptions(signal: Signal, environment: Exporting['environment']) {
  const prefix = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}`
  const base = environment['OTEL_EXPORTER_OTLP_ENDPOINT']?.trim()
  const url = environment[`${prefix}_ENDPOINT`]?.trim() || (base ? `${base.replace(/\/$/, '')}/v1/${signal}` : '')
  const headers = {
    ...pairsIn(environment['OTEL_EXPORTER_OTLP_HEADERS']),
    ...pairsIn(environment[`${prefix}_HEADERS`]),
  }
  const compression = own('COMPRESSION', signal, environment)
  return { timeoutMillis: exportMs(signal, environment), ...(url === '' ? {} : { url }), headers, compression }
}

/** `key=value,key=value`, each percent-encoded where it has to be. */
function pairsIn(text = ''): Record<string, string> {
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
  const asked = Number(own('TIMEOUT', signal, environment) ?? exportMsMax)
  return asked > 0 ? Math.min(asked, exportMsMax) : exportMsMax
}

const exportMsMax = 1800
