/**
 * Spans to a collector over OTLP/HTTP. This file loads the OpenTelemetry SDK, so it is imported only when the environment names an
 * exporter. A collector that is slow or dead costs a run nothing but the two seconds at most that `close` waits.
 */
import { randomBytes } from 'node:crypto'
import * as api from '@opentelemetry/api'
import {
  BatchSpanProcessor,
  type IdGenerator,
  NodeTracerProvider,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-node'
import type { Sink } from '../event.ts'
import type { RunTrace } from '../trace.ts'
import { exporterKind, resource } from './otel-environment.ts'
import { traceExporter } from './otlp.ts'
import { createSpanWriter } from './spans.ts'

export interface OtelOptions {
  readonly trace: RunTrace
  readonly version: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Told once when spans could not be delivered or the environment asks for what is not supported. */
  readonly warn: (message: string, hint: string) => void
}

const closeMsMax = 2000

export async function createOtelSink(options: OtelOptions): Promise<Sink> {
  const kind = exporterKind('traces', options)
  let undelivered = 0
  const exporter = watch(kind === 'console' ? consoleExporter : traceExporter(options), count => {
    undelivered += count
  })
  const provider = new NodeTracerProvider({
    resource: resource(options.version, options.environment),
    idGenerator: idsOf(options.trace),
    spanProcessors: [
      new BatchSpanProcessor(exporter, { maxQueueSize: 4096, maxExportBatchSize: 2048, scheduledDelayMillis: 1000 }),
    ],
  })
  const spans = createSpanWriter(api, provider.getTracer('plinth', options.version), parentOf(options.trace))
  return {
    write: event => spans.write(event),
    async close() {
      spans.end()
      const flushed = provider.shutdown().then(
        () => 'flushed',
        () => 'failed',
      )
      const outcome = await Promise.race([flushed, afterMs(closeMsMax)])
      if (undelivered === 0 && outcome === 'flushed') return
      options.warn(
        undelivered > 0
          ? `${undelivered} spans did not reach the trace collector.`
          : 'The trace collector did not take the spans in time.',
        'Look at OTEL_EXPORTER_OTLP_ENDPOINT and at the collector, or set OTEL_TRACES_EXPORTER=none.',
      )
    },
  }
}

/** The SDK would make ids of its own; the run's were told to the database before the SDK was there. */
function idsOf(trace: RunTrace): IdGenerator {
  const traceIds = [trace.traceId]
  const spanIds = [trace.spanId]
  return {
    generateTraceId: () => traceIds.pop() ?? randomBytes(16).toString('hex'),
    generateSpanId: () => spanIds.pop() ?? randomBytes(8).toString('hex'),
  }
}

function parentOf(trace: RunTrace): api.Context {
  if (trace.parentSpanId === null) return api.ROOT_CONTEXT
  return api.trace.setSpanContext(api.ROOT_CONTEXT, {
    traceId: trace.traceId,
    spanId: trace.parentSpanId,
    traceFlags: trace.sampled ? api.TraceFlags.SAMPLED : api.TraceFlags.NONE,
    isRemote: true,
    ...(trace.traceState === null ? {} : { traceState: api.createTraceState(trace.traceState) }),
  })
}

function watch(exporter: SpanExporter, lost: (count: number) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, result => {
        if (result.code !== succeeded) lost(spans.length)
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  }
}

/** ExportResultCode.SUCCESS of the SDK's core, which is not a dependency of ours. */
const succeeded = 0 as unknown as Parameters<Parameters<SpanExporter['export']>[1]>[0]['code']

/** One JSON line a span on standard error, since standard output carries results alone. */
const consoleExporter: SpanExporter = {
  export(spans, done) {
    for (const span of spans) process.stderr.write(`${JSON.stringify(summary(span))}\n`)
    done({ code: succeeded })
  },
  async shutdown() {},
}

function summary(span: ReadableSpan): Readonly<Record<string, unknown>> {
  const { traceId, spanId } = span.spanContext()
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? null,
    name: span.name,
    durationMs: span.duration[0] * 1000 + span.duration[1] / 1e6,
    status: span.status.code,
    attributes: span.attributes,
  }
}

async function afterMs(milliseconds: number): Promise<'late'> {
  return new Promise(resolve => {
    setTimeout(() => resolve('late'), milliseconds).unref()
  })
}
