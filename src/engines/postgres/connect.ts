/** One connection: waits for a server that starts, chooses TLS the way libpq does, and sets what lossless values need. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type ClientConfig } from 'pg'
import { PlinthError } from '../../errors.ts'
import type { OpenOptions } from '../engine.ts'
import { isStarting, translate } from './failure.ts'
import { describeTarget, parseUrl, type Target, type TlsMode } from './url.ts'
import { parsers } from './values.ts'

export interface Connected {
  readonly client: Client
  readonly address: string
  readonly serverVersion: number
  readonly backendId: number
}

/** Throws DATABASE_URL_INVALID, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION, DATABASE_UNKNOWN. */
export async function connect(url: string, options: OpenOptions = {}): Promise<Connected> {
  const target = parseUrl(url)
  const address = describeTarget(target)
  let client: Client | undefined
  try {
    client = await whileStarting(() => connectOnce(target, options), options)
    return { client, address, ...(await prepare(client, options)) }
  } catch (error) {
    client?.end().catch(() => undefined)
    throw translate(error, { address, phase: 'connect' })
  }
}

async function whileStarting<T>(attempt: () => Promise<T>, { waitMs = 0, onWait }: OpenOptions): Promise<T> {
  const started = performance.now()
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
    try {
      return await attempt()
    } catch (error) {
      const waitedMs = Math.round(performance.now() - started)
      if (!isStarting(error) || waitedMs >= waitMs) throw error
      onWait?.(null, waitedMs)
      await sleep(Math.min(pauseMs, waitMs - waitedMs))
    }
  }
}

async function connectOnce(target: Target, options: OpenOptions): Promise<Client> {
  const attempts = tlsAttempts(target)
  for (const [i, ssl] of attempts.entries()) {
    const client = new Client({ ...clientConfig(target, options), ssl })
    // Without a listener, a connection that breaks while idle would end the process.
    client.on('error', () => undefined)
    try {
      return await client.connect()
    } catch (error) {
      client.end().catch(() => undefined)
      if (i === attempts.length - 1 || !otherTlsMayHelp(error)) throw error
    }
  }
  throw new PlinthError('INTERNAL', 'There was no way to connect.')
}

function clientConfig(target: Target, options: OpenOptions): ClientConfig {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    // A function keeps `pg` from looking into the password file, which was read already.
    password: target.password ?? (() => undefined as unknown as string),
    application_name: (options.applicationName ?? target.applicationName ?? 'plinth').slice(0, 63),
    connectionTimeoutMillis: target.connectTimeoutMs,
    keepAlive: true,
    types: parsers,
    ...(target.options === undefined ? {} : { options: target.options }),
  }
}

type Ssl = Exclude<ClientConfig['ssl'], undefined>

function tlsAttempts(target: Target): Ssl[] {
  const files = {
    ...(target.tlsFiles.root && target.tlsFiles.root !== 'system' ? { ca: pem(target.tlsFiles.root) } : {}),
    ...(target.tlsFiles.certificate ? { cert: pem(target.tlsFiles.certificate) } : {}),
    ...(target.tlsFiles.key ? { key: pem(target.tlsFiles.key) } : {}),
  }
  const unverified = { ...files, rejectUnauthorized: false }
  const sameAuthority = { ...files, checkServerIdentity: () => undefined }
  const attempts: Readonly<Record<TlsMode, Ssl[]>> = {
    disable: [false],
    allow: [false, unverified],
    prefer: [unverified, false],
    require: [target.tlsFiles.root ? sameAuthority : unverified],
    'no-verify': [unverified],
    'verify-ca': [sameAuthority],
    'verify-full': [files],
  }
  return attempts[target.tls]
}

function pem(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new PlinthError('FILE_UNREADABLE', `The certificate file ${file} cannot be read.`, {
      at: { file },
      cause: error,
    })
  }
}

function otherTlsMayHelp(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string }
  return code === '28000' || /SSL/i.test(message ?? '')
}

/** Sets what the value conventions rest on, also where role or database have other defaults. */
async function prepare(client: Client, options: OpenOptions): Promise<{ serverVersion: number; backendId: number }> {
  const settings = Object.entries({ ...sessionSettings, ...options.settings })
  const values = settings.flat()
  const calls = settings.map((_, i) => `set_config($${i * 2 + 1}, $${i * 2 + 2}, false)`)
  const { rows } = await client.query<{ version: string; pid: number }>(
    `select current_setting('server_version_num') as version, pg_backend_pid() as pid, ${calls.join(', ')}`,
    values,
  )
  // A statement whose client died stops within seconds. Some systems cannot watch the socket, which is no reason to fail.
  await client.query("set client_connection_check_interval = '2s'").catch(() => undefined)
  const row = rows[0]
  return { serverVersion: Math.floor(Number(row?.version) / 10_000), backendId: row?.pid ?? 0 }
}

const sessionSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
}
