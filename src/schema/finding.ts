/** What lint has to say about a migration, as plain data: plans, approval, the API and every output format show the same. */

export const severities = ['off', 'notice', 'warning', 'error'] as const
export type Severity = (typeof severities)[number]

export interface Finding {
  /** Such as `lock-index-nonconcurrent`. */
  readonly rule: string
  readonly severity: Exclude<Severity, 'off'>
  /** What is wrong with this very statement or object, one sentence without literals or rows. */
  readonly message: string
  /** What to do instead. */
  readonly hint: string
  readonly file: string | null
  /** Counted from 1. */
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
  readonly version: string | null
  readonly direction: 'up' | 'down' | null
  /** Index of the statement; null for a finding about a file or an object that no statement of it touches. */
  readonly statement: number | null
  /** What it is about, such as `platform.users.email`; a baseline is keyed by rule and object. */
  readonly object: string | null
  /** `rehearsal`: seen on a real server; `text`: read from the file alone. */
  readonly basis: 'rehearsal' | 'text'
  /** Null unless an allowance in the file, or the baseline, silences it. */
  readonly allowed: { readonly by: 'file' | 'baseline'; readonly reason: string | null } | null
  /** A rewrite that is certain; null where there is none. Replaces `start` to `end` (string indexes in the file). */
  readonly fix: { readonly title: string; readonly edits: readonly Edit[] } | null
}

export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}
