import { describe, expect, test } from 'vitest'
import { applicationName, parseTraceparent, runTrace, traceparent } from '../../src/telemetry/trace.ts'

const parent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

describe('the trace of a run', () => {
  test('begins by itself without a caller', () => {
    const [first, second] = [runTrace({}), runTrace({})]
    expect(first).toMatchObject({ parentSpanId: null, sampled: true, traceState: null })
    expect(first.traceId).toMatch(/^[0-9a-f]{32}$/)
    expect(first.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect(first.traceId).not.toBe(second.traceId)
  })

  test('joins the caller’s trace and tells callees its own span', () => {
    const trace = runTrace({ TRACEPARENT: parent, TRACESTATE: 'vendor=1' })
    expect(trace).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      parentSpanId: '00f067aa0ba902b7',
      sampled: true,
      traceState: 'vendor=1',
    })
    expect(parseTraceparent(traceparent(trace))).toEqual({
      traceId: trace.traceId,
      spanId: trace.spanId,
      sampled: true,
    })
  })

  test('keeps the caller’s decision not to record', () => {
    const trace = runTrace({ TRACEPARENT: parent.replace(/01$/, '00') })
    expect(trace.sampled).toBe(false)
    expect(traceparent(trace)).toMatch(/-00$/)
  })

  test('fits the name of a PostgreSQL session', () => {
    expect(applicationName(runTrace({ TRACEPARENT: parent }))).toHaveLength(62)
  })

  test.each([
    ['nothing', undefined],
    ['empty', ''],
    ['capitals', parent.toUpperCase()],
    ['a trace of zeros', '00-00000000000000000000000000000000-00f067aa0ba902b7-01'],
    ['a span of zeros', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01'],
    ['the forbidden version', parent.replace(/^00/, 'ff')],
    ['more fields than version 00 has', `${parent}-more`],
    ['a short trace', parent.replace('4bf9', '')],
  ])('a malformed parent begins a new trace: %s', (_what, header) => {
    expect(parseTraceparent(header)).toBeUndefined()
    expect(runTrace({ TRACEPARENT: header, TRACESTATE: 'vendor=1' })).toMatchObject({
      parentSpanId: null,
      traceState: null,
    })
  })

  test('a later version is read by its first four fields', () => {
    expect(parseTraceparent(`${parent.replace(/^00/, '01')}-more`)).toEqual({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      sampled: true,
    })
  })
})
