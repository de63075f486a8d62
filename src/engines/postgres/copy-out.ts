/**
 * Rows out of `copy … to stdout`, as the bytes of their messages ("Message Formats": CopyData). `pg` makes an object of each message and an
 * event of each object, which takes longer than the server takes to send a row. So the bytes of the socket are read here for as long as
 * rows come, and given back to `pg` with whatever follows them.
 */
import type { Connection, Submittable } from './driver.ts'

/** What waits to be read at most, about; the server is held back until some of it is. */
const waitingBytesMax = 1 << 20

const letter = (text: string) => text.charCodeAt(0)
const copyData = letter('d')
const copyOutResponse = letter('H')
/** The server may say these at any time: ParameterStatus, NoticeResponse, NotificationResponse. */
const asides: ReadonlySet<number> = new Set(['S', 'N', 'A'].map(letter))

export class CopyOut implements Submittable {
  readonly #text: string
  #stream: Connection['stream'] | undefined
  /** What `pg` reads the socket with, while it does not. */
  #readers: ((bytes: Buffer) => void)[] = []
  /** The beginning of a message, until all of it has come. */
  #parts: Buffer[] = []
  #partBytes = 0
  #neededBytes = 0
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #state: 'open' | 'ended' | Error = 'open'
  #discards = false
  #wake: () => void = () => undefined

  constructor(text: string) {
    this.#text = text
  }

  submit(connection: Connection): null {
    this.#stream = connection.stream
    this.#readers = connection.stream.listeners('data') as ((bytes: Buffer) => void)[]
    connection.stream.removeAllListeners('data')
    connection.stream.on('data', this.#receive)
    connection.query(this.#text)
    return null
  }

  /** The server has sent all, or has refused. */
  get isOver(): boolean {
    return this.#state !== 'open'
  }

  /** The bytes in their order, without the headings of messages. To be asked for once. */
  async *bytes(): AsyncGenerator<Buffer, void> {
    for (;;) {
      if (this.#state instanceof Error) throw this.#state
      const chunk = this.#waiting.shift()
      if (chunk) {
        this.#waitingBytes -= chunk.length
        if (this.#waitingBytes < waitingBytesMax) this.#stream?.resume()
        yield chunk
      } else if (this.#state === 'ended') return
      else await this.#news()
    }
  }

  /** Reads past the rest, and waits until the server is ready again or has refused. */
  async discard(): Promise<void> {
    this.#discards = true
    this.#waiting = []
    this.#stream?.resume()
    while (this.#state === 'open') await this.#news()
  }

  handleReadyForQuery(): void {
    this.#settle('ended')
  }

  handleError(error: Error): void {
    this.#giveBack()
    this.#settle(error)
  }

  handleCommandComplete(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}

  readonly #receive = (chunk: Buffer): void => {
    this.#parts.push(chunk)
    this.#partBytes += chunk.length
    if (this.#partBytes < this.#neededBytes) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#partBytes)
    let at = 0
    let kept = 0
    this.#neededBytes = 5
    while (at + 5 <= bytes.length) {
      const end = at + 1 + bytes.readUInt32BE(at + 1)
      const type = bytes[at] as number
      if (type !== copyData && type !== copyOutResponse && !asides.has(type)) {
        this.#hand(bytes.subarray(0, kept))
        this.#giveBack(bytes.subarray(at))
        return
      }
      this.#neededBytes = end - at
      if (end > bytes.length) break
      if (type === copyData) {
        bytes.copyWithin(kept, at + 5, end)
        kept += end - at - 5
      } else if (type !== copyOutResponse) for (const read of this.#readers) read(bytes.subarray(at, end))
      at = end
      this.#neededBytes = 5
    }
    const rest = bytes.subarray(at)
    this.#parts = rest.length > 0 ? [rest] : []
    this.#partBytes = rest.length
    this.#hand(bytes.subarray(0, kept))
  }

  #hand(bytes: Buffer): void {
    if (bytes.length === 0 || this.#discards) return
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes >= waitingBytesMax) this.#stream?.pause()
    this.#wake()
  }

  #giveBack(rest?: Buffer): void {
    const readers = this.#readers
    this.#readers = []
    if (!this.#stream || readers.length === 0) return
    this.#stream.removeListener('data', this.#receive)
    for (const read of readers) {
      this.#stream.on('data', read)
      if (rest) read(rest)
    }
    this.#stream.resume()
  }

  #settle(state: 'ended' | Error): void {
    if (this.#state === 'open') this.#state = state
    this.#wake()
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      this.#wake = resolve
    })
  }
}
