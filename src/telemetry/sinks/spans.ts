/**
 * Facts as spans: run → lock → step → statement. Spans are made when a fact ends something, with the times that the facts tell, so that
 * nothing waits for tracing. Database attributes follow the stable semantic conventions (https://opentelemetry.io/docs/specs/semconv/db/).
 */
import type * as OpenTelemetry from '@opentelemetry/api'
import type { Attributes, Context, Span, SpanOptions, Tracer } from '@opentelemetry/api'
import { describeBlocker } from '../blocker.ts'
import { type Event, nameOfStep, type StepWaits } from '../event.ts'

export type OtelApi = Pick<typeof OpenTelemetry, 'trace' | 'SpanKind' | 'SpanStatusCode'>

export interface SpanWriter {
  write(event: Event): void
  /** Ends what is still open, such as the run that a crash left. */
  end(): void
}

/** Statement spans of a step: its slowest ones, since a migration may have thousands. */
const statementsMax = 20

export function createSpanWriter(api: OtelApi, tracer: Tracer, parent: Context): SpanWriter {
  const runs = new Map<string, Run>()
  const runOf = (event: Event): Run => {
    const open = runs.get(event.runId)
    if (open) return open
    const first = new Run(api, tracer, parent, event)
    runs.set(event.runId, first)
    return first
  }
  return {
    write(event) {
      const run = runOf(event)
      run.write(event)
      if (run.isOver) runs.delete(event.runId)
    },
    end() {
      for (const run of runs.values()) run.end()
      runs.clear()
    },
  }
}

type StatementFinished = Extract<Event, { type: 'statement.finished' }>

interface OpenStep {
  readonly span: Span
  readonly system: string | undefined
  readonly slowest: StatementFinished[]
  left: number
}

/** The open spans of one run. */
class Run {
  isOver = false
  readonly #api: OtelApi
  readonly #tracer: Tracer
  readonly #parent: Context
  /** Commands inside a command, such as `apply` inside `up`; the first is the root. */
  readonly #commands: Span[]
  readonly #locks = new Map<string, Span>()
  readonly #steps = new Map<string, OpenStep>()
  #isNamed = false
  #lastAt: Date

