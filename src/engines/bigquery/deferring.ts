/** What writing to BigQuery asks of a session beyond the seam of engines. */
import type { Session } from '../engine.ts'
import type { Client } from './client.ts'

/** A BigQuery session, with what bulk loading needs. */
export interface BigQuerySession extends Session {
  readonly client: Client
  /** Runs with the next commit, or at once outside a transaction. */
  defer(statement: string): Promise<void>
  /** Done when the next transaction begins, or the session closes. */
  afterwards(work: () => Promise<void>): void
}
