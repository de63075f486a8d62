/** Requests to answers over HTTP. Reading is open to whoever reaches the port; what changes something asks for a token, or comes from this machine. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { asPlinthError, codes, PlinthError } from '../errors.ts'
import type { Foundation } from '../foundation.ts'
import { type Answer, type Route, routes } from './routes.ts'

export interface AppOptions {
  readonly host: string
  /** 0 takes any free one. */
  readonly port: number
  /** What `Authorization: Bearer …` must hold for a POST; null lets only this machine post. */
  readonly token: string | null
}

/** Listens, and answers the address. Throws PORT_TAKEN. */
export async function listen(
  foundation: Foundation,
  { host, port, token }: AppOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(foundation, request, token)
      .catch((thrown: unknown) => failed(thrown))
      .then(found => send(response, found, request.method === 'HEAD'))
      .catch(() => response.destroy())
  })
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  await started(server, host, port)
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, close: () => closed(server) }
}

async function answer(foundation: Foundation, request: IncomingMessage, token: string | null): Promise<Answer> {
  // Nothing here reads a body, and an unread one would keep the connection.
  request.resume()
  const path = decoded(request.url ?? '/')
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const matching = routes.flatMap(route => {
    const name = nameIn(route, path)
    return name === null ? [] : [{ route, name }]
  })
  if (matching.length === 0)
    return refused(404, 'NOT_FOUND', `There is no ${path}.`, 'GET /openapi.json lists what there is.')
  const found = matching.find(({ route }) => route.method === method)
  if (!found) {
    const allow = matching.flatMap(({ route }) => (route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]))
    const headers = { allow: [...allow, 'OPTIONS'].join(', ') }
    if (method === 'OPTIONS') return { status: 204, headers }
    const refusal = refused(405, 'METHOD_NOT_ALLOWED', `${path} does not answer to this method.`, headers.allow)
    return { ...refusal, headers }
  }
  const { route, name } = found
  if (route.method === 'POST') {
    const refusal = refusalOf(request, token)
    if (refusal) return refusal
  }
  return route.answer({ foundation, name, accept: request.headers.accept })
}

function refused(status: number, code: string, message: string, hint: string): Answer {
  return { status, body: { error: { code, message, hint } } }
}

/** What a stranger is answered who would change something; null for who may. */
function refusalOf(request: IncomingMessage, token: string | null): Answer | null {
  const given = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  // A page in somebody's browser is on this machine as well.
  const isLocal =
    /^(::1|(::ffff:)?127\.)/.test(request.socket.remoteAddress ?? '') && request.headers.origin === undefined
  if (token === null ? isLocal : given !== undefined && equal(given, token)) return null
  const message = 'This request may not change anything.'
  if (token === null) return refused(403, 'PERMISSION_DENIED', message, 'Set PLINTH_SERVE_TOKEN, and send it.')
  const refusal = refused(401, 'PERMISSION_DENIED', message, 'Send the token: Authorization: Bearer …')
  return { ...refusal, headers: { 'www-authenticate': 'Bearer' } }
}

/** Takes the same time wherever the two differ. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

function nameIn({ path }: Route, asked: string): string | null {
  if (!path.endsWith('/:name')) return path === asked ? '' : null
  const folder = path.slice(0, -':name'.length)
  const name = asked.startsWith(folder) ? asked.slice(folder.length) : ''
  return name === '' || name.includes('/') ? null : name
}

/** Proxies may name the whole address. */
function decoded(url: string): string {
  const path = url.replace(/^https?:\/\/[^/?]*/i, '').split('?')[0] || '/'
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function failed(thrown: unknown): Answer {
  const error = asPlinthError(thrown)
  const { code, message, hint } = error
  return { status: codes[code].http, body: { error: { code, message, hint: hint ?? codes[code].explain } } }
}

function send(response: ServerResponse, { status, body, text, headers }: Answer, bare: boolean): void {
  const always = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers }
  if (status === 204) {
    response.writeHead(status, always).end()
    return
  }
  const content = text?.content ?? `${JSON.stringify(body ?? null)}\n`
  response.writeHead(status, {
    'content-type': text?.type ?? 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(content),
    ...always,
  })
  response.end(bare ? undefined : content)
}

async function started(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE' || error.code === 'EACCES'
          ? new PlinthError('PORT_TAKEN', `The port ${port} of ${host} cannot be listened on.`, {
              hint: 'Name another one with --port.',
              cause: error,
            })
          : error,
      ),
    )
    server.listen(port, host, resolve)
  })
}

/** Answers what is being asked, and takes no more. */
async function closed(server: Server): Promise<void> {
  server.closeIdleConnections()
  const late = setTimeout(() => server.closeAllConnections(), 5000).unref()
  await new Promise<void>(resolve => server.close(() => resolve()))
  clearTimeout(late)
}
