/** A collector for OTLP over HTTP, real to whoever exports to it. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'

export interface Received<T> {
  /** Such as `/v1/traces`. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Of JSON what it says, of protobuf its bytes. */
  readonly body: T
}

/** Stops when the test ends. */
export async function startCollector<T>(behaviour: 'accepting' | 'silent' | 'refusing') {
  const requests: Received<T>[] = []
  const held: ServerResponse[] = []
  const server = createServer((request, response) => {
    const answer = async () => {
      const { url = '', headers } = request
      requests.push({ path: url, headers, body: bodyOf(headers, await buffer(request)) as T })
      if (behaviour === 'silent') held.push(response)
      else response.writeHead(behaviour === 'accepting' ? 200 : 400, { 'content-type': 'application/json' }).end('{}')
    }
    void answer()
  })
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const stop = async () => {
    server.closeAllConnections()
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  onTestFinished(stop)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, held: () => held.length, stop }
}

function bodyOf(headers: IncomingHttpHeaders, sent: Buffer): unknown {
  const bytes = headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
  return headers['content-type'] === 'application/json' ? JSON.parse(bytes.toString('utf8')) : bytes
}

export interface Attribute {
  readonly key: string
  readonly value: AttributeValue
}

export type AttributeValue = Readonly<Record<string, unknown>> & {
  readonly arrayValue?: { readonly values: readonly AttributeValue[] }
}

export function attributesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]))
}

function valueOf(value: AttributeValue): unknown {
  return value.arrayValue ? value.arrayValue.values.map(valueOf) : Object.values(value)[0]
}
