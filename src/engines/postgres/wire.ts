/** Messages of PostgreSQL's protocol that `pg` itself does not hand on: one object a conversation, given to `client.query`. */
import { liftRows } from '../../sql/inline-rows.ts'
import type { Result, Row, Scalar, StatementDone, Value } from '../engine.ts'
import { type Connection, DriverResult, Query, type QueryConfig, type QueryResult, type Submittable } from './driver.ts'
import { parsers } from './values.ts'

/** A statement with parameters in the extended protocol, which refuses a second statement in the same text. */
export class OneStatement extends Query {
  tag = ''

  constructor(
    { text, values, name }: { readonly text: string; readonly values: readonly Value[]; readonly name: string },
    done: (error: Error | undefined, result: QueryResult) => void,
  ) {
    super({ text, values: [...values], name, queryMode: 'extended' } as QueryConfig, done as never)
  }

  handleCommandComplete(message: CommandComplete, connection: Connection): void {
    this.tag = message.text
    inherited.handleCommandComplete.call(this, message, connection)
  }

  /** The server skips the Sync that was sent ahead while it waits for rows, so it needs another one after the refusal. */
  handleCopyInResponse(connection: Wire): void {
    connection.sendCopyFail('no rows are sent here')
    connection.sync()
  }
}

/** Several statements in one simple-protocol message. The server answers each in order; empty ones are not answered. */
export class Script implements Conversation<void> {
  settle: Settle<void> = unsettled
  finished = 0
  readonly #text: string
  readonly #onStatement: ((done: StatementDone) => void) | undefined
  /** Rows for its `copy … from stdin`, in their order. */
  readonly #rows: string[]
  #startedAtMs = 0
  /** What the caller's own callback threw; the server is not stopped by it. */
  #thrown: CallersFailure | undefined

  constructor(text: string, onStatement: ((done: StatementDone) => void) | undefined) {
    const { sql, blocks } = liftRows(text)
    this.#text = sql
    this.#rows = blocks.map(({ start, end }) => text.slice(start, end))
    this.#onStatement = onStatement
  }

