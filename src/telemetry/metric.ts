/** Measures as plain data. One definition of each feeds the text of a scrape and what is sent to a collector. */
export type Metric = Numbers | Histogram

export interface Numbers extends Described {
  readonly kind: 'gauge' | 'counter'
  readonly samples: readonly Sample[]
}

export interface Histogram extends Described {
  readonly kind: 'histogram'
  readonly samples: readonly Distribution[]
}

export interface Sample {
  readonly labels: Labels
  /** Left out when null: there is nothing to measure yet. */
  readonly value: number | null
  /** When a counter began to count, ISO 8601; null where nobody knows. */
  readonly since?: string | null
}

export interface Distribution {
  readonly labels: Labels
  /** Inclusive upper bounds, ascending. */
  readonly bounds: readonly number[]
  /** How many lie between a bound and the one before it; one more than bounds, for what lies above the last. */
  readonly counts: readonly number[]
  readonly sum: number
  readonly since?: string | null
}

export type Labels = Readonly<Record<string, string>>

interface Described {
  /** Without the ending of its kind: a counter's samples end in `_total` by themselves. */
  readonly name: string
  readonly help: string
  /** The last part of the name. */
  readonly unit?: 'seconds'
}
