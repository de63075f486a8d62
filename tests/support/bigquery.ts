/** A BigQuery emulator that nobody here wrote (bqemulator), for the tests of a file; each test has a project of its own in it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, onTestFinished } from 'vitest'

const folder = process.env['PLINTH_BQEMULATOR'] ?? join(import.meta.dirname, '../../.plinth/peers/bqemulator')

/** Null when it is installed, else why what needs it is skipped. */
export const withoutBigQuery: string | null = existsSync(join(folder, 'installed'))
  ? null
  : 'the BigQuery emulator is not installed (scripts/peers/bqemulator.sh)'
// Where the machine can install it, as continuous integration does, a missing one is a defect and no reason to skip.
if (withoutBigQuery && process.env['PLINTH_PEERS'] === 'required' && process.env['PLINTH_BQEMULATOR'] !== 'none')
  throw new Error(withoutBigQuery)

export interface Emulator {
  /** `http://127.0.0.1:port`, known once the tests run. */
  readonly endpoint: string
  /** The URL of an empty project. */
  url(settings?: Readonly<Record<string, string>>): string
}

/** Starts with the tests of the file and ends with them. */
export function emulator(): Emulator {
  let endpoint = ''
  let child: ChildProcess | undefined
  let home: string | undefined
  beforeAll(async () => {
    if (withoutBigQuery) return
    const [rest, grpc] = await freePorts(2)
    home = mkdtempSync(join(tmpdir(), 'plinth-bigquery-'))
    endpoint = `http://127.0.0.1:${rest}`
    const ports = ['--rest-port', String(rest), '--grpc-port', String(grpc)]
    child = spawn(join(folder, 'bin/bqemulator'), ['start', ...ports, '--log-level', 'warning'], {
      cwd: home,
      // The extension that it needs was put into the home of the installation.
      env: { ...process.env, HOME: folder, NO_PROXY: '*' },
      stdio: process.env['PLINTH_BQEMULATOR_LOG'] ? 'inherit' : 'ignore',
    })
    await untilReady(endpoint, child)
  }, 120_000)
  afterAll(async () => {
    if (child && child.exitCode === null) {
      const ended = new Promise(resolve => child?.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    }
    if (home) rmSync(home, { recursive: true, force: true })
  })
  return {
    get endpoint() {
      return endpoint
    },
    url: settings => urlOf(endpoint, settings),
  }
}

/** The URL of a project that nobody has used. */
export function urlOf(endpoint: string, settings: Readonly<Record<string, string>> = {}, dataset = 'main'): string {
  const project = `p-${randomBytes(6).toString('hex')}`
  const query = new URLSearchParams({ endpoint, scratchProject: `${project}-scratch`, ...settings })
  return `bigquery://${project}/${dataset}?${query.toString()}`
}

/** What a faulty network or a busy service answers; null lets the request through. */
export type Fault = (request: {
  readonly method: string
  readonly path: string
  readonly body: string
}) => Answer | null

export type Answer =
  /** Not passed on. */
  | { readonly status: number; readonly reason: string; readonly message?: string }
  /** Passed on and done, but the answer is lost on its way back. */
  | 'lost answer'
  /** Passed on, and another answer comes back. */
  | { readonly answering: (body: string) => string }

/** Stands before the emulator and injects faults; gone when the test ends. Answers its endpoint. */
export async function faulty(endpoint: string, fault: Fault): Promise<string> {
  const target = new URL(endpoint)
  const server: Server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const body = Buffer.concat(parts)
      const path = incoming.url ?? '/'
      const answer = fault({ method: incoming.method ?? 'GET', path, body: body.toString('utf8') })
      if (answer !== null && typeof answer === 'object' && 'status' in answer) return refuse(outgoing, answer)
      const onward = request(
        { host: target.hostname, port: target.port, path, method: incoming.method, headers: incoming.headers },
        response => {
          if (answer === 'lost answer') {
            response.resume()
            response.on('end', () => outgoing.destroy())
            return
          }
          if (answer !== null) {
            void replace(response, outgoing, answer.answering)
            return
          }
          outgoing.writeHead(response.statusCode ?? 500, response.headers)
          response.pipe(outgoing)
        },
      )
      onward.on('error', () => outgoing.destroy())
      onward.end(body)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function replace(
  response: IncomingMessage,
  outgoing: ServerResponse,
  answering: (body: string) => string,
): Promise<void> {
  const content = answering(await text(response))
  const headers = { ...response.headers, 'content-length': String(Buffer.byteLength(content)) }
  outgoing.writeHead(response.statusCode ?? 500, headers).end(content)
}

type Refusal = Extract<Answer, { readonly status: number }>

function refuse(outgoing: ServerResponse, { status, reason, message = reason }: Refusal): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' })
  outgoing.end(JSON.stringify({ error: { code: status, message, errors: [{ reason, message, domain: 'global' }] } }))
}

async function untilReady(endpoint: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (child.exitCode !== null) throw new Error(`The emulator ended with ${child.exitCode}.`)
    const ready = await fetch(`${endpoint}/bigquery/v2/projects/p/datasets`).then(
      response => response.ok,
      () => false,
    )
    if (ready) return
    await sleep(150)
  }
  throw new Error(`The emulator did not answer; it was installed as ${readFileSync(join(folder, 'installed'), 'utf8')}`)
}

async function freePorts(count: number): Promise<number[]> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = createSocket()
      await new Promise<void>(resolve => socket.listen(0, '127.0.0.1', resolve))
      return socket
    }),
  )
  const ports = sockets.map(socket => (socket.address() as AddressInfo).port)
  await Promise.all(sockets.map(socket => new Promise(resolve => socket.close(resolve))))
  return ports
}
