/** What an expansion says, before it becomes files. */

/** One migration: statements without semicolons, the wishes of each head, and why. */
export interface Draft {
  readonly title: string
  readonly up: readonly string[]
  readonly upHead: readonly string[]
  readonly upWhy: string
  readonly down: readonly string[]
  readonly downHead: readonly string[]
  readonly downWhy: string
  readonly checks?: string
}

export interface Drafts {
  /** Such as `rename-column shop.orders.amount to total`. */
  readonly what: string
  readonly steps: readonly Draft[]
  /** What has to be done by hand, one sentence each. */
  readonly notices: readonly string[]
}
