/**
 * Stands between a run and its server, reads the protocol, and strikes at one exact message: the n-th of those that begin or end a statement
 * on the connections that work, withheld or passed on. Knows nothing of what is run.
 */
import { createServer, type AddressInfo, type Server, type Socket, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** `query`: a statement or script is asked. `answer`: a statement is done. `ready`: the server waits for the next question. */
export type Landmark = 'query' | 'answer' | 'ready'

/** Where to strike: at the n-th landmark, from 1, or when the clock of the main connection says so. */
export type Point =
  | { readonly kind: 'withheld'; readonly landmark: number }
  | { readonly kind: 'passed'; readonly landmark: number; readonly delayMs: number }
  | { readonly kind: 'time'; readonly afterMs: number }

/** How a connection is cut: at once, at one end only, or by a silence before. */
export const cuts = ['reset', 'close', 'half, server', 'half, client', 'silence'] as const
export type Cut = (typeof cuts)[number]

export interface Strike {
  /** The server's process of the main connection. */
  readonly backendId: number
  /** Nothing is passed on any more: the client is dead, and what it had not sent was never sent. */
  hush(): void
  /** Cuts every connection; later ones are refused when `refuse` says so. */
  cut(how: Cut, later: 'refuse' | 'accept'): Promise<void>
}

export interface ProxyOptions {
  /** Of the real database. */
  readonly url: string
  readonly point?: Point
  readonly strike?: (strike: Strike) => Promise<unknown>
}

export interface Proxy {
  /** Of the same database through the proxy. */
  readonly url: string
  /** Landmarks of the connections that work, which follow one another. */
  readonly landmarks: readonly Landmark[]
  /** From the first connection to the end of the last one. */
  readonly durationMs: number
  readonly struck: boolean
  close(): Promise<void>
}

export async function openProxy(options: ProxyOptions): Promise<Proxy> {
  const proxy = new WireProxy(options)
  await proxy.listen()
  return proxy
}

class WireProxy implements Proxy {
  readonly landmarks: Landmark[] = []
  struck = false
  readonly #options: ProxyOptions
  readonly #target: URL
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #main: Pair | undefined
  #refusing = false
  #startedAtMs = 0
  #endedAtMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: ProxyOptions) {
    this.#options = options
    this.#target = new URL(options.url)
    this.#server = createServer({ allowHalfOpen: true }, socket => this.#accept(socket))
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    const url = new URL(this.#target)
    url.hostname = '127.0.0.1'
    url.port = String(port)
    url.searchParams.set('sslmode', 'disable')
    return url.toString()
  }

  get durationMs(): number {
    return (this.#endedAtMs || performance.now()) - this.#startedAtMs
  }

  listen(): Promise<void> {
    return new Promise(resolve => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    for (const pair of this.#pairs) pair.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #accept(client: Socket): void {
    if (this.#refusing) return void client.destroy()
    const server = connect({
      port: Number(this.#target.port || 5432),
      host: this.#target.hostname,
      allowHalfOpen: true,
    })
    const pair = new Pair(client, server)
    this.#pairs.add(pair)
    pair.onClose = () => {
      this.#pairs.delete(pair)
      if (pair === this.#main) this.#endedAtMs = performance.now()
    }
    pair.onStartup = application => {
      // Those have names of their own: the observer of locks, the heartbeat of a lease, a cancellation.
      if (application.startsWith('plinth ')) return
      const isFirst = this.#main === undefined
      this.#main = pair
      pair.onLandmark = landmark => this.#pass(landmark)
      if (!isFirst) return
      this.#startedAtMs = performance.now()
      const { point } = this.#options
      if (point?.kind === 'time') this.#timer = setTimeout(() => void this.#strike(), point.afterMs)
    }
  }

  /** Answers what the message waits for before it goes on. */
  #pass(landmark: Landmark): Promise<void> | undefined {
    const number = this.landmarks.push(landmark)
    const { point } = this.#options
    if (!point || point.kind === 'time' || point.landmark !== number) return undefined
    if (point.kind === 'withheld') return this.#strike()
    this.#timer = setTimeout(() => void this.#strike(), point.delayMs)
    return undefined
  }

  async #strike(): Promise<void> {
    const main = this.#main
    // Who has gone already cannot be disturbed.
    if (!main || main.closed || main.saidGoodbye) return
    this.struck = true
    await this.#options.strike?.({
      backendId: main.backendId,
      hush: () => {
        for (const pair of this.#pairs) pair.hush()
      },
      cut: async (how, later) => {
        if (later === 'refuse') this.#refusing = true
        await Promise.all([...this.#pairs].map(pair => pair.cut(how)))
      },
    })
  }
}

/** One connection, message by message in either direction. */
class Pair {
  onStartup: (application: string) => void = () => undefined
  onLandmark: (landmark: Landmark) => Promise<void> | undefined = () => undefined
  onClose: () => void = () => undefined
  backendId = 0
  closed = false
  /** The client has ended its session in good order. */
  saidGoodbye = false
  readonly #client: Socket
  readonly #server: Socket
  #silent = false

  constructor(client: Socket, server: Socket) {
    this.#client = client
    this.#server = server
    client.setNoDelay(true)
    server.setNoDelay(true)
    let begun = false
    relay(
      client,
      server,
      message => {
        if (!begun) {
          begun = true
          this.onStartup(applicationIn(message))
          return undefined
        }
        const type = message.toString('latin1', 0, 1)
        if (type === 'X') this.saidGoodbye = true
        return type === 'Q' || type === 'P' ? this.onLandmark('query') : undefined
      },
      { first: 'untyped', isSilent: () => this.#silent },
    )
    relay(
      server,
      client,
      message => {
        const type = message.toString('latin1', 0, 1)
        if (type === 'K') this.backendId = message.readInt32BE(5)
        if (type === 'C') return this.onLandmark('answer')
        return type === 'Z' ? this.onLandmark('ready') : undefined
      },
      { first: 'typed', isSilent: () => this.#silent },
    )
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => {
        other.destroy()
        if (client.destroyed && server.destroyed && !this.closed) {
          this.closed = true
          this.onClose()
        }
      })
    }
  }

  destroy(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  hush(): void {
    this.#silent = true
  }

  async cut(how: Cut): Promise<void> {
    if (how === 'half, server') return void this.#server.end()
    if (how === 'half, client') return void this.#client.end()
    if (how === 'close') return this.destroy()
    if (how === 'silence') {
      this.#silent = true
      await sleep(150)
    }
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }
}

interface RelayOptions {
  /** The first message of a client has no type, which a server's has. */
  readonly first: 'typed' | 'untyped'
  /** What is said is not passed on. */
  readonly isSilent: () => boolean
}

/** Passes whole messages on in order, each when what it waits for is over. */
function relay(
  from: Socket,
  to: Socket,
  look: (message: Buffer) => Promise<void> | undefined,
  { first, isSilent }: RelayOptions,
): void {
  let rest: Buffer = Buffer.alloc(0)
  let typed = first === 'typed'
  let turn: Promise<void> | undefined
  const pass = (message: Buffer) => {
    if (!isSilent() && !to.destroyed && to.writable) to.write(message)
  }
  const take = (message: Buffer) => {
    if (turn) turn = turn.then(() => look(message)).then(() => pass(message))
    else {
      const wait = look(message)
      if (wait) turn = wait.then(() => pass(message))
      else pass(message)
    }
  }
  from.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      const offset = typed ? 1 : 0
      if (rest.length < offset + 4) return
      const length = offset + rest.readInt32BE(offset)
      if (rest.length < length) return
      take(rest.subarray(0, length))
      rest = rest.subarray(length)
      typed = true
    }
  })
  from.on('end', () => {
    const end = () => {
      if (!to.destroyed) to.end()
    }
    if (turn) turn = turn.then(end)
    else end()
  })
}

/** Of a startup message, which is a list of names and values. */
function applicationIn(message: Buffer): string {
  const words = message.toString('utf8', 8).split('\0')
  const at = words.indexOf('application_name')
  return at < 0 ? '' : (words[at + 1] ?? '')
}
