/**
 * A session on a project. Each statement is a job of its own. A transaction gathers its writes and sends them as one script at the commit, which
 * BigQuery runs as one multi-statement transaction: either all of them are there, or none. What is read before the commit is what was there
 * before; BigQuery cannot roll back DDL, so it runs at once.
 */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Readable } from 'node:stream'
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
import { type Client, openClient } from './client.ts'
import { csvLine } from './csv.ts'
import { ensureDataset } from './dataset.ts'
import type { Sent } from './failure.ts'
import { introspect } from './introspect.ts'
import { cancelJob, type JobResult, runQuery } from './job.ts'
import { type Lock, lockHolder, takeLock } from './lock.ts'
import { isOwn, spell } from './spelling.ts'
import { commandOf, kindOf, splitStatements, tokensOf } from '../../sql/googlesql.ts'
import { parseAddress } from './url.ts'
import type { BigQuerySession } from './deferring.ts'
import { literal } from './values.ts'

export async function openSession(engine: Engine, url: string, options: OpenOptions): Promise<BigQuerySession> {
  const client = await openClient(parseAddress(url))
  const session = new OpenSession(engine, client, options.applicationName ?? 'plinth')
  const { dataset } = client.address
  if (dataset !== null) await ensureDataset(client, dataset)
  return session
}

class OpenSession implements BigQuerySession {
  readonly engine: Engine
  readonly address: string
  readonly backendId = null
  readonly pooled = false
  /** Of the API. */
  readonly serverVersion = 2
  readonly client: Client
  readonly #holder: string
  readonly #locks = new Map<string, Lock>()
  #tail: Promise<unknown> = Promise.resolve()
  #closed: Promise<void> | undefined
  /** Writes of the open transaction; null outside of one. */
  #pending: string[] | null = null
  #cleanups: (() => Promise<void>)[] = []
  #job: string | null = null
  #interrupt: ((error: PlinthError) => void) | null = null

  constructor(engine: Engine, client: Client, applicationName: string) {
    this.engine = engine
    this.client = client
    this.address = client.name
    this.#holder = `${applicationName} (process ${process.pid} on ${hostname()}, ${randomUUID().slice(0, 8)})`
  }

  query<R = Row>(text: string, values: readonly Value[] = []): Promise<Result<R>> {
    const statements = splitStatements(text)
    if (statements.length > 1) return Promise.reject(severalStatements())
    return this.#inTurn(() => this.#one<R>(text, values, { text, script: text, offset: 0, address: this.address }))
  }

  async send(statements: readonly Parameterized[]): Promise<readonly Result[]> {
    const results: Result[] = []
    for (const { text, values } of statements) results.push(await this.query(text, values))
    return results
  }

