/** What other people's clients, proxies, probes and scrapers send, and what they are answered. */
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { listen } from '../../src/server/app.ts'
import { openFoundation } from '../../src/index.ts'
import { platformProject } from '../support/cli.ts'
import { platformDatabase } from '../support/database.ts'

/** A server on a database of its own, in this process. */
async function served(token: string | null = null) {
  const { url: database } = await platformDatabase()
  const cwd = platformProject()
  const variables = {
    DATABASE_URL: database,
    WAREHOUSE_URL: `duckdb:${cwd}/warehouse.duckdb`,
    PLINTH_STATE: `${cwd}/state`,
  }
  const foundation = await openFoundation({
    flags: {},
    configuration: 'load',
    command: 'serve',
    cwd,
    variables,
    version: '1.2.3',
    signal: new AbortController().signal,
  })
  const server = await listen(foundation, { host: '127.0.0.1', port: 0, token })
  onTestFinished(async () => {
    await server.close()
    await foundation.close()
  })
  return server.url
}

/** Sends bytes as they are and answers all that comes back until the server ends, or `done` is in it. */
async function raw(url: string, text: string, done: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  onTestFinished(() => void socket.destroy())
  socket.setEncoding('utf8').write(text)
  let answer = ''
  for await (const chunk of socket) {
    answer += String(chunk)
    if (answer.includes(done)) break
  }
  return answer
}

test('every address answers GET and HEAD alike, says which methods it takes, and describes itself', async () => {
  const url = await served()
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    info: object
    paths: Record<string, Record<string, object>>
  }
  expect(document).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } })
  expect(Object.keys(document.paths)).toEqual([
    '/health',
    '/ready',
    '/jobs',
    '/jobs/{name}',
    '/rollups',
    '/metrics',
    '/openapi.json',
  ])
  for (const path of ['/health', '/ready', '/jobs', '/openapi.json']) {
    const [got, head] = [await fetch(url + path), await fetch(url + path, { method: 'HEAD' })]
    expect([got.status, head.status, await head.text()]).toEqual([200, 200, ''])
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(await got.text())))
    const options = await fetch(url + path, { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    const refused = await fetch(url + path, { method: 'DELETE' })
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    expect(await refused.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } })
  }
  expect((await fetch(`${url}/jobs/rollup`)).headers.get('allow')).toBe('POST, OPTIONS')
  expect(await (await fetch(`${url}/nothing%2Fat%zzall?x`)).json()).toMatchObject({
    error: { code: 'NOT_FOUND', hint: expect.any(String) },
  })
})

test('what is no HTTP, names the whole address, or comes with a body that nobody asked for, does no harm', async () => {
  const url = await served()
  expect(await raw(url, 'HELLO\r\n\r\n', 'never')).toMatch(/^HTTP\/1\.1 400 /)
  expect(await raw(url, 'GET http://behind.example/health HTTP/1.1\r\nhost: behind.example\r\n\r\n', '"ok"')).toContain(
    '"ok"',
  )
  expect(await raw(url, 'GET /health HTTP/1.0\r\n\r\n', '"ok"')).toContain('"ok"')
  const body = Buffer.alloc(4 << 20, '{')
  const posted = await fetch(`${url}/jobs/nothing`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  expect([posted.status, await posted.json()]).toEqual([400, { error: expect.objectContaining({ code: 'USAGE' }) }])
  // A body that never ends is not waited for.
  const slow = 'POST /jobs/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n{'
  expect(await raw(url, slow, 'USAGE')).toMatch(/^HTTP\/1\.1 400 /)
  const twice = 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n'
  expect(
    (await raw(url, `${twice}${twice.replace('host: x', 'host: x\r\nconnection: close')}`, 'never')).match(/"ok"/g),
  ).toHaveLength(2)
})

test('a scraper gets the text that it asks for', async () => {
  const url = await served()
  const ask = async (accept: string) => {
    const answer = await fetch(`${url}/metrics`, { headers: { accept } })
    return { type: answer.headers.get('content-type'), vary: answer.headers.get('vary'), text: await answer.text() }
  }
  const older = await ask('text/plain;version=0.0.4;q=1,*/*;q=0.1')
  expect(older).toMatchObject({ type: 'text/plain; version=0.0.4; charset=utf-8', vary: 'accept' })
  expect(older.text).toContain('# TYPE plinth_rollup_runs_total counter\n')
  expect(older.text).not.toMatch(/# (EOF|UNIT)/)
  const prometheus =
    'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
  for (const accept of [prometheus, '*/*']) {
    const { type, text } = await ask(accept)
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    expect(text).toMatch(/# TYPE plinth_rollup_runs counter\n[^]*# EOF\n$/)
  }
})

test('with a token set, who does not send it is told how', async () => {
  const url = await served('geheim')
  const post = (authorization: string | null) =>
    fetch(`${url}/jobs/rollup`, { method: 'POST', ...(authorization === null ? {} : { headers: { authorization } }) })
  for (const authorization of [null, 'Bearer other', 'Basic geheim']) {
    const refused = await post(authorization)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  }
  expect((await fetch(`${url}/jobs`)).status).toBe(200)
})
