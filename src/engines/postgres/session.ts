/** A Session over one connection of `pg`. Work that is asked for at the same time waits its turn. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type pg from 'pg'
import { PlinthError } from '../../errors.ts'
import type { Schema } from '../../schema/model.ts'
import type {
  Engine,
  IntrospectOptions,
  OpenOptions,
  Parameterized,
  QueryOptions,
  Result,
  Row,
  Session,
  StatementDone,
  Value,
  Watch,
  WatchOptions,
} from '../engine.ts'
import { type Connected, connect, requestCancel } from './connect.ts'
import { type FailureContext, translate } from './failure.ts'
import { watchLocks } from './observer.ts'
import { CallersFailure, type Conversation, CopyIn, OneStatement, readTag, Script, Together } from './wire.ts'

/** Throws DATABASE_URL_INVALID, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION, DATABASE_UNKNOWN. */
export async function openSession(engine: Engine, url: string, options: OpenOptions = {}): Promise<Session> {
  return new PostgresSession(engine, options, await connect(url, options))
}

class PostgresSession implements Session {
  readonly engine: Engine
  readonly address: string
  readonly backendId: number | null
  readonly pooled: boolean
  readonly serverVersion: number
  readonly #url: string
  readonly #application: string | undefined
  readonly #client: pg.Client
  #turn: Promise<unknown> = Promise.resolve()
  /** Why the connection broke, when it did: the first reason says more than what follows from it. */
  #lost: unknown
  #cancelled = false
  /** How often prepared statements may have been lost, which are then made under other names. */
  #forgotten = 0
  #closed: Promise<void> | undefined

  constructor(engine: Engine, options: OpenOptions, connected: Connected) {
    const { client, address, backendId, pooled, serverVersion } = connected
    this.engine = engine
    this.address = address
    this.backendId = pooled ? null : backendId
    this.pooled = pooled
    this.serverVersion = serverVersion
    this.#url = connected.url
    this.#application = options.applicationName
    this.#client = client
    client.on('error', error => {
      this.#lost ??= error
    })
    client.on('end', () => {
      this.#lost ??= new Error('Connection terminated unexpectedly')
    })
  }

