/** What is asked of a resident. */

export type Question = Call | { readonly ask: 'who' } | { readonly ask: 'leave' }

/** A command line with all that its answer may follow from, beside files. What standard input holds comes behind it. */
export interface Call {
  readonly ask: 'lint'
  readonly build: string
  readonly world: string
  readonly argv: readonly string[]
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly umask: number
  readonly out: Screen
  readonly error: Screen
}

/** What a stream tells those who write to it. */
export interface Screen {
  readonly isTTY?: true
  readonly columns?: number
  readonly rows?: number
}

/** What a resident says of itself. */
export interface Who {
  readonly pid: number
  readonly megabytes: number
  /** Since it started. */
  readonly callsAnswered: number
  /** While it answers one, or gets ready, others are sent away. */
  readonly busy: 'yes' | 'no'
}
