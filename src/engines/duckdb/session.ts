/** A session on a DuckDB file: one connection, whose statements run one after another. */
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DuckDBConnection, DuckDBMaterializedResult, DuckDBType } from '@duckdb/node-api'
import { PlinthError } from '../../errors.ts'
import type { Schema } from '../../schema/model.ts'
import type {
  Engine,
  IntrospectOptions,
  OpenOptions,
  Parameterized,
  Result,
  Row,
  Session,
  StatementDone,
  Value,
} from '../engine.ts'
import { type Sent, statementFailure } from './failure.ts'
import type { Block, BlockType } from '../block.ts'
import { appendBlocks, type Foreseen, readBlocks } from './blocks.ts'
import { acquireInstance, filePath, type OpenInstance } from './instance.ts'
import { introspect } from './introspect.ts'
import { bind, createConverter, type DuckDbModule } from './rows.ts'
import { commandOf, splitStatements } from './statements.ts'

/** A DuckDB session, with what bulk loading needs beyond the seam. */
export interface DuckDbSession extends Session {
  /** Runs `work` with the path of a file that holds the bytes of `source`; the file is gone afterwards. */
  withBulkFile<T>(source: AsyncIterable<Uint8Array | string>, work: (path: string) => Promise<T>): Promise<T>
  /** Appends rows to a table whose columns have these types in this order, and answers their number. */
  appendBlocks(table: TableName, types: readonly BlockType[], blocks: AsyncIterable<Block>): Promise<number>
  /** The rows of a query; the block is filled anew each time. Where texts are foreseen, the query answers hashes in their place. */
  readBlocks(text: string, types: readonly BlockType[], foreseen?: readonly (Foreseen | null)[]): AsyncIterable<Block>
}

export interface TableName {
  readonly catalog?: string
  readonly schema: string
  readonly name: string
}

/** How long a busy file is waited for when the caller does not say. */
const defaultWaitMs = 5000

export async function openSession(engine: Engine, url: string, options: OpenOptions): Promise<DuckDbSession> {
  const duckdb = await import('@duckdb/node-api')
  const instance = await acquireInstance(url, { waitMs: options.waitMs ?? defaultWaitMs, onWait: options.onWait })
  let session: OpenSession | undefined
  try {
    session = new OpenSession(engine, filePath(url) ?? ':memory:', duckdb, instance, await instance.connect())
    await session.query("set TimeZone = 'UTC'")
    for (const [name, value] of Object.entries(options.settings ?? {})) await session.set(name, value)
    return session
  } catch (error) {
    await (session ? session.close() : instance.release())
    throw error
  }
}