  submit(connection: Connection): null {
    this.#startedAtMs = performance.now()
    connection.query(this.#text)
    return null
  }

  handleCommandComplete(message: CommandComplete): void {
    const done = {
      index: this.finished++,
      ...readTag(message.text),
      finishedAtMs: performance.now() - this.#startedAtMs,
    }
    try {
      this.#onStatement?.(done)
    } catch (error) {
      this.#thrown ??= new CallersFailure(error)
    }
  }

  handleCopyInResponse(connection: Wire): void {
    const rows = this.#rows.shift()
    if (rows === undefined) return connection.sendCopyFail('no rows are sent here')
    if (rows !== '') connection.sendCopyFromChunk(Buffer.from(rows))
    connection.endCopyFrom()
  }

  handleReadyForQuery(): void {
    if (this.#thrown) this.settle.reject(this.#thrown)
    else this.settle.resolve()
  }

  handleError(error: Error): void {
    this.settle.reject(error)
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
  handlePortalSuspended(): void {}
}

/** Statements with parameters behind one another in one message: the server skips what stands behind one that fails. */
export class Together implements Conversation<readonly Result[]> {
  settle: Settle<readonly Result[]> = unsettled
  finished = 0
  readonly #results: Result[] = []
  #rows = answer()
  readonly #statements: readonly NamedStatement[]

  constructor(statements: readonly NamedStatement[]) {
    this.#statements = statements
  }

  submit(connection: Connection): null {
    connection.stream.cork()
    for (const { text, values, name } of this.#statements) {
      const known = (connection as Wire).parsedStatements
      if (name === '' || known[name] === undefined) connection.parse({ text, name, types: [] }, true)
      if (name !== '') known[name] = text
      connection.bind({ statement: name, values: values.map(asParameter) }, true)
      connection.describe({ type: 'P', name: '' }, true)
      connection.execute({}, true)
    }
    connection.sync()
    connection.stream.uncork()
    return null
  }

  handleCommandComplete({ text }: CommandComplete): void {
    this.#results.push({ rows: this.#rows.rows, ...readTag(text) })
    this.#rows = answer()
    this.finished++
  }

  handleEmptyQuery(): void {
    this.handleCommandComplete({ text: '' })
  }

  handleRowDescription({ fields }: { readonly fields: readonly unknown[] }): void {
    this.#rows.addFields(fields)
  }

  handleDataRow({ fields }: { readonly fields: readonly unknown[] }): void {
    this.#rows.addRow(this.#rows.parseRow(fields))
  }

  handleReadyForQuery(): void {
    this.settle.resolve(this.#results)
  }

  handleError(error: Error): void {
    this.settle.reject(error)
  }

  handleCopyInResponse(connection: Wire): void {
    connection.sendCopyFail('no rows are sent here')
    connection.sync()
  }

  handleCopyData(): void {}
  handlePortalSuspended(): void {}
}

/** Reads rows with the parsers of our clients. */
function answer(): Answer {
  return new DriverResult('', parsers as never) as unknown as Answer
}

/** The empty name is the one that the server plans anew each time. */
interface NamedStatement {
  readonly text: string
  readonly values: readonly Scalar[]
  readonly name: string
}

/** Rows into `copy … from stdin`; resolves to their number when the server has taken them all. */
export class CopyIn implements Conversation<number> {
  settle: Settle<number> = unsettled
  readonly #text: string
  readonly #source: AsyncIterable<Uint8Array | string>
  #rows = 0
  #failure: Error | undefined
  #wake: (() => void) | undefined

  constructor(text: string, source: AsyncIterable<Uint8Array | string>) {
    this.#text = text
    this.#source = source
  }

  submit(connection: Connection): null {
    connection.query(this.#text)
    return null
  }

  handleCopyInResponse(connection: Wire): void {
    this.#send(connection).catch((error: unknown) => {
      this.#failure ??= new CallersFailure(error)
      connection.sendCopyFail('the source of the rows failed')
    })
  }

  handleCommandComplete(message: CommandComplete): void {
    this.#rows = readTag(message.text).rowCount
  }

  handleReadyForQuery(): void {
    this.settle.resolve(this.#rows)
  }

  /** The source's own failure comes first: the server's is only its echo. */
  handleError(error: Error): void {
    this.#failure ??= error
    this.#wake?.()
    this.settle.reject(this.#failure)
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
  handlePortalSuspended(): void {}

  async #send(connection: Wire): Promise<void> {
    for await (const chunk of this.#source) {
      if (this.#failure) return
      connection.sendCopyFromChunk(Buffer.from(chunk as Uint8Array))
      if (connection.stream.writableNeedDrain) await this.#drained(connection)
    }
    if (!this.#failure) connection.endCopyFrom()
  }

  /** Ends as well when the server refused the rows or the socket broke, since no drain comes then. */
  #drained(connection: Wire): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
      connection.stream.once('drain', resolve)
    })
  }
}

/** Settles once, when the server is ready again or has refused. */
export interface Conversation<T> extends Submittable {
  settle: Settle<T>
}

export interface Settle<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/** What the caller's source or callback threw, on its way back to him: it is not the database's failure. */
export class CallersFailure extends Error {
  readonly thrown: unknown

  constructor(thrown: unknown) {
    super('The caller failed.')
    this.thrown = thrown
  }
}

/** `INSERT 0 5` → INSERT and 5; `CREATE TABLE` → CREATE TABLE and 0. */
export function readTag(tag: string): { readonly command: string; readonly rowCount: number } {
  const match = /^(\D*?)(?: \d+)*? ?(\d+)?$/.exec(tag)
  return { command: match?.[1] ?? tag, rowCount: Number(match?.[2] ?? 0) }
}

function asParameter(value: Scalar): string | Buffer | null {
  if (value === null || typeof value === 'string') return value
  return value instanceof Uint8Array ? Buffer.from(value) : String(value)
}

const unsettled: Settle<unknown> = { resolve: () => undefined, reject: () => undefined }

interface CommandComplete {
  readonly text: string
}

/** What `pg`'s types leave out of its result. */
interface Answer {
  readonly rows: Row[]
  addFields(fields: readonly unknown[]): void
  parseRow(values: readonly unknown[]): Row
  addRow(row: Row): void
}

/** Methods of `pg`'s connection that its types leave out. */
interface Wire extends Connection {
  /** Texts by the name that the server knows them by. */
  readonly parsedStatements: Record<string, string>
  sendCopyFail(message: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

const inherited = Query.prototype as unknown as {
  handleCommandComplete(this: Query, message: CommandComplete, connection: Connection): void
}