  constructor(api: OtelApi, tracer: Tracer, parent: Context, first: Event) {
    this.#api = api
    this.#tracer = tracer
    this.#parent = parent
    this.#lastAt = new Date(first.at)
    const root = tracer.startSpan(
      'plinth',
      { startTime: this.#lastAt, attributes: { 'plinth.run.id': first.runId } },
      parent,
    )
    this.#commands = [root]
  }

  write(event: Event): void {
    this.#lastAt = new Date(event.at)
    switch (event.type) {
      case 'run.started':
        return this.#begin(event)
      case 'run.finished':
        return this.#finish(event)
      case 'lock.waiting':
        this.#lock(event.lock, event.waitedMs).addEvent('lock.waiting', attributesOf(event), this.#lastAt)
        return
      case 'lock.acquired':
        this.#lock(event.lock, event.waitedMs).setAttribute('plinth.lock.waited_ms', event.waitedMs)
        return
      case 'lock.released':
        this.#locks.get(event.lock)?.end(this.#lastAt)
        this.#locks.delete(event.lock)
        return
      case 'step.started':
        return this.#beginStep(event)
      case 'step.resumed':
      case 'step.retried':
        this.#steps.get(stepKey(event))?.span.addEvent(event.type, attributesOf(event), this.#lastAt)
        return
      case 'lock.blocked':
        this.#steps.get(stepKey(event))?.span.addEvent(event.type, blockedAttributes(event), this.#lastAt)
        return
      case 'step.finished':
      case 'step.failed':
        return this.#finishStep(event)
      case 'statement.finished':
        return this.#keepStatement(event)
      case 'server.started':
      case 'server.stopped':
      case 'hook.finished':
      case 'database.finished':
      case 'seed.table.finished':
      case 'rollup.captured':
      case 'rollup.loaded':
      case 'rollup.replaced':
      case 'rollup.sealed':
      case 'job.finished':
      case 'check.finished':
      case 'reconciliation.finished':
        return this.#finished(event, event.durationMs)
      case 'lock.unforeseen':
      case 'index.rebuilt':
      case 'backfill.held':
      case 'rollup.quarantined':
      case 'document.written':
      case 'warning':
        this.#current().addEvent(event.type, attributesOf(event), this.#lastAt)
        return
      // Their ends tell all that a trace needs.
      case 'server.starting':
      case 'progress':
        return
    }
  }

  end(): void {
    for (const step of this.#steps.values()) this.#endStep(step)
    for (const span of [...this.#locks.values(), ...this.#commands.toReversed()]) span.end(this.#lastAt)
    this.isOver = true
  }

  #begin(event: Extract<Event, { type: 'run.started' }>): void {
    const attributes = attributesOf(event)
    const root = this.#commands[0]
    if (root && !this.#isNamed) {
      this.#isNamed = true
      root.updateName(`plinth ${event.command}`).setAttributes(attributes)
    } else {
      this.#commands.push(this.#start(`plinth ${event.command}`, { startTime: this.#lastAt, attributes }))
    }
  }

  #finish(event: Extract<Event, { type: 'run.finished' }>): void {
    const span = this.#commands.at(-1)
    span?.setAttributes({ 'plinth.status': event.status, ...(event.code === null ? {} : { 'error.type': event.code }) })
    if (event.status === 'failed')
      span?.setStatus({ code: this.#api.SpanStatusCode.ERROR, ...(event.code === null ? {} : { message: event.code }) })
    if (this.#commands.length === 1) return this.end()
    span?.end(this.#lastAt)
    this.#commands.pop()
  }

  #lock(name: string, waitedMs: number): Span {
    const open = this.#locks.get(name)
    if (open) return open
    const startTime = new Date(this.#lastAt.getTime() - waitedMs)
    const span = this.#start('lock', { startTime, attributes: { 'plinth.lock.name': name } })
    this.#locks.set(name, span)
    return span
  }

  #beginStep(event: Extract<Event, { type: 'step.started' }>): void {
    const before = this.#steps.get(stepKey(event))
    if (before) this.#endStep(before)
    const span = this.#start(`${event.direction} ${nameOfStep(event)}`, {
      startTime: this.#lastAt,
      attributes: attributesOf(event),
    })
    this.#steps.set(stepKey(event), { span, system: systems[event.engine ?? ''] ?? event.engine, slowest: [], left: 0 })
  }

  #finishStep(event: Extract<Event, { type: 'step.finished' | 'step.failed' }>): void {
    const step = this.#steps.get(stepKey(event))
    if (!step) return
    this.#steps.delete(stepKey(event))
    step.span.setAttributes(waitAttributes(event))
    if (event.type === 'step.failed') {
      const failure: Attributes = {
        'error.type': event.code,
        ...(event.sqlState === null ? {} : { 'db.response.status_code': event.sqlState }),
      }
      const status = { code: this.#api.SpanStatusCode.ERROR, message: event.code }
      step.span.setAttributes(failure).setStatus(status)
      if (event.line !== null) this.#failedStatement(step, event, failure)
    } else {
      step.span.setAttributes({ 'plinth.rows': event.rows, 'plinth.tables': [...event.tables] })
    }
    this.#endStep(step)
  }

  #keepStatement(event: StatementFinished): void {
    const step = [...this.#steps].findLast(([key]) => key.startsWith(`${event.database ?? ''} `))?.[1]
    if (!step) return
    step.slowest.push(event)
    if (step.slowest.length <= statementsMax) return
    const fastest = step.slowest.reduce((least, each) => (each.durationMs < least.durationMs ? each : least))
    step.slowest.splice(step.slowest.indexOf(fastest), 1)
    step.left += 1
  }

  #endStep(step: OpenStep): void {
    for (const statement of step.slowest) {
      const startMs = statement.startedAtMs
      const span = this.#startBelow(step.span, statement.summary, {
        kind: this.#api.SpanKind.CLIENT,
        startTime: startMs,
        attributes: {
          ...databaseAttributes(step.system, statement.summary),
          'plinth.statement.index': statement.index,
          'plinth.statement.line': statement.line,
          'plinth.rows': statement.rows,
        },
      })
      span.end(startMs + statement.durationMs)
    }
    if (step.left > 0) step.span.setAttribute('plinth.statements.without_span', step.left)
    step.span.end(this.#lastAt)
  }

  /** The failed statement has no fact of its own: it began when the one before it ended, and ended now. */
  #failedStatement(step: OpenStep, event: Extract<Event, { type: 'step.failed' }>, failure: Attributes): void {
    const ends = step.slowest.map(statement => statement.startedAtMs + statement.durationMs)
    const endMs = this.#lastAt.getTime()
    const startTime = Math.min(endMs, ends.length > 0 ? Math.max(...ends) : endMs - event.durationMs)
    const attributes = {
      ...databaseAttributes(step.system, undefined),
      ...failure,
      'plinth.statement.line': event.line ?? 0,
    }
    const span = this.#startBelow(step.span, 'failed statement', {
      kind: this.#api.SpanKind.CLIENT,
      startTime,
      attributes,
    })
    span.setStatus({ code: this.#api.SpanStatusCode.ERROR, message: event.code })
    span.end(this.#lastAt)
  }

  #finished(event: Event, durationMs: number): void {
    const startTime = new Date(this.#lastAt.getTime() - durationMs)
    const span = this.#start(event.type.replace(/\.(finished|started|stopped)$/, ''), {
      startTime,
      attributes: attributesOf(event),
    })
    if (event.type === 'check.finished' && (event.status === 'failed' || event.status === 'error'))
      span.setStatus({ code: this.#api.SpanStatusCode.ERROR })
    span.end(this.#lastAt)
  }

  #current(): Span {
    const span = [...this.#steps.values()].at(-1)?.span ?? [...this.#locks.values()].at(-1) ?? this.#commands.at(-1)
    if (!span) throw new Error('a run has a root span')
    return span
  }

  #start(name: string, options: SpanOptions): Span {
    return this.#startBelow(this.#current(), name, options)
  }

  #startBelow(parent: Span, name: string, options: SpanOptions): Span {
    return this.#tracer.startSpan(name, options, this.#api.trace.setSpan(this.#parent, parent))
  }
}

