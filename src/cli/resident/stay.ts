/**
 * The resident: answers calls of lint for one project, one at a time, and ends when nobody called for a while, when its folder or its program is gone or
 * another one, when it has grown too large, and when it is told to.
 */
import { lstatSync, mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Residence } from '../../config/lint.ts'
import { exclusively } from '../../engines/postgres/embedded/exclusive.ts'
import { type KeptSessions, keepSessions } from '../../migrations/rehearse/kept-sessions.ts'
import { run } from '../main.ts'
import { frameOf, frameReader } from './frames.ts'
import { buildOf, folderName, lookAt, socketName, startVariables, worldOf } from './place.ts'
import type { Call, Question, Who } from './question.ts'
import { onStage } from './stage.ts'

export interface Resident {
  /** Absolute. */
  readonly state: string
  /** The folder of the program. */
  readonly bundle: string
}

/** Settles once calls are answered, or another one answers them; the process ends by itself. */
export async function stay({ state, bundle }: Resident): Promise<void> {
  const build = buildOf(bundle)
  if (build === null || lookAt(state) === 'strange') return
  mkdirSync(join(state, folderName), { mode: 0o700, recursive: true })
  if (lookAt(state) === 'strange') return
  const desk: Desk = {
    build,
    started: startVariables(process.env),
    sessions: keepSessions(),
    callsAnswered: 0,
    busy: 'yes',
    idleSinceMs: Date.now(),
    wanted: 'yes',
  }
  const server = createServer(socket => hear(desk, socket, look))
  const own = await open(server, state)
  if (own === null) return
  const isInPlace = () => inodeOf(join(state, socketName)) === own

  function look(): void {
    if (desk.busy === 'yes') return
    const isIdle = Date.now() - desk.idleSinceMs > idleMsMax
    if (desk.wanted === 'yes' && !isIdle && isInPlace() && buildOf(bundle) === build && megabytes() < megabytesMax)
      return
    desk.busy = 'yes'
    if (isInPlace()) rmSync(join(state, socketName), { force: true })
    void desk.sessions.close().finally(() => process.exit(0))
  }
  setInterval(look, lookMs)
  const leave = () => {
    desk.wanted = 'no'
    look()
  }
  process.on('SIGTERM', leave).on('SIGINT', leave)
  await warmUp(desk)
  look()
}

/** What changes while it stays. */
interface Desk {
  readonly build: string
  /** What Node read when it started. */
  readonly started: Readonly<Record<string, string | undefined>>
  readonly sessions: KeptSessions
  callsAnswered: number
  busy: 'yes' | 'no'
  idleSinceMs: number
  wanted: 'yes' | 'no'
}

function hear(desk: Desk, socket: Socket, look: () => void): void {
  const read = frameReader()
  let question: Question | undefined
  const interruption = new AbortController()
  // Whoever went away wants no answer.
  socket.on('error', () => socket.destroy()).on('close', () => interruption.abort())
  socket.on('data', chunk => {
    try {
      for (const { letter, bytes } of read(chunk)) {
        if (letter === 'question') question = JSON.parse(bytes.toString('utf8')) as Question
        if (letter === 'interrupt') interruption.abort()
        if (letter === 'input' && question)
          void take(desk, question, bytes, { socket, signal: interruption.signal }).then(look)
      }
    } catch {
      socket.destroy()
    }
  })
}

interface Caller {
  readonly socket: Socket
  readonly signal: AbortSignal
}

/** Two calls at once would see one folder and one environment, so the second one is sent away. */
async function take(desk: Desk, question: Question, input: Buffer, { socket, signal }: Caller): Promise<void> {
  if (question.ask !== 'lint') {
    const { callsAnswered, busy } = desk
    const who: Who = { pid: process.pid, megabytes: megabytes(), callsAnswered, busy }
    socket.end(frameOf('out', JSON.stringify(who)))
    if (question.ask === 'leave') desk.wanted = 'no'
    return
  }
  if (desk.busy === 'yes' || desk.wanted === 'no' || !isOurs(desk, question)) {
    socket.end(frameOf('no'))
    return
  }
  desk.busy = 'yes'
  socket.write(frameOf('yes'))
  const streams = {
    input,
    out: (bytes: Buffer) => void socket.write(frameOf('out', bytes)),
    error: (bytes: Buffer) => void socket.write(frameOf('error', bytes)),
  }
  const residence = (wish: Residence) => {
    if (wish === 'off') desk.wanted = 'no'
  }
  try {
    const status = await onStage(question, streams, () =>
      run(question.argv, { signal, residence, sessions: desk.sessions }),
    )
    desk.callsAnswered++
    socket.end(frameOf('end', Buffer.from([status])))
  } catch {
    // The caller runs it himself, and sees what is wrong.
    socket.destroy()
  }
  desk.busy = 'no'
  desk.idleSinceMs = Date.now()
}

/** The first call of a process takes longest, so it is one of our own, about a text that is in no project. */
async function warmUp(desk: Desk): Promise<void> {
  const argv = [process.execPath, 'plinth', 'lint', '-', '--no-rehearsal']
  const call: Call = {
    ask: 'lint',
    build: desk.build,
    world: '',
    argv,
    cwd: '/',
    environment: {},
    umask: 0o077,
    out: {},
    error: {},
  }
  const nobody = () => undefined
  const { signal } = new AbortController()
  for (let round = 0; round < warmRounds; round++)
    await onStage(call, { input: Buffer.from(warmText), out: nobody, error: nobody }, () =>
      run(argv, { signal }),
    ).catch(nobody)
  desk.busy = 'no'
  desk.idleSinceMs = Date.now()
}

const warmRounds = 3
const warmText = `create table warm (id bigint primary key, other bigint references warm, at timestamptz not null default now());
create index warm_other_idx on warm (other);
alter table warm add column more text;
drop table warm;
`
const idleMsMax = 600_000
const lookMs = 2000
const megabytesMax = 700

/** Another build, user or container has a process of its own, and so has whoever would have started this one otherwise. */
function isOurs({ build, started }: Desk, call: Call): boolean {
  try {
    const theirs = JSON.stringify(startVariables(call.environment))
    return call.build === build && call.world === worldOf(call.cwd) && theirs === JSON.stringify(started)
  } catch {
    return false
  }
}

/** Answers the number of the socket's file; null where another one listens. What one left that was killed is taken away. */
async function open(server: Server, state: string): Promise<bigint | null> {
  const path = join(state, socketName)
  return exclusively(`${join(state, folderName)}/starting.lock`, async () => {
    if (await isAnswered(state)) return null
    rmSync(path, { force: true })
    process.chdir(state)
    const umask = process.umask(0o177)
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(socketName, resolve)
      })
    } finally {
      process.umask(umask)
      process.chdir('/')
    }
    return inodeOf(path)
  })
}

function isAnswered(state: string): Promise<boolean> {
  process.chdir(state)
  const socket = connect(socketName)
  process.chdir('/')
  return new Promise(resolve => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).then(answered => {
    socket.destroy()
    return answered === true
  })
}

function inodeOf(path: string): bigint | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null
}

function megabytes(): number {
  return Math.round(process.memoryUsage.rss() / 1_048_576)
}
