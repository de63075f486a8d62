/**
 * Exporters over OTLP/HTTP, in JSON or, where the environment asks for it, in protobuf. Source: OpenTelemetry protocol exporter
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/).
 */
import { CompressionAlgorithm, OTLPExporterBase } from '@opentelemetry/otlp-exporter-base'
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'
import {
  type ISerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import type { SpanExporter } from '@opentelemetry/sdk-trace-node'
import { exporterOptions, type Exporting, type Signal, spokenIn } from './otel-environment.ts'

export function traceExporter({ environment }: Exporting): SpanExporter {
  const serializer = spokenIn('traces', environment) === 'protobuf' ? ProtobufTraceSerializer : JsonTraceSerializer
  return exporterOf('traces', environment, serializer)
}

export function metricsExporter({ environment }: Exporting): Pick<PushMetricExporter, 'export'> {
  const serializer = spokenIn('metrics', environment) === 'protobuf' ? ProtobufMetricsSerializer : JsonMetricsSerializer
  return exporterOf('metrics', environment, serializer)
}

function exporterOf<T, Answer>(
  signal: Signal,
  environment: Exporting['environment'],
  serializer: ISerializer<T, Answer>,
): OTLPExporterBase<T> {
  const { compression, ...options } = exporterOptions(signal, environment)
  const type = spokenIn(signal, environment) === 'protobuf' ? 'application/x-protobuf' : 'application/json'
  return new OTLPExporterBase(
    createOtlpHttpExportDelegate(
      convertLegacyHttpOptions(
        { ...options, compression: compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE },
        signal.toUpperCase(),
        `v1/${signal}`,
        { 'Content-Type': type },
      ),
      serializer,
    ),
  )
}