  /** What a script declares lives in one job alone, so such a script is sent as a whole. */
  script(text: string, onStatement?: (done: StatementDone) => void): Promise<void> {
    const started = performance.now()
    const statements = splitStatements(text)
    const told = (index: number, statement: string, rowCount: number) =>
      onStatement?.({ index, command: commandOf(statement), rowCount, finishedAtMs: performance.now() - started })
    return this.#inTurn(async () => {
      if (statements.some(statement => kindOf(statement.text) === 'scripting')) {
        await this.#run(text, { text, script: text, offset: 0, address: this.address })
        for (const [index, statement] of statements.entries()) told(index, statement.text, 0)
        return
      }
      for (const [index, { text: part, offset }] of statements.entries()) {
        const sent = { text: part, script: text, offset, statement: index, address: this.address }
        const { rowCount } = await this.#one(part, [], sent)
        told(index, part, rowCount)
      }
    })
  }

  defer(statement: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#pending) this.#pending.push(statement)
      else await this.#run(statement, this.#sent(statement))
    })
  }

  afterwards(work: () => Promise<void>): void {
    this.#cleanups.push(work)
  }

  copyOut(text: string): Readable {
    return Readable.from(this.#exported(text), { objectMode: false })
  }

  async copyIn(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    const parts =
      /^\s*copy\s+([\w.`"-]+)\s*(?:\(([^)]*)\))?\s+from\s+stdin\s*(?:with)?\s*(\([\s\S]*\))?\s*;?\s*$/i.exec(text)
    if (!parts || /\bbinary\b/i.test(parts[3] ?? '')) throw unsupportedCopy('copy <table> from stdin (format csv)')
    const { copyCsv } = await import('./write.ts')
    const path = (parts[1] ?? '').replaceAll(/[`"]/g, '')
    const columns = parts[2]?.split(',').map(name => name.trim().replaceAll(/[`"]/g, '')) ?? null
    return copyCsv(this, {
      table: path,
      columns,
      source,
      header: /\bheader\b(?!\s+(?:false|off|0))/i.test(parts[3] ?? ''),
    })
  }

  introspect(options: IntrospectOptions = {}): Promise<Schema> {
    return introspect(this.client, options)
  }

  async hasTable(schema: string, name: string): Promise<boolean> {
    const { columnsOf } = await import('./write.ts')
    return (await columnsOf(this.client, schema, name)).length > 0
  }

  async tryLock(name: string): Promise<boolean> {
    if (this.#locks.has(name)) return true
    const lock = await takeLock(this.client, name, this.#holder)
    if (lock) this.#locks.set(name, lock)
    return lock !== null
  }

  async unlock(name: string): Promise<boolean> {
    const lock = this.#locks.get(name)
    this.#locks.delete(name)
    return (await lock?.release()) ?? false
  }

  lockHolder(name: string): Promise<string | null> {
    return lockHolder(this.client, name)
  }

  async sibling(applicationName: string): Promise<Session> {
    return new OpenSession(this.engine, this.client, applicationName)
  }

  async cancel(): Promise<void> {
    const job = this.#job
    if (job === null) return
    await cancelJob(this.client, job).catch(() => undefined)
    this.#interrupt?.(new PlinthError('INTERRUPTED', 'The job was cancelled.', { at: { object: this.address } }))
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#tail
    await this.#tidy()
    for (const lock of this.#locks.values()) await lock.release().catch(() => undefined)
    this.#locks.clear()
  }

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

  async #one<R>(text: string, values: readonly Value[], sent: Sent): Promise<Result<R>> {
    const kind = kindOf(text)
    const command = commandOf(text)
    if (kind === 'begin') await this.#begin()
    if (kind === 'commit' || kind === 'rollback') await this.#end(kind)
    if (kind === 'begin' || kind === 'commit' || kind === 'rollback') return { rows: [], rowCount: 0, command }
    const own = isOwn(text)
    const ready = withValues(own ? spell(text) : text, values)
    if (own && kind === 'definition') await ensureDataset(this.client, 'plinth')
    if (kind === 'write' && this.#pending) {
      this.#pending.push(ready)
      return { rows: [], rowCount: 0, command }
    }
    const { rows, changed, fields } = await this.#run(ready, ready === text ? sent : { ...sent, text: ready })
    if (own) for (const row of rows) narrow(row, fields)
    return { rows: rows as R[], rowCount: changed ?? rows.length, command }
  }

  /** The whole transaction is one job: BigQuery keeps all of it or nothing. */
  async #end(how: 'commit' | 'rollback'): Promise<void> {
    const pending = this.#pending ?? []
    this.#pending = null
    if (how === 'rollback' || pending.length === 0) return
    const script = ['begin transaction', ...pending, 'commit transaction'].map(statement => `${statement};\n`).join('')
    await this.#run(script, this.#sent(script))
  }

  async #begin(): Promise<void> {
    if (this.#pending) return
    await this.#tidy()
    this.#pending = []
  }

  /** What cannot be removed now ends by itself. */
  async #tidy(): Promise<void> {
    const cleanups = this.#cleanups
    this.#cleanups = []
    for (const cleanup of cleanups) await cleanup().catch(() => undefined)
  }

  #run(text: string, sent: Sent): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      this.#interrupt = reject
      const job = runQuery(this.client, { text, sent, onJob: id => (this.#job = id) })
      job.then(resolve, reject).finally(() => {
        this.#job = null
        this.#interrupt = null
      })
    })
  }

  #sent(text: string): Sent {
    return { text, script: text, offset: 0, address: this.address }
  }

  async *#exported(text: string): AsyncGenerator<string> {
    const parts = /^\s*copy\s+([\s\S]+?)\s+to\s+stdout\s*(?:with)?\s*(\([\s\S]*\))?\s*;?\s*$/i.exec(text)
    if (/\bbinary\b/i.test(parts?.[2] ?? '')) throw unsupportedCopy('(format csv)')
    const subject = parts?.[1]?.trim() ?? text.replace(/;\s*$/, '')
    const query = parts && !subject.startsWith('(') ? `select * from ${subject}` : subject
    const header = parts === null || /\bheader\b(?!\s+(?:false|off|0))/i.test(parts[2] ?? '')
    const { rows, fields } = await this.#inTurn(() => this.#run(query, this.#sent(query)))
    const names = fields.map(({ name }) => name)
    if (header) yield csvLine(names)
    for (const row of rows) yield csvLine(names.map(name => row[name]))
  }
}

/** `$1` becomes the first value as a literal; a dollar within a string or a name stays. */
function withValues(text: string, values: readonly Value[]): string {
  if (!text.includes('$')) return text
  return tokensOf(text)
    .map(({ kind, text: token }) => {
      if (kind !== 'parameter' || !token.startsWith('$')) return token
      const index = Number(token.slice(1)) - 1
      if (index >= values.length)
        throw new PlinthError('SQL_FAILED', `The statement has a parameter ${token}, and ${values.length} values came.`)
      return literal(values[index] ?? null)
    })
    .join('')
}

/** Plinth's own tables count small things, which other engines keep in four bytes and answer as numbers. */
function narrow(row: Record<string, unknown>, fields: JobResult['fields']): void {
  for (const { name, type } of fields) {
    const value = row[name]
    if ((type !== 'INTEGER' && type !== 'INT64') || typeof value !== 'string') continue
    if (Number.isSafeInteger(Number(value))) row[name] = Number(value)
  }
}

function severalStatements(): PlinthError {
  return new PlinthError('SQL_SYNTAX', 'A query is one statement; this text holds several.', {
    hint: 'Run them as a script.',
  })
}

function unsupportedCopy(expected: string): PlinthError {
  return new PlinthError('ENGINE_UNSUPPORTED', 'BigQuery is copied from and to as CSV alone.', {
    hint: `Write ${expected}.`,
  })
}
