/** One connection: waits for a server that starts, and sets what lossless values need. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenOptions } from '../engine.ts'
import { type Client, Connection } from './driver.ts'
import { isStarting, translate } from './failure.ts'
import { connectToOne, tlsAttempts } from './reach.ts'
import { refuseOlder, supported } from './supported.ts'
import { atTarget, describeTargets, parseTargets, wantedServer } from './url.ts'

export interface Connected {
  readonly client: Client
  readonly address: string
  /** Of the server that was chosen, where the URL names several. */
  readonly url: string
  readonly serverVersion: number
  /** The server process; behind a pooler the one that happened to answer. */
  readonly backendId: number
  /** What answered the connection is not the server process that answers queries. */
  readonly pooled: boolean
}

/** Throws DATABASE_URL_INVALID, DATABASE_UNREACHABLE, DATABASE_AUTHENTICATION, DATABASE_UNKNOWN, SERVER_UNSUPPORTED. */
export async function connect(url: string, options: OpenOptions = {}): Promise<Connected> {
  const targets = parseTargets(url)
  const wanted = wantedServer(url)
  let client: Client | undefined
  try {
    const reached = await whileStarting(() => connectToOne(targets, wanted, options), options)
    client = reached.client
    const address = describeTargets([reached.target])
    const own = targets.length > 1 ? atTarget(url, reached.target) : url
    return { client, address, url: own, ...(await prepare(client, address, options)) }
  } catch (error) {
    client?.end().catch(() => undefined)
    throw translate(error, { address: describeTargets(targets), phase: 'connect' })
  }
}

/**
 * Asks whoever answered the connection to stop its running statement, by the key that he gave out: behind a pooler nothing else reaches the
 * right server process.
 */
export function requestCancel(url: string, client: Client): Promise<void> {
  const { processID, secretKey } = client as unknown as { readonly processID: number; readonly secretKey: number }
  const [target] = parseTargets(url)
  if (!target) return Promise.resolve()
  const isEncrypted = 'encrypted' in client.connection.stream && client.connection.stream.encrypted === true
  const ssl = isEncrypted ? (tlsAttempts(target).find(Boolean) ?? false) : false
  const connection = new Connection({ ssl }) as unknown as Canceller & Connection
  return new Promise(resolve => {
    if (isEncrypted) connection.on('connect', () => connection.requestSsl())
    connection.on(isEncrypted ? 'sslconnect' : 'connect', () => connection.cancel(processID, secretKey))
    for (const over of ['end', 'error']) connection.on(over, () => resolve())
    if (target.host.startsWith('/')) connection.connect(`${target.host}/.s.PGSQL.${target.port}`)
    else connection.connect(target.port, target.host)
  })
}

/** Methods of `pg`'s connection that its types leave out. */
interface Canceller {
  connect(portOrSocket: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
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

type Prepared = Pick<Connected, 'serverVersion' | 'backendId' | 'pooled'>

/**
 * Sets what the value conventions rest on, also where role or database have other defaults. Whoever answered the connection named its process:
 * where a query is answered by another one, a pooler stands between, and settings would stay with a process that others use next.
 */
async function prepare(client: Client, address: string, options: OpenOptions): Promise<Prepared> {
  const settings = Object.entries({ ...sessionSettings, ...options.settings })
  const values = settings.flat()
  const calls = settings.map((_, i) => `case when direct then set_config($${i * 2 + 2}, $${i * 2 + 3}, false) end`)
  const ask = (more: readonly string[]) =>
    client.query<{ version: string; pid: number; limited: boolean }>(
      `select current_setting('server_version_num') as version, pg_backend_pid() as pid, ${limited} as limited, ${[...calls, ...more].join(', ')}
      from (select pg_backend_pid() = $1::integer as direct) as connection`,
      [processOf(client), ...values],
    )
  // Some systems cannot watch the socket, which is no reason to fail.
  const { rows } = await ask([watchedSocket, inEnglish]).catch(async error => {
    if (isRefusedSetting(error)) return ask([inEnglish])
    // So old that it does not even understand the question.
    refuseOlder(await versionOf(client).catch(() => supported.oldest), address)
    throw error
  })
  const row = rows[0]
  const serverVersion = majorOf(row?.version)
  refuseOlder(serverVersion, address)
  const pooled = row?.pid !== processOf(client)
  if (pooled) await client.query(followedSettings)
  else if (row?.limited) await client.query(unlimited)
  return { serverVersion, backendId: row?.pid ?? 0, pooled }
}

async function versionOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ server_version_num: string }>('show server_version_num')
  return majorOf(rows[0]?.server_version_num)
}

/** `180004` → 18. */
function majorOf(number: string | undefined): number {
  return Math.floor(Number(number ?? 0) / 10_000)
}

/**
 * Messages are read for what they name, and cleared of the values that they quote, which is surest in one language. Only who may set this has it
 * set: for anybody else they stay in the server's own.
 */
const inEnglish = `case when direct and current_setting('is_superuser') = 'on' and current_setting('lc_messages') not in ('C', 'POSIX', '')
  then set_config('lc_messages', 'C', false) end`

/** A statement whose client died stops within seconds. Servers before 14 do not know of it. */
const watchedSocket = `case when direct and current_setting('server_version_num')::integer >= 140000
  then set_config('client_connection_check_interval', '2s', false) end`

function isRefusedSetting(error: unknown): boolean {
  const { code, message } = error as { readonly code?: string; readonly message?: string }
  return /^(22023|42501|42704)$/.test(code ?? '') && /client_connection_check_interval/.test(message ?? '')
}

/** Of the process that answered the connection. */
function processOf(client: Client): number {
  return (client as unknown as { readonly processID: number }).processID
}

const sessionSettings = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  array_nulls: 'on',
}

/**
 * Limits of role, database or server are meant for applications, and would end a long migration, a proof or a hook in the middle; runs have limits
 * of their own. What the URL or PGOPTIONS sets was meant for us. Two runs at once take turns by a lock, where serializable would only fail one.
 */
const limits = [
  'statement_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'transaction_timeout',
]
const unlimited = `
  select count(set_config(s.name, case when s.vartype = 'integer' then '0' else 'read committed' end, false))
  from pg_catalog.pg_settings s
  where s.name in (${limits.map(name => `'${name}'`).join(', ')}, 'default_transaction_isolation')
    and s.setting not in ('0', 'read committed') and s.source not in ('client', 'session')`

/** Mostly there is none, and to ask where settings come from takes longer than all else that is asked here. Older servers lack some. */
const limited = `current_setting('default_transaction_isolation') <> 'read committed' or ${limits
  .map(name => `coalesce(current_setting('${name}', true), '0') <> '0'`)
  .join(' or ')}`

/** Those that the server reports to its client, which poolers therefore carry from one server process to the next. */
const followedSettings = `select set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'ISO, YMD', false),
  set_config('client_encoding', 'UTF8', false), set_config('standard_conforming_strings', 'on', false)`
