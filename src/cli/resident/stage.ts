/** Lets work see the process as the caller's own: his folder, environment, streams and file rights. One call at a time. */
import { Readable, Writable } from 'node:stream'
import { WriteStream } from 'node:tty'
import { paintFor } from '../print.ts'
import type { Call, Screen } from './question.ts'

export interface Streams {
  readonly input: Buffer
  readonly out: (bytes: Buffer) => void
  readonly error: (bytes: Buffer) => void
}

/** Throws what changing the folder throws. */
export async function onStage<T>(call: Call, streams: Streams, work: () => Promise<T>): Promise<T> {
  const { argv } = process
  const umask = process.umask(call.umask)
  const kept = streamNames.map(name => [name, Object.getOwnPropertyDescriptor(process, name) ?? {}] as const)
  try {
    process.chdir(call.cwd)
    replaceEnvironment(call.environment)
    process.argv = [...call.argv]
    const stdout = writing(call.out, streams.out)
    const stands = { stdin: Readable.from([streams.input]), stdout, stderr: writing(call.error, streams.error) }
    for (const [name, value] of Object.entries(stands))
      Object.defineProperty(process, name, { value, configurable: true, enumerable: true })
    paintFor(process)
    return await work()
  } finally {
    for (const [name, descriptor] of kept) Object.defineProperty(process, name, descriptor)
    process.argv = argv
    replaceEnvironment({})
    process.umask(umask)
    // A folder that somebody stands in cannot be unmounted, and one that is gone has no name.
    process.chdir('/')
  }
}

const streamNames = ['stdin', 'stdout', 'stderr'] as const

function replaceEnvironment(environment: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name]
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && process.env[name] !== value) process.env[name] = value
}

function writing(screen: Screen, tell: (bytes: Buffer) => void): Writable {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      tell(chunk)
      done()
    },
  })
  const methods = screen.isTTY ? terminalMethods : []
  return Object.assign(stream, screen, Object.fromEntries(methods.map(name => [name, WriteStream.prototype[name]])))
}

/** They ask the environment alone. */
const terminalMethods = ['hasColors', 'getColorDepth'] as const
