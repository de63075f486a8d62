/** What a hook is told: plain JSON without secrets, literals and rows. */
import type { Moment } from '../../config/hooks.ts'
import type { Direction } from '../../telemetry/event.ts'

export interface HookFact {
  readonly schemaVersion: 1
  readonly hook: Moment
  readonly runId: string
  /** Such as `apply`. */
  readonly command: string
  readonly environment: string | null
  readonly track: string
  /** Safe to print, such as `host:5432/app`. */
  readonly database: string
  readonly actor: string
  readonly direction: Direction
  /** Newest applied version before the run, and after all of it; null when there is none. */
  readonly from: string | null
  readonly to: string | null
  /** All steps of the run, in order. */
  readonly steps: readonly { readonly version: string; readonly slug: string }[]
  /** The step that it is about; null for what is about the run. */
  readonly step: HookStep | null
  /** What was done; null before it. */
  readonly result: HookResult | null
  /** What failed; null unless something did. */
  readonly error: HookError | null
}

export interface HookStep {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  readonly mode: string
  readonly statements: number
  readonly tables: readonly string[]
}

export interface HookResult {
  readonly stepsDone: number
  readonly rows: number
  readonly durationMs: number
}

export interface HookError {
  readonly code: string
  readonly message: string
  readonly sqlState: string | null
  readonly file: string | null
  readonly line: number | null
}

/** What a hook does with a fact: it returns, or throws why not. */
export type Call = (fact: HookFact, signal: AbortSignal) => Promise<void>
