/**
 * The identity of a run in a distributed trace, known before any tracing library is loaded, so that database sessions can carry it in
 * their application name. Format: W3C Trace Context, level 1 (https://www.w3.org/TR/trace-context/).
 */
import { randomBytes } from 'node:crypto'

export interface RunTrace {
  /** 32 lower-case hexadecimal digits: the parent's, where there is one. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits: the span of this run. */
  readonly spanId: string
  /** The caller's span from `TRACEPARENT`, or null when this run begins the trace. */
  readonly parentSpanId: string | null
  /** False when the caller decided not to record this trace. */
  readonly sampled: boolean
  /** The caller's `TRACESTATE`, passed on as it came. */
  readonly traceState: string | null
}

/** Takes part in the trace of `TRACEPARENT`, or begins one. A malformed value begins one, as the specification asks. */
export function runTrace(environment: Readonly<Record<string, string | undefined>> = process.env): RunTrace {
  const parent = parseTraceparent(environment['TRACEPARENT'])
  return {
    traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    parentSpanId: parent?.spanId ?? null,
    sampled: parent?.sampled ?? true,
    traceState: parent ? (environment['TRACESTATE'] ?? null) : null,
  }
}

/** `00-<trace>-<span>-01`: what callees get as their parent. */
export function traceparent(trace: RunTrace): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** `plinth:00-<trace>-<span>-01`, 62 bytes: fits PostgreSQL's `application_name`, which is cut at 63. */
export function applicationName(trace: RunTrace): string {
  return `plinth:${traceparent(trace)}`
}

export interface Traceparent {
  readonly traceId: string
  readonly spanId: string
  readonly sampled: boolean
}

/** Undefined when absent or malformed. A version above 00 is read by its first four fields. */
export function parseTraceparent(header: string | undefined): Traceparent | undefined {
  const parts = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header?.trim() ?? '')
  if (!parts) return undefined
  const [, version, traceId = '', spanId = '', flags = '', rest] = parts
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
