/**
 * Lets the project's resident answer a call of lint, where one is there: a process that has everything loaded, so that this one only starts, asks and
 * prints. Whatever is strange before the first byte was printed, the call runs here, as if there were no resident.
 */
import { readSync, writeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { isatty } from 'node:tty'
import { frameOf, frameReader, type Letter } from './frames.ts'
import { buildOf, lookAt, socketName, stateFolderNear, worldOf } from './place.ts'
import type { Call, Screen } from './question.ts'

/** `missing`: no resident is there, and one may be started. */
export type RunHere = (resident: 'missing' | 'unwanted') => void

/** Ends the process with the answer, or runs the call. */
export function askResident(bundle: string, argv: readonly string[], runHere: RunHere): void {
  const words = argv.slice(2)
  if (!mayBeAsked(words)) return runHere('unwanted')
  const state = stateFolder()
  const there = state === null ? 'nothing' : lookAt(state)
  if (there !== 'socket') return runHere(there === 'strange' ? 'unwanted' : 'missing')
  const call = callOf(bundle, argv)
  if (call === null) return runHere('unwanted')
  const path = `${state}/${socketName}`
  if (words.includes('-')) void askWithInput(path, call, runHere)
  else ask(path, call, null, runHere)
}

/** Longer than a resident that lives ever takes to say yes or no, unless the machine is out of breath. */
const decisionMsMax = 500

/** What writes into the project is done by a process of its own, and so is what Node was told to do otherwise, or to report elsewhere. */
function mayBeAsked(words: readonly string[]): boolean {
  const { CI, PLINTH_RESIDENT, NODE_OPTIONS } = process.env
  if (process.platform === 'win32' || CI || PLINTH_RESIDENT === 'off') return false
  if (NODE_OPTIONS || process.execArgv.length > 0) return false
  if (Object.keys(process.env).some(name => name.startsWith('OTEL_'))) return false
  return !words.some(word => word === '--fix' || word === '--update-baseline')
}

function stateFolder(): string | null {
  try {
    return stateFolderNear()
  } catch {
    return null
  }
}

function callOf(bundle: string, argv: readonly string[]): Call | null {
  try {
    const build = buildOf(bundle)
    if (build === null) return null
    const cwd = process.cwd()
    const environment = { ...process.env }
    const screens = { out: screenOf(1), error: screenOf(2) }
    return { ask: 'lint', build, world: worldOf(cwd), argv, cwd, environment, umask: process.umask(), ...screens }
  } catch {
    return null
  }
}

function screenOf(number: 1 | 2): Screen {
  if (!isatty(number)) return {}
  const { columns, rows } = number === 1 ? process.stdout : process.stderr
  return { isTTY: true, columns, rows }
}

/** A run here reads what was read already. */
async function askWithInput(path: string, call: Call, runHere: RunHere): Promise<void> {
  const input = await readInput()
  ask(path, call, input, resident => {
    Object.defineProperty(process, 'stdin', { value: Readable.from([input]) })
    runHere(resident)
  })
}

/** At once, since to load the stream takes longer; where the writer has it wait without blocking, by the stream. */
async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for (let length = 1; length > 0; ) {
      const chunk = Buffer.allocUnsafe(chunkLength)
      length = readSync(0, chunk)
      chunks.push(chunk.subarray(0, length))
    }
  } catch {
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array))
  }
  return Buffer.concat(chunks)
}

const chunkLength = 65_536

function ask(path: string, call: Call, input: Buffer | null, runHere: RunHere): void {
  const socket = connected(path)
  if (socket === null) return runHere('unwanted')
  let stage: 'asked' | 'taken' | 'printed' | 'over' = 'asked'
  let interruptions = 0
  const interrupt = () => (interruptions++ > 0 ? process.exit(130) : void socket.write(frameOf('interrupt')))
  const giveUp = (resident: 'missing' | 'unwanted'): void => {
    if (stage === 'over') return
    const wasPrinted = stage === 'printed'
    stage = 'over'
    clearTimeout(timer)
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    socket.destroy()
    if (!wasPrinted) return runHere(resident)
    // What was printed cannot be taken back, so the call cannot be run again either.
    writeAll(2, Buffer.from('The process that lint was handed to ended before it was done.\n'))
    process.exit(1)
  }
  const timer = setTimeout(() => giveUp('unwanted'), decisionMsMax)
  const hear: Readonly<Record<Letter, ((bytes: Buffer) => void) | undefined>> = {
    yes: () => {
      stage = 'taken'
      clearTimeout(timer)
    },
    no: () => giveUp('unwanted'),
    out: bytes => {
      stage = 'printed'
      writeAll(1, bytes)
    },
    error: bytes => {
      stage = 'printed'
      writeAll(2, bytes)
    },
    end: bytes => process.exit(bytes[0] ?? 1),
    question: undefined,
    input: undefined,
    interrupt: undefined,
  }
  const read = frameReader()
  socket
    .on('data', chunk => {
      try {
        for (const { letter, bytes } of read(chunk)) if (stage !== 'over') hear[letter]?.(bytes)
      } catch {
        giveUp('unwanted')
      }
    })
    .on('error', error => giveUp(isNobodyThere(error) ? 'missing' : 'unwanted'))
    .on('close', () => giveUp('unwanted'))
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  send(socket, call, input)
}

/** Null where the path is too long, which a folder very far below its project has. */
function connected(path: string): Socket | null {
  try {
    return connect(path)
  } catch {
    return null
  }
}

function send(socket: Socket, call: Call, input: Buffer | null): void {
  socket.write(Buffer.concat([frameOf('question', JSON.stringify(call)), frameOf('input', input ?? '')]))
}

/** The socket of one that was killed stays. */
function isNobodyThere(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOENT')
}

/** As the streams of a process do: at once, and a reader that closes the pipe early, such as `head`, is not a failure. */
function writeAll(number: 1 | 2, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(number, bytes, at)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null
      if (code !== 'EAGAIN') process.exit(code === 'EPIPE' ? 0 : 1)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
