/** What a caller and a resident say to each other: a letter, a length of four bytes, and as many bytes. */

export type Letter = keyof typeof letters

export interface Frame {
  readonly letter: Letter
  readonly bytes: Buffer
}

export function frameOf(letter: Letter, bytes: Buffer | string = ''): Buffer {
  const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  const head = Buffer.alloc(headLength)
  head[0] = letters[letter]
  head.writeUInt32LE(content.length, 1)
  return Buffer.concat([head, content])
}

/** Feed it what arrives; it answers the frames that are whole by then. Throws what is none. */
export function frameReader(): (chunk: Buffer) => Frame[] {
  let parts: Buffer[] = []
  let length = 0
  let needed = headLength
  return chunk => {
    parts.push(chunk)
    length += chunk.length
    const frames: Frame[] = []
    // What is long arrives in many pieces, so they are only put together when enough of them are there.
    while (length >= needed) {
      let bytes = Buffer.concat(parts)
      needed = headLength
      while (bytes.length >= headLength) {
        const letter = letterOf(bytes[0])
        const end = headLength + bytes.readUInt32LE(1)
        if (bytes.length < end) {
          needed = end
          break
        }
        frames.push({ letter, bytes: bytes.subarray(headLength, end) })
        bytes = bytes.subarray(end)
      }
      parts = [bytes]
      length = bytes.length
    }
    return frames
  }
}

const headLength = 5

/** From the caller: a question, what standard input holds, an interruption. From the resident: yes or no, two outputs, the end. */
const letters = {
  question: 113,
  input: 105,
  interrupt: 115,
  yes: 121,
  no: 110,
  out: 111,
  error: 101,
  end: 120,
} as const

const names = new Map<number, Letter>(Object.entries(letters).map(([name, code]) => [code, name as Letter]))

function letterOf(code: number | undefined): Letter {
  const letter = names.get(code ?? -1)
  if (letter === undefined) throw new Error(`There is no frame ${code}.`)
  return letter
}
