/**
 * The closed set of facts. A fact is emitted after it is true, holds no secret, no literal and no row data, and feeds every sink:
 * terminal, NDJSON, OpenTelemetry, the ledger. A new member makes the compiler name each sink that must learn it.
 */
export type Fact =
  | {
      readonly type: 'run.started'
      readonly command: string
      readonly track: string | null
      readonly environment: string | null
      readonly actor: string
    }
  | {
      readonly type: 'run.finished'
      readonly command: string
      readonly status: RunStatus
      readonly durationMs: number
      readonly code: string | null
    }
  | { readonly type: 'server.starting'; readonly dataFolder: string; readonly fresh: boolean }
  | { readonly type: 'server.started'; readonly address: string; readonly fresh: boolean; readonly durationMs: number }
  | { readonly type: 'server.stopped'; readonly address: string; readonly durationMs: number }
  | { readonly type: 'lock.waiting'; readonly lock: string; readonly holder: string | null; readonly waitedMs: number }
  | { readonly type: 'lock.acquired'; readonly lock: string; readonly waitedMs: number }
  | { readonly type: 'lock.released'; readonly lock: string; readonly heldMs: number }
  | {
      /** A step waits for a lock that others hold; told soon after it is seen, when it is others, and every five seconds. */
      readonly type: 'lock.blocked'
      readonly track: string
      readonly version: string
      readonly direction: Direction
      readonly waitedMs: number
      readonly blockers: readonly Blocker[]
    }
  | {
      readonly type: 'step.started'
      readonly track: string
      readonly version: string
      readonly slug: string
      readonly direction: Direction
      readonly statements: number
      readonly transactional: boolean
      /** Name of the engine that the step runs on, such as `postgres`. */
      readonly engine?: string
    }
  | {
      readonly type: 'step.resumed'
      readonly track: string
      readonly version: string
      readonly direction: Direction
      readonly cursor: number
    }
  | {
      readonly type: 'step.retried'
      readonly track: string
      readonly version: string
      readonly direction: Direction
      readonly attempt: number
      readonly sqlState: string
      readonly pauseMs: number
    }
  | ({
      readonly type: 'step.finished'
      readonly track: string
      readonly version: string
      readonly slug: string
      readonly direction: Direction
      readonly statements: number
      readonly rows: number
      readonly tables: readonly string[]
      readonly durationMs: number
    } & Partial<StepWaits>)
  | ({
      readonly type: 'step.failed'
      readonly track: string
      readonly version: string
      readonly slug: string
      readonly direction: Direction
      readonly code: string
      readonly sqlState: string | null
      readonly line: number | null
      readonly durationMs: number
    } & Partial<StepWaits>)
  | {
      readonly type: 'statement.finished'
      readonly version: string
      readonly index: number
      readonly line: number
      readonly summary: string
      readonly rows: number
      readonly durationMs: number
      readonly startedAtMs: number
    }
  | {
      readonly type: 'hook.finished'
      /** Such as `before-step`. */
      readonly moment: string
      /** Place of its setting, such as `hooks.before-step`. */
      readonly hook: string
      readonly track: string
      readonly version: string | null
      readonly status: 'passed' | 'refused' | 'failed'
      readonly durationMs: number
    }
  | {
      readonly type: 'database.finished'
      /** Its name in the fleet. */
      readonly name: string
      readonly address: string
      readonly status: RunStatus | 'skipped'
      readonly from: string | null
      readonly to: string | null
      readonly code: string | null
      readonly durationMs: number
    }
  | {
      /** A step took another lock than its rehearsal foresaw, from `ShareUpdateExclusiveLock` upwards; null stands for a weaker one or none. */
      readonly type: 'lock.unforeseen'
      readonly track: string
      readonly version: string
      readonly direction: Direction
      readonly relation: string
      readonly predicted: string | null
      readonly observed: string | null
    }
  | { readonly type: 'index.rebuilt'; readonly version: string; readonly index: string }
  /** Batches wait, since the server is above the ceiling: so many sessions at work, or so many milliseconds of lag. */
  | {
      readonly type: 'backfill.held'
      readonly version: string
      readonly reason: 'sessions' | 'replica lag'
      readonly observed: number
      readonly ceiling: number
      readonly pauseMs: number
    }
  | {
      readonly type: 'seed.table.finished'
      readonly package: string
      readonly table: string
      readonly inserted: number
      readonly updated: number
      readonly unchanged: number
      readonly durationMs: number
    }
  | {
      readonly type: 'rollup.captured'
      readonly source: string
      readonly marks: number
      readonly cells: number
      readonly rebased: boolean
      readonly durationMs: number
    }
  | {
      readonly type: 'rollup.loaded'
      readonly table: string
      readonly rows: number
      readonly cells: number
      readonly durationMs: number
    }
  | {
      readonly type: 'rollup.replaced'
      readonly table: string
      readonly rows: number
      readonly cells: number
      readonly durationMs: number
    }
  /** An alert: the source has changed in cells that are sealed, and somebody has to decide. */
  | {
      readonly type: 'rollup.quarantined'
      readonly source: string
      readonly cells: number
      readonly rows: number
      readonly oldestHour: string
    }
  | {
      readonly type: 'rollup.sealed'
      readonly source: string
      readonly sealedBefore: string
      readonly hours: number
      readonly rows: number
      readonly durationMs: number
    }
  /** A job of the schedule. */
  | {
      readonly type: 'job.finished'
      readonly job: string
      readonly status: 'succeeded' | 'failed'
      readonly code: string | null
      readonly durationMs: number
    }
  | {
      readonly type: 'check.finished'
      readonly check: string
      readonly status: CheckStatus
      readonly failures: number
      readonly durationMs: number
    }
  | {
      readonly type: 'reconciliation.finished'
      readonly source: string
      readonly cells: number
      readonly different: number
      readonly repaired: number
      readonly durationMs: number
    }
  | { readonly type: 'document.written'; readonly file: string; readonly changed: boolean }
  | {
      readonly type: 'progress'
      readonly task: string
      readonly done: number
      readonly total: number | null
      readonly unit: string
    }
  | { readonly type: 'warning'; readonly message: string; readonly hint: string | null }

