/** Counts what the database answers while a message runs, and tells each statement of the file as it ends. */
import type { StatementDone } from '../engines/engine.ts'
import type { StepContext } from './context.ts'
import type { Message } from './message.ts'

export class StatementTally {
  /** Rows that were written, not those that were read. */
  rows = 0
  /** Statements of the message that were answered. */
  answered = 0
  readonly #context: StepContext
  readonly #message: Message
  readonly #startedAtMs: number
  #previousMs = 0

  constructor(context: StepContext, message: Message, startedAtMs: number) {
    this.#context = context
    this.#message = message
    this.#startedAtMs = startedAtMs
  }

  readonly count = (done: StatementDone): void => {
    this.answered = done.index + 1
    const statement = this.#message.statements[done.index - this.#message.before]
    const startedAtMs = this.#startedAtMs + this.#previousMs
    const durationMs = done.finishedAtMs - this.#previousMs
    this.#previousMs = done.finishedAtMs
    if (!statement) return
    const rows = writes.has(done.command.split(' ')[0] ?? '') ? done.rowCount : 0
    this.rows += rows
    const { version } = this.#context.step
    this.#context.emit({
      type: 'statement.finished',
      version,
      index: statement.index,
      line: statement.line,
      summary: statement.summary,
      rows,
      durationMs,
      startedAtMs,
    })
  }
}

const writes: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY'])