class OpenSession implements DuckDbSession {
  readonly engine: Engine
  readonly address: string
  readonly backendId = null
  readonly pooled = false
  readonly serverVersion: number
  readonly #instance: OpenInstance
  readonly #connection: DuckDBConnection
  readonly #duckdb: DuckDbModule
  readonly #convert: ReturnType<typeof createConverter>
  readonly #identity = Symbol('session')
  #tail: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(
    engine: Engine,
    address: string,
    duckdb: DuckDbModule,
    instance: OpenInstance,
    connection: DuckDBConnection,
  ) {
    this.engine = engine
    this.address = address
    this.#duckdb = duckdb
    this.#instance = instance
    this.#connection = connection
    this.#convert = createConverter(duckdb)
    this.serverVersion = Number(/^v?(\d+)/.exec(duckdb.version())?.[1] ?? 0)
  }

  query<R = Row>(text: string, values: readonly Value[] = []): Promise<Result<R>> {
    if (text.includes(';') && splitStatements(text).length > 1) return Promise.reject(severalStatements())
    const translated = translate(text)
    return this.#inTurn(() => this.#read<R>(translated, values))
  }

  async send(statements: readonly Parameterized[]): Promise<readonly Result[]> {
    const results: Result[] = []
    for (const { text, values } of statements) results.push(await this.query(text, values))
    return results
  }

  /** DuckDB parses the whole script before its first statement runs, so a syntax error anywhere changes nothing. */
  script(text: string, onStatement?: (done: StatementDone) => void): Promise<void> {
    const started = performance.now()
    return this.#inTurn(async () => {
      await this.#parse(text)
      for (const [index, statement] of splitStatements(text).entries()) {
        const sent = { ...statement, script: text, statement: index, address: this.address }
        const result = await this.#run(translate(statement.text), [], sent)
        const rowCount = countRows(this.#duckdb, result)
        onStatement?.({
          index,
          command: commandOf(statement.text),
          rowCount,
          finishedAtMs: performance.now() - started,
        })
      }
    })
  }

  copyOut(text: string): Readable {
    return Readable.from(this.#exported(text), { objectMode: false })
  }

  async copyIn(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    const parts = /^\s*copy\s+([\s\S]+?)\s+from\s+stdin\s*(?:with)?\s*(\([\s\S]*\))?\s*;?\s*$/i.exec(text)
    if (!parts) throw unsupportedCopy('copy <table> from stdin (format csv)')
    refuseBinary(parts[2])
    const header = asksForHeader(parts[2])
    return this.withBulkFile(source, async path => {
      const copied = await this.query(
        `copy ${parts[1]} from ${quoteLiteral(path)} (format csv, header ${header}, delimiter ',', quote '"', escape '"', nullstr '', allow_quoted_nulls false, auto_detect false)`,
      )
      return copied.rowCount
    })
  }

  async withBulkFile<T>(source: AsyncIterable<Uint8Array | string>, work: (path: string) => Promise<T>): Promise<T> {
    return this.#withBulkFolder(async folder => {
      const path = join(folder, 'in.csv')
      await pipeline(source, createWriteStream(path, { mode: 0o600 }))
      return work(path)
    })
  }

  appendBlocks(table: TableName, types: readonly BlockType[], blocks: AsyncIterable<Block>): Promise<number> {
    const text = `insert into ${table.schema}.${table.name}`
    return this.#inTurn(() =>
      appendBlocks(this.#duckdb, { connection: this.#connection, ...table, types, blocks }).catch((error: unknown) => {
        throw error instanceof PlinthError
          ? error
          : statementFailure(error, { text, script: text, offset: 0, address: this.address })
      }),
    )
  }

  async *readBlocks(
    text: string,
    types: readonly BlockType[],
    foreseen: readonly (Foreseen | null)[] = [],
  ): AsyncGenerator<Block, void> {
    let release = (): void => undefined
    const turn = new Promise<void>(resolve => {
      release = resolve
    })
    // The turn lasts until the last row was read, since another statement would end the stream.
    await new Promise<void>((start, refuse) => {
      this.#inTurn(async () => {
        start()
        await turn
      }).catch(refuse)
    })
    try {
      yield* readBlocks(this.#connection, text, types, foreseen)
    } catch (error) {
      if (error instanceof PlinthError) throw error
      throw statementFailure(error, { text, script: text, offset: 0, address: this.address })
    } finally {
      release()
    }
  }

  introspect(options: IntrospectOptions = {}): Promise<Schema> {
    return introspect(this, options)
  }

  // Another process cannot open the file at all, so a lock only has to exclude the other sessions of this one.
  async tryLock(name: string): Promise<boolean> {
    const owner = this.#instance.locks.get(name)
    if (owner !== undefined && owner !== this.#identity) return false
    this.#instance.locks.set(name, this.#identity)
    return true
  }

  async unlock(name: string): Promise<boolean> {
    return this.#instance.locks.get(name) === this.#identity && this.#instance.locks.delete(name)
  }

  async lockHolder(name: string): Promise<string | null> {
    return this.#instance.locks.has(name) ? `another session of this process (PID ${process.pid})` : null
  }

  async cancel(): Promise<void> {
    if (!this.#closed) this.#connection.interrupt()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async set(name: string, value: string): Promise<void> {
    if (!/^[a-zA-Z_]+$/.test(name))
      throw new PlinthError('CONFIG_INVALID', 'A DuckDB setting is named by letters and underscores.', {
        at: { object: this.address },
      })
    await this.query(`set ${name} = ${quoteLiteral(value)}`)
  }

  async #close(): Promise<void> {
    await this.#tail
    for (const [name, owner] of this.#instance.locks) if (owner === this.#identity) this.#instance.locks.delete(name)
    await this.#connection.run('rollback').catch(() => undefined)
    this.#connection.closeSync()
    await this.#instance.release()
  }

  /** DuckDB takes one statement of a connection at a time, and promises no order when several wait. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed)
      return Promise.reject(
        new PlinthError('CONNECTION_LOST', `The session on ${this.address} is closed.`, {
          at: { object: this.address },
        }),
      )
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  async #read<R>(text: string, values: readonly Value[]): Promise<Result<R>> {
    const result = await this.#run(text, values, { text, script: text, offset: 0, address: this.address })
    const rowCount = countRows(this.#duckdb, result)
    const command = commandOf(text)
    if (result.returnType !== this.#duckdb.ResultReturnType.QUERY_RESULT) return { rows: [], rowCount, command }
    // The chunks' types have lost their aliases, by which JSON differs from text; the result's types have them.
    const types = result.columnTypes()
    const names = result.deduplicatedColumnNames()
    const rows = (await result.getRows()).map(values =>
      Object.fromEntries(
        names.map((name, i) => [name, this.#convert(values[i] ?? null, types[i] as DuckDBType, this.#convert)]),
      ),
    )
    return { rows: rows as R[], rowCount: rows.length, command }
  }

  async #run(text: string, values: readonly Value[], sent: Sent): Promise<DuckDBMaterializedResult> {
    try {
      if (values.length === 0) return await this.#connection.run(text)
      const bound = values.map(value => bind(this.#duckdb, value))
      return await this.#connection.run(
        text,
        bound.map(({ value }) => value),
        bound.map(({ type }) => type),
      )
    } catch (error) {
      throw statementFailure(error, sent)
    }
  }

  async #parse(script: string): Promise<void> {
    try {
      await this.#connection.extractStatements(script)
    } catch (error) {
      const empty = splitStatements(script).length === 0
      if (!empty) throw statementFailure(error, { text: script, script, offset: 0, address: this.address })
    }
  }

  async *#exported(text: string): AsyncGenerator<Buffer> {
    const parts = /^\s*copy\s+([\s\S]+?)\s+to\s+stdout\s*(?:with)?\s*(\([\s\S]*\))?\s*;?\s*$/i.exec(text)
    refuseBinary(parts?.[2])
    const subject = parts?.[1] ?? `(${text.replace(/;\s*$/, '')}\n)`
    const header = parts === null || asksForHeader(parts[2])
    const folder = this.#makeBulkFolder()
    try {
      const path = join(folder, 'out.csv')
      await this.query(`copy ${subject} to ${quoteLiteral(path)} (format csv, header ${header})`)
      yield* createReadStream(path) as AsyncIterable<Buffer>
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  async #withBulkFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const folder = this.#makeBulkFolder()
    try {
      return await work(folder)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** Only this user may look into it (mkdtemp makes folders with mode 0700). */
  #makeBulkFolder(): string {
    return mkdtempSync(join(this.#instance.scratchFolder, this.#instance.scratchPrefix))
  }
}

/** Brackets speak PostgreSQL's words for a snapshot; a DuckDB transaction is always one. */
function translate(text: string): string {
  return /^\s*begin\s+isolation\s+level\s+repeatable\s+read\s+read\s+only\s*;?\s*$/i.test(text)
    ? 'begin transaction read only'
    : text
}

function countRows(duckdb: DuckDbModule, result: DuckDBMaterializedResult): number {
  if (result.returnType === duckdb.ResultReturnType.CHANGED_ROWS) return result.rowsChanged
  return result.returnType === duckdb.ResultReturnType.QUERY_RESULT ? result.rowCount : 0
}

function severalStatements(): PlinthError {
  return new PlinthError('SQL_SYNTAX', 'A query is one statement; this text holds several.', {
    hint: 'Run them as a script.',
  })
}

function asksForHeader(options: string | undefined): boolean {
  return /\bheader\b(?!\s+(?:false|off|0))/i.test(options ?? '')
}

function refuseBinary(options: string | undefined): void {
  if (/\bbinary\b/i.test(options ?? '')) throw unsupportedCopy('(format csv)')
}

function unsupportedCopy(expected: string): PlinthError {
  return new PlinthError('ENGINE_UNSUPPORTED', 'DuckDB copies CSV alone.', { hint: `Write ${expected}.` })
}

export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