  async query<R = Row>(text: string, values: readonly Value[] = [], options: QueryOptions = {}): Promise<Result<R>> {
    return this.#inTurn({ text: whole(text) }, async () => {
      let statement: OneStatement | undefined
      const result = await new Promise<pg.QueryResult>((resolve, reject) => {
        const named = { text, values, name: this.#nameOf(text, options) }
        statement = new OneStatement(named, (error, done) => (error ? reject(error) : resolve(done)))
        this.#client.query(statement)
      })
      const { command, rowCount } = readTag(statement?.tag ?? '')
      return { rows: result.rows as R[], rowCount, command }
    })
  }

  async send(statements: readonly Parameterized[]): Promise<readonly Result[]> {
    let together: Together | undefined
    const context = {
      get text() {
        return statements[together?.finished ?? 0]?.text ?? ''
      },
    }
    if (statements.length === 0) return []
    for (const { text } of statements) if (forgets.test(whole(text))) this.#forgotten++
    return this.#inTurn(context, () => {
      together = new Together(
        statements.map(({ text, values = [], prepared }) => ({ text, values, name: this.#nameOf(text, { prepared }) })),
      )
      return this.#converse(together)
    })
  }

  async script(text: string, onStatement?: (done: StatementDone) => void): Promise<void> {
    const script = new Script(whole(text), onStatement)
    const context = {
      text,
      get statement() {
        return script.finished
      },
    }
    if (forgets.test(text)) this.#forgotten++
    await this.#inTurn(context, () => this.#converse(script))
  }

  copyOut(text: string): Readable {
    const copy = /^\s*copy\b/i.test(text)
      ? text
      : `copy (${text.replace(/;\s*$/, '')}\n) to stdout with (format csv, header)`
    return Readable.from(this.#copyChunks(copy), { objectMode: false })
  }

  async copyIn(text: string, source: AsyncIterable<Uint8Array | string>): Promise<number> {
    return this.#inTurn({ text: whole(text) }, () => this.#converse(new CopyIn(text, source)))
  }

  async introspect(options?: IntrospectOptions): Promise<Schema> {
    const { introspect } = await import('./introspect.ts')
    return introspect(this, options)
  }

  async tryLock(name: string): Promise<boolean> {
    const { rows } = await this.query<{ got: boolean }>('select pg_try_advisory_lock($1, $2) as got', lockKey(name))
    return rows[0]?.got === true
  }

  async unlock(name: string): Promise<boolean> {
    const { rows } = await this.query<{ held: boolean }>('select pg_advisory_unlock($1, $2) as held', lockKey(name))
    return rows[0]?.held === true
  }

  async lockHolder(name: string): Promise<string | null> {
    const { rows } = await this.query<Holder>(holderQuery, lockKey(name))
    return rows[0] ? describeHolder(rows[0]) : null
  }

  sibling(applicationName: string): Promise<Session> {
    return openSession(this.engine, this.#url, { applicationName })
  }

  watch(options: WatchOptions): Watch {
    const who = this.backendId === null ? { application: this.#application ?? null } : { processId: this.backendId }
    return watchLocks(() => this.sibling('plinth observer'), who, options)
  }

  async cancel(): Promise<void> {
    if (this.#lost !== undefined || this.#closed) return
    this.#cancelled = true
    if (this.pooled) return requestCancel(this.#url, this.#client)
    const { client } = await connect(this.#url, { applicationName: 'plinth cancel' })
    try {
      await client.query('select pg_cancel_backend($1)', [this.backendId])
    } finally {
      await endQuietly(client)
    }
  }

  close(): Promise<void> {
    this.#closed ??= endQuietly(this.#client)
    return this.#closed
  }

  /** A server process of a pool knows nothing of what another one has planned. */
  #nameOf(text: string, { prepared = false }: QueryOptions): string {
    if (!prepared || this.pooled) return ''
    return `plinth_${this.#forgotten}_${createHash('sha1').update(text).digest('hex').slice(0, 16)}`
  }

  /** Runs when everything asked for before has ended, and turns failures into PlinthErrors. */
  #inTurn<T>(context: Partial<FailureContext>, work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      if (this.#closed) throw new PlinthError('CONNECTION_LOST', `${this.address}: the session was closed before.`)
      if (this.#lost !== undefined) throw this.#failure(this.#lost, {})
      this.#cancelled = false
      try {
        return await work()
      } catch (error) {
        throw error instanceof CallersFailure ? error.thrown : this.#failure(error, context)
      }
    })
    this.#turn = result.catch(() => undefined)
    return result
  }

  #failure(thrown: unknown, context: Partial<FailureContext>): PlinthError {
    // Whether the server came to the statement, and so knows it by its name, is not told.
    this.#forgotten++
    const error = translate(thrown, { ...context, address: this.address, phase: 'work', cancelled: this.#cancelled })
    if (error.code === 'CONNECTION_LOST') this.#lost ??= thrown
    return error
  }

  #converse<T>(conversation: Conversation<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      conversation.settle = { resolve, reject }
      this.#client.query(conversation)
    })
  }

  async *#copyChunks(text: string): AsyncGenerator<Buffer> {
    let release = (): void => undefined
    const turn = new Promise<void>(resolve => {
      release = resolve
    })
    let stream: Readable | undefined
    // The turn lasts as long as the copy, which its consumer may read slowly.
    await new Promise<void>((start, refuse) => {
      this.#inTurn({}, async () => {
        start()
        await turn
      }).catch(refuse)
    })
    // What is thrown at the yield is the reader's own way to leave; what the stream throws is the server's.
    let readerHasTurn = false
    try {
      const { to: copyTo } = await import('pg-copy-streams')
      stream = this.#client.query(copyTo(text))
      for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
        readerHasTurn = true
        yield chunk as Buffer
        readerHasTurn = false
      }
      stream = undefined
    } catch (error) {
      if (readerHasTurn) throw error
      stream = undefined
      throw this.#failure(error, { text })
    } finally {
      if (stream) await this.#abandon(stream)
      release()
    }
  }

  /** The reader went away: the server is told to stop and the rest is read past, so that the session can go on. */
  async #abandon(stream: Readable): Promise<void> {
    // All of it may have come already, and its last piece was only not asked for.
    if (stream.readableEnded || stream.destroyed) return
    const ended = new Promise<void>(resolve => {
      for (const event of ['end', 'error', 'close']) stream.once(event, () => resolve())
    })
    stream.resume()
    await this.cancel().catch(() => undefined)
    await ended
  }
}

interface Holder {
  readonly pid: number
  readonly application: string | null
  readonly user: string | null
  readonly client: string | null
  readonly since: string | null
}

/** Locks of Plinth live in a class of their own; the name's hash is the key within it. */
const lockClass = 1_886_152_302

function lockKey(name: string): [number, number] {
  return [lockClass, createHash('sha256').update(name).digest().readInt32BE(0)]
}

const holderQuery = `
select l.pid, a.application_name as application, a.usename::text as "user", host(a.client_addr) as client, a.backend_start as since
from pg_locks l
left join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 2
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid = $1::bigint::oid and l.objid = ($2::bigint & 4294967295)::oid
limit 1`

function describeHolder({ pid, application, user, client, since }: Holder): string {
  const who = `${application || 'a session'}${user ? ` of ${user}` : ''}${client ? ` from ${client}` : ''}`
  return `${who} (process ${pid}${since ? `, connected since ${since.slice(0, 19)}Z` : ''})`
}

/** They take prepared statements away, also where code runs them. */
const forgets = /\b(discard\s+all|deallocate)\b/i

/** A NUL would end the text early on the wire, and the rest would be lost without a word. */
function whole(text: string): string {
  if (!text.includes('\0')) return text
  throw new PlinthError('SQL_SYNTAX', 'The text holds a NUL character, which PostgreSQL cannot read.', {
    hint: 'Save the file as UTF-8 without NUL characters.',
  })
}

/** A server that does not answer any more must not keep us: after two seconds the socket is closed from this side. */
async function endQuietly(client: pg.Client): Promise<void> {
  const stream = client.connection.stream
  const timer = setTimeout(() => stream.destroy(), 2000)
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}
