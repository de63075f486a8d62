import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Event, Sink } from '../../src/telemetry/event.ts'
import { closeSinks, openSinks } from '../../src/telemetry/sinks/index.ts'
import { type RunTrace, runTrace } from '../../src/telemetry/trace.ts'
import { type Attribute, attributesOf, startCollector as listen } from '../support/collector.ts'
import { beganAtMs, migration, story } from './story.ts'

describe('spans', () => {
  test('a run is a tree: run, lock, steps, and the statements of each step', async () => {
    const collector = await startCollector('accepting')
    const trace = runTrace({ TRACEPARENT: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' })
    await play(story(migration), trace)

    const spans = collector.spans()
    const [run] = spans.filter(span => span.name === 'plinth apply')
    expect(run).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: trace.spanId,
      parentSpanId: '00f067aa0ba902b7',
      status: { code: 2 },
    })
    expect(run?.attributes).toMatchObject({
      'plinth.command': 'apply',
      'plinth.track': 'operational',
      'plinth.status': 'failed',
      'error.type': 'CONSTRAINT_VIOLATED',
    })
    expect(spans.every(span => span.traceId === run?.traceId)).toBe(true)

    const [lock] = childrenOf(spans, run)
    expect(lock).toMatchObject({
      name: 'lock',
      startMs: beganAtMs + 1000,
      endMs: beganAtMs + 7310,
      events: ['lock.waiting'],
    })
    expect(lock?.attributes).toMatchObject({ 'plinth.lock.name': 'plinth:operational', 'plinth.lock.waited_ms': 6000 })

    const steps = childrenOf(spans, lock)
    expect(steps.map(step => [step.name, step.status.code ?? 0])).toEqual([
      ['up 202601010000_tables', 0],
      ['up 202601020000_rows', 2],
    ])
    expect(steps[0]?.attributes).toMatchObject({
      'plinth.rows': 12,
      'plinth.tables': ['platform.users'],
      'plinth.statements.without_span': 5,
    })
    expect(steps[1]?.attributes).toMatchObject({
      'error.type': 'CONSTRAINT_VIOLATED',
      'db.response.status_code': '23505',
    })

    const slowest = childrenOf(spans, steps[0])
    expect(slowest.map(span => span.name).sort()).toEqual(
      Array.from({ length: 20 }, (_, i) => `create table t${i + 5}`).sort(),
    )
    expect(slowest.find(span => span.name === 'create table t24')).toMatchObject({
      kind: 3,
      startMs: beganAtMs + 7034,
      endMs: beganAtMs + 7058,
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'CREATE',
        'db.query.summary': 'create table t24',
        'plinth.statement.line': 49,
      },
    })
    const ofFailed = childrenOf(spans, steps[1])
    expect(ofFailed.map(span => [span.name, span.status.code ?? 0])).toEqual([
      ['insert into platform.users', 0],
      ['failed statement', 2],
    ])
    expect(ofFailed[1]).toMatchObject({
      startMs: beganAtMs + 7220,
      attributes: { 'db.response.status_code': '23505', 'plinth.statement.line': 4 },
    })
  })

  test('the resource is Plinth unless the environment names another service', async () => {
    const collector = await startCollector('accepting')
    await play(story(migration.slice(0, 1)), runTrace({}))
    expect(collector.resource()).toMatchObject({ 'service.name': 'plinth', 'service.version': '1.2.3' })
    vi.stubEnv('OTEL_SERVICE_NAME', 'foundation')
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=staging')
    await play(story(migration.slice(0, 1)), runTrace({}))
    expect(collector.resource()).toMatchObject({
      'service.name': 'foundation',
      'deployment.environment.name': 'staging',
    })
  })

  test('a run that breaks off still ends its spans', async () => {
    const collector = await startCollector('accepting')
    const trace = runTrace({})
    await play(story(migration.slice(0, 6)), trace)
    expect(
      collector
        .spans()
        .map(span => span.name)
        .sort(),
    ).toEqual(['create table t0', 'create table t1', 'lock', 'plinth apply', 'up 202601010000_tables'].sort())
    expect(collector.spans().find(span => span.name === 'plinth apply')).toMatchObject({
      spanId: trace.spanId,
      parentSpanId: '',
    })
  })

  test('a step says who stood in its way, and how long it and others waited', async () => {
    const collector = await startCollector('accepting')
    const step = { track: 'operational', version: '1', slug: 'a', direction: 'up' } as const
    const blocker = {
      processId: 12,
      application: 'billing',
      user: 'app',
      state: 'idle in transaction',
      summary: 'update t',
      mode: 'RowExclusiveLock',
      object: 't',
      since: '2026-01-31T11:59:58.000000Z',
    }
    await play(
      story([
        [0, { type: 'run.started', command: 'apply', track: 'operational', environment: null, actor: 'ada' }],
        [10, { type: 'step.started', ...step, statements: 1, transactional: true }],
        [300, { type: 'lock.blocked', ...step, waitedMs: 290, blockers: [blocker] }],
        [
          900,
          {
            type: 'step.finished',
            ...step,
            statements: 1,
            rows: 0,
            tables: ['t'],
            durationMs: 890,
            lockWaitMs: 700,
            blockedSessionsMax: 3,
            blockedMsMax: 650,
          },
        ],
        [950, { type: 'run.finished', command: 'apply', status: 'succeeded', durationMs: 950, code: null }],
      ]),
      runTrace({}),
    )
    expect(collector.spans().find(span => span.name === 'up 1_a')).toMatchObject({
      events: ['lock.blocked'],
      attributes: {
        'plinth.lock.step_waited_ms': 700,
        'plinth.lock.blocked_sessions_max': 3,
        'plinth.lock.blocked_ms_max': 650,
      },
    })
  })

  test('commands inside a command, and facts before the first, hang below one root', async () => {
    const collector = await startCollector('accepting')
    const trace = runTrace({})
    await play(
      story([
        [600, { type: 'server.started', address: '127.0.0.1:5432', fresh: true, durationMs: 500 }],
        [700, { type: 'run.started', command: 'up', track: null, environment: null, actor: 'ada' }],
        [800, { type: 'run.started', command: 'apply', track: 'operational', environment: null, actor: 'ada' }],
        [900, { type: 'run.finished', command: 'apply', status: 'succeeded', durationMs: 100, code: null }],
        [950, { type: 'rollup.loaded', table: 'raw.usage_events', rows: 10, cells: 2, durationMs: 40 }],
        [1000, { type: 'run.finished', command: 'up', status: 'succeeded', durationMs: 300, code: null }],
      ]),
      trace,
    )
    const spans = collector.spans()
    const root = spans.find(span => span.spanId === trace.spanId)
    expect(root?.name).toBe('plinth up')
    expect(childrenOf(spans, root).map(span => span.name)).toEqual(['server', 'plinth apply', 'rollup.loaded'])
    expect(spans.find(span => span.name === 'rollup.loaded')).toMatchObject({
      startMs: beganAtMs + 910,
      endMs: beganAtMs + 950,
      attributes: { 'plinth.rows': 10, 'plinth.table': 'raw.usage_events' },
    })
  })

  test('nothing is sent when the caller does not record its trace', async () => {
    const collector = await startCollector('accepting')
    await play(story(migration), runTrace({ TRACEPARENT: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00' }))
    expect(collector.spans()).toEqual([])
  })
})

describe('a collector that does not work', () => {
  test('one that never answers is left behind while it still holds the request', async () => {
    const collector = await startCollector('silent')
    const warnings = await play(story(migration), runTrace({}))
    expect(collector.held()).toBeGreaterThan(0)
    expect(warnings).toEqual([expect.stringContaining('trace collector')])
  })

  test('one that refuses is told as a warning', async () => {
    await startCollector('refusing')
    expect(await play(story(migration.slice(0, 1)), runTrace({}))).toEqual([
      '1 spans did not reach the trace collector.',
    ])
  })

  test('one that is not there is told as a warning', async () => {
    const collector = await startCollector('accepting')
    await collector.stop()
    expect(await play(story(migration.slice(0, 1)), runTrace({}))).toHaveLength(1)
  })
})

describe('the environment decides', () => {
  test.each([
    ['nothing set', {}, 0],
    ['an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, 1],
    ['an endpoint for traces', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:9/v1/traces' }, 1],
    [
      'an endpoint, but no traces',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_EXPORTER: 'none' },
      0,
    ],
    ['an endpoint, but all off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_SDK_DISABLED: 'true' }, 0],
    ['the console', { OTEL_TRACES_EXPORTER: 'console' }, 1],
  ])('%s', async (_what, environment, count) => {
    const sinks = await openSinks({ trace: runTrace({}), environment })
    expect(sinks).toHaveLength(count)
    await closeSinks(sinks)
  })

  test('protobuf, compression, headers and the names of a project, as its environment asks', async () => {
    const collector = await listen<Buffer>('accepting')
    const trace = runTrace({ TRACEPARENT: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' })
    const environment = {
      OTEL_TRACES_EXPORTER: 'console,otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/behind/`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b',
      OTEL_SERVICE_NAME: 'foundation',
      OTEL_RESOURCE_ATTRIBUTES: 'team=data%2Cplatform,service.name=other',
    }
    const warnings: string[] = []
    const sinks = await openSinks({ trace, environment }, message => warnings.push(message))
    for (const fact of story(migration)) for (const sink of sinks) sink.write(fact)
    await closeSinks(sinks)
    expect(warnings).toEqual([])
    const [sent] = collector.requests
    expect(sent?.path).toBe('/behind/v1/traces')
    expect(sent?.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      'api-key': 'a b',
    })
    for (const text of ['plinth apply', 'foundation', 'data,platform'])
      expect(sent?.body.includes(text), text).toBe(true)
    expect(sent?.body.includes('other')).toBe(false)
    expect(sent?.body.includes(Buffer.from(trace.traceId, 'hex'))).toBe(true)
  })

  test('what is not supported is said', async () => {
    const warnings: string[] = []
    const sinks = await openSinks(
      { trace: runTrace({}), environment: { OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' } },
      message => warnings.push(message),
    )
    await closeSinks(sinks)
    expect(warnings).toEqual(['OTLP over gRPC is not supported; traces go over HTTP.'])
  })
})

test('without the optional packages a run goes on and says what is missing', () => {
  const place = mkdtempSync(join(tmpdir(), 'plinth-telemetry-test-'))
  onTestFinished(() => rmSync(place, { recursive: true, force: true }))
  const repository = join(import.meta.dirname, '../..')
  cpSync(join(repository, 'dist/telemetry'), join(place, 'telemetry'), { recursive: true })
  cpSync(join(repository, 'node_modules/picocolors'), join(place, 'node_modules/picocolors'), { recursive: true })
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(place, 'program.js'),
    `import { closeSinks, openSinks } from './telemetry/sinks/index.js'
     import { runTrace } from './telemetry/trace.js'
     const sinks = await openSinks({ ndjson: { to: 'stderr' }, trace: runTrace(), environment: { OTEL_TRACES_EXPORTER: 'otlp' } }, message => console.log(message))
     await closeSinks(sinks)
     console.log(sinks.length)`,
  )
  const { stdout, status } = spawnSync(process.execPath, [join(place, 'program.js')], { encoding: 'utf8' })
  expect([stdout, status]).toEqual(['Traces are not exported: the OpenTelemetry packages are not installed.\n1\n', 0])
})

interface Told {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
  readonly startMs: number
  readonly endMs: number
  readonly status: { readonly code?: number }
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly string[]
}

function childrenOf(spans: readonly Told[], parent: Told | undefined): Told[] {
  return spans.filter(span => parent && span.parentSpanId === parent.spanId).sort((a, b) => a.startMs - b.startMs)
}

test('a project whose own environment names the collector is heard there, with its headers', async () => {
  const { url, requests } = await listen<OtlpRequest>('accepting')
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', undefined)
  onTestFinished(() => void vi.unstubAllEnvs())
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/base/`, OTEL_EXPORTER_OTLP_HEADERS: 'x-team=data%20base' }
  const sinks = await openSinks({ trace: runTrace({}), version: '1.2.3', environment }, message => {
    throw new Error(message)
  })
  for (const event of story(migration)) for (const sink of sinks) sink.write(event)
  await closeSinks(sinks)
  expect(requests.map(({ path, headers }) => [path, headers['x-team']])).toEqual([['/base/v1/traces', 'data base']])
})

/** Sends the events through the sinks of the environment, closes them, and answers the warnings. */
async function play(events: readonly Event[], trace: RunTrace): Promise<string[]> {
  const warnings: string[] = []
  const sinks: Sink[] = await openSinks({ trace, version: '1.2.3' }, message => warnings.push(message))
  for (const event of events) for (const sink of sinks) sink.write(event)
  await closeSinks(sinks)
  return warnings
}

/** A collector to which the environment of this test points. */
async function startCollector(behaviour: Parameters<typeof listen>[0]) {
  const { url, requests, held, stop } = await listen<OtlpRequest>(behaviour)
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', url)
  onTestFinished(() => void vi.unstubAllEnvs())
  return {
    spans: () => requests.flatMap(({ body }) => spansOf(body)),
    resource: () => attributesOf(requests.at(-1)?.body.resourceSpans[0]?.resource.attributes ?? []),
    held,
    stop,
  }
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[]
  }[]
}

interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code?: number }
  readonly attributes: readonly Attribute[]
  readonly events?: readonly { readonly name: string }[]
}

function spansOf(request: OtlpRequest): Told[] {
  const spans = request.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(scope => scope.spans))
  return spans.map(span => ({
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId ?? '',
    name: span.name,
    kind: span.kind,
    startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
    endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
    status: span.status,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map(event => event.name),
  }))
}
