/** Reaches a server: goes over the hosts of a URL, and chooses TLS, the way libpq does. */
import { readFileSync } from 'node:fs'
import { PlinthError } from '../../errors.ts'
import type { OpenOptions } from '../engine.ts'
import { Client, type ClientConfig } from './driver.ts'
import { describeTargets, type Target, type TlsMode, type Wanted } from './url.ts'
import { parsers } from './values.ts'

export interface Reached {
  readonly client: Client
  readonly target: Target
}

/** Goes on to the next host where nobody answers, or whoever does is not the one that is wanted. */
export async function connectToOne(targets: readonly Target[], wanted: Wanted, options: OpenOptions): Promise<Reached> {
  let failure: unknown
  const unwanted: Target[] = []
  for (const target of targets) {
    try {
      const client = await connectOnce(target, options)
      if (await isWanted(client, wanted)) return { client, target }
      client.end().catch(() => undefined)
      unwanted.push(target)
    } catch (error) {
      failure = error
      if (!otherHostMayHelp(error)) throw error
    }
  }
  const [first] = unwanted
  if (first && wanted === 'prefer-standby') return { client: await connectOnce(first, options), target: first }
  if (first)
    throw new PlinthError(
      'DATABASE_UNREACHABLE',
      `${describeTargets(unwanted)}: no server there is ${words[wanted]}.`,
      {
        at: { object: describeTargets(unwanted) },
        hint: 'Name other hosts in the database URL, or another target_session_attrs.',
      },
    )
  throw failure
}

export type Ssl = Exclude<ClientConfig['ssl'], undefined>

/** What is tried in turn. Throws FILE_UNREADABLE. */
export function tlsAttempts(target: Target): Ssl[] {
  const files = {
    ...(target.tlsFiles.root && target.tlsFiles.root !== 'system' ? { ca: pem(target.tlsFiles.root) } : {}),
    ...(target.tlsFiles.certificate ? { cert: pem(target.tlsFiles.certificate) } : {}),
    ...(target.tlsFiles.key ? { key: pem(target.tlsFiles.key) } : {}),
    ...(target.tlsFiles.passphrase ? { passphrase: target.tlsFiles.passphrase } : {}),
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

const words: Readonly<Record<Wanted, string>> = {
  any: 'there',
  'read-write': 'open for changes',
  'read-only': 'read-only',
  primary: 'a primary',
  standby: 'a standby',
  'prefer-standby': 'a standby',
}

async function isWanted(client: Client, wanted: Wanted): Promise<boolean> {
  if (wanted === 'any') return true
  const { rows } = await client.query<{ standby: boolean; readonly: boolean }>(
    "select pg_catalog.pg_is_in_recovery() as standby, current_setting('transaction_read_only') = 'on' as readonly",
  )
  const { standby = false, readonly = false } = rows[0] ?? {}
  if (wanted === 'read-write') return !readonly
  if (wanted === 'read-only') return readonly
  return standby === (wanted !== 'primary')
}

/** Whoever knows the user and refuses him will do so everywhere. */
function otherHostMayHelp(error: unknown): boolean {
  if (error instanceof PlinthError) return false
  const { code = '', severity } = error as { readonly code?: string; readonly severity?: string }
  return severity === undefined || code === '57P03'
}

async function connectOnce(target: Target, options: OpenOptions): Promise<Client> {
  const attempts = tlsAttempts(target)
  for (const [i, ssl] of attempts.entries()) {
    const client = new Client({ ...clientConfig(target, options), ssl })
    const binding = watchBinding(client)
    // Without a listener, a connection that breaks while idle would end the process.
    client.on('error', () => undefined)
    try {
      await client.connect()
      if (target.channelBinding !== 'require' || binding.offered) return client
      throw new PlinthError(
        'DATABASE_AUTHENTICATION',
        `${describeTargets([target])}: the server offers no channel binding.`,
        {
          at: { object: describeTargets([target]) },
          hint: 'Reach it with TLS and a password of scram-sha-256, or take channel_binding=require out of the URL.',
        },
      )
    } catch (error) {
      client.end().catch(() => undefined)
      if (i === attempts.length - 1 || !otherTlsMayHelp(error)) throw error
    }
  }
  throw new PlinthError('INTERNAL', 'There was no way to connect.')
}

/** What the server offers is all that can be watched: the driver takes it whenever the connection is encrypted. */
function watchBinding(client: Client): { offered: boolean } {
  const binding = { offered: false }
  const connection = client.connection as unknown as Listening
  connection.on('authenticationSASL', ({ mechanisms }) => {
    binding.offered = mechanisms.includes('SCRAM-SHA-256-PLUS')
  })
  return binding
}

interface Listening {
  on(event: 'authenticationSASL', listener: (message: { readonly mechanisms: readonly string[] }) => void): void
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
    enableChannelBinding: target.channelBinding !== 'disable',
    types: parsers,
    ...(target.options === undefined ? {} : { options: target.options }),
  }
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