/** A session that stands in the way. Holds no literal and no row data. */
export interface Blocker {
  readonly processId: number
  readonly application: string | null
  readonly user: string | null
  /** Such as `active` or `idle in transaction`; null without the right to see it. */
  readonly state: string | null
  /** Its present or last statement, such as `update shop.orders`; null without the right to see it. */
  readonly summary: string | null
  /** The lock that it holds and that is waited for, such as `AccessExclusiveLock`. */
  readonly mode: string | null
  /** What is locked, such as `shop.orders`; null for what has no name. */
  readonly object: string | null
  /** Since when its transaction is open, ISO 8601; null without the right to see it. */
  readonly since: string | null
}

/**
 * How a step and others waited for each other, in milliseconds, as exact as an observer's interval; rather more than less. Absent where a
 * step was over before the observer's first look.
 */
export interface StepWaits {
  /** How long the step waited for locks, all waits together. */
  readonly lockWaitMs: number
  /** The most sessions that waited for the step at the same moment, one behind the other included. */
  readonly blockedSessionsMax: number
  /** The longest time that another session waited for the step. */
  readonly blockedMsMax: number
}

export type FactType = Fact['type']
export type Direction = 'up' | 'down'
export type RunStatus = 'succeeded' | 'failed' | 'interrupted' | 'nothing-to-do'
export type CheckStatus = 'passed' | 'warned' | 'failed' | 'error'

/** A fact with its envelope: when (ISO 8601, UTC), in which run, and its number within the run. */
export type Event = Fact & {
  readonly at: string
  readonly runId: string
  readonly sequence: number
  readonly schemaVersion: 1
  /** Its name in the fleet, when several databases are worked on beside each other. */
  readonly database?: string
}

/** What parts are given. Emitting never throws and never waits. */
export type Emit = (fact: Fact) => void

/** Where events go. `close` flushes and takes at most two seconds. */
export interface Sink {
  write(event: Event): void
  close?(): Promise<void>
}

export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/** Fans facts out to sinks. A sink that throws is dropped, since telemetry never fails a run. */
export function createEmitter(sinks: readonly Sink[], runId: string, clock: Clock = systemClock): Emit {
  const live = new Set(sinks)
  let sequence = 0
  return fact => {
    const event = {
      ...fact,
      at: new Date(clock.now()).toISOString(),
      runId,
      sequence: sequence++,
      schemaVersion: 1,
    } as const
    for (const sink of live) {
      try {
        sink.write(event)
      } catch {
        live.delete(sink)
      }
    }
  }
}

/** Says nothing; for callers that have nobody to tell. */
export const silent: Emit = () => {}

/** `202601010000_create_users`; a repeatable, whose version is no number, is called by that alone: `R__views`. */
export function nameOfStep({ version, slug }: { readonly version: string; readonly slug: string }): string {
  return slug === '' || !/^\d/.test(version) ? version : `${version}_${slug}`
}