/** Engines by the names that the conventions give their systems. */
const systems: Readonly<Record<string, string>> = { postgres: 'postgresql' }

function databaseAttributes(system: string | undefined, summary: string | undefined): Attributes {
  const operation = summary === undefined ? undefined : /^\w+/.exec(summary)?.[0].toUpperCase()
  return {
    ...(system === undefined ? {} : { 'db.system.name': system }),
    ...(operation === undefined ? {} : { 'db.operation.name': operation }),
    ...(summary === undefined ? {} : { 'db.query.summary': summary }),
  }
}

function blockedAttributes(event: Extract<Event, { type: 'lock.blocked' }>): Attributes {
  const { blockers, ...rest } = event
  return { ...attributesOf(rest), 'plinth.blockers': blockers.map(describeBlocker) }
}

function waitAttributes({ lockWaitMs, blockedSessionsMax, blockedMsMax }: Partial<StepWaits>): Attributes {
  if (lockWaitMs === undefined) return {}
  return {
    'plinth.lock.step_waited_ms': lockWaitMs,
    'plinth.lock.blocked_sessions_max': blockedSessionsMax ?? 0,
    'plinth.lock.blocked_ms_max': blockedMsMax ?? 0,
  }
}

function stepKey(event: {
  readonly track: string
  readonly version: string
  readonly direction: string
  readonly database?: string
}): string {
  return `${event.database ?? ''} ${event.track} ${event.direction} ${event.version}`
}

const envelope: ReadonlySet<string> = new Set(['type', 'at', 'runId', 'sequence', 'schemaVersion'])

/** The fact's own fields as `plinth.…`, in snake case; what is null says nothing and is left out. */
function attributesOf(event: object): Attributes {
  const entries = Object.entries(event).filter(
    ([name, value]) => !envelope.has(name) && value !== null && value !== undefined,
  )
  return Object.fromEntries(
    entries.map(([name, value]) => [
      `plinth.${name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}`,
      value as Attributes[string],
    ]),
  )
}
