/**
 * Reads a database URL the way libpq does: hosts, ports and database, and where the URL says nothing the service that it names, and the `PG…`
 * variables of the environment.
 * golang-migrate's `x-…` parameters are ignored, and the search path is understood in the spellings of other drivers, so that their URLs work
 * unchanged and reach the same schema.
 */
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { PlinthError } from '../../errors.ts'
import { passwordFromFile } from './password-file.ts'
import { readService } from './service-file.ts'

export interface Target {
  /** A host name, an address, or the folder of a unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly tls: TlsMode
  readonly tlsFiles: {
    readonly root?: string
    readonly certificate?: string
    readonly key?: string
    readonly passphrase?: string
  }
  /** The password exchange is tied to the encrypted connection, so that nobody in between can take part in it. Only where it is asked for. */
  readonly channelBinding: 'disable' | 'prefer' | 'require'
  readonly connectTimeoutMs: number
  /** Command-line options for the server process, such as `-c search_path=platform`. */
  readonly options: string | undefined
  readonly applicationName: string | undefined
}

export type TlsMode = (typeof tlsModes)[number]
/** Which of several servers will do. */
export type Wanted = (typeof wantedServers)[number]

/** One for each host, in the order in which they are tried. Throws DATABASE_URL_INVALID, never with a part of the URL that may be a password. */
export function parseTargets(url: string, environment: NodeJS.ProcessEnv = process.env): readonly Target[] {
  const { parsed, hosts: written } = readUrl(url)
  const given = parametersOf(parsed, environment)
  const named = (parsed.searchParams.get('host') || (written ? '' : given('host', 'PGHOST'))) ?? ''
  const hosts: readonly Place[] = named === '' ? (written ?? [{ host: '' }]) : named.split(',').map(host => ({ host }))
  const ports = parsed.searchParams.get('port')?.split(',') ?? []
  const otherPorts = given('port', 'PGPORT')?.split(',') ?? []
  const user = parsed.searchParams.get('user') || decode(parsed.username) || given('user', 'PGUSER') || osUser()
  const database = databaseOf(parsed) || given('dbname', 'PGDATABASE') || user
  const password = parsed.searchParams.get('password') || decode(parsed.password) || given('password', 'PGPASSWORD')
  const timeoutSeconds = Number(given('connect_timeout', 'PGCONNECT_TIMEOUT') ?? 10)
  const mode = given('sslmode', 'PGSSLMODE') ?? sslWord(given('ssl'))
  const passwords = given('passfile', 'PGPASSFILE') ?? atHome('.pgpass', environment)
  return hosts.map((place, at) => {
    const host = place.host.replace(/^\[(.+)\]$/, '$1') || 'localhost'
    const port = portOf(pick(ports, at) || place.port || pick(otherPorts, at) || '5432')
    return {
      host,
      port,
      user,
      database,
      password: password || passwordFromFile({ host, port, database, user }, passwords),
      tls: tlsMode(mode, host),
      tlsFiles: {
        ...optional('root', given('sslrootcert', 'PGSSLROOTCERT') ?? ownFile('root.crt', environment)),
        ...optional('certificate', given('sslcert', 'PGSSLCERT') ?? ownFile('postgresql.crt', environment)),
        ...optional('key', given('sslkey', 'PGSSLKEY') ?? ownFile('postgresql.key', environment)),
        ...optional('passphrase', given('sslpassword')),
      },
      channelBinding: oneOf(bindings, 'channel_binding', given('channel_binding', 'PGCHANNELBINDING') ?? 'disable'),
      connectTimeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : 10_000,
      options: [given('options', 'PGOPTIONS'), searchPath(parsed.searchParams)].filter(Boolean).join(' ') || undefined,
      applicationName: given('application_name', 'PGAPPNAME'),
    }
  })
}

/** The first target. Throws what `parseTargets` throws. */
export function parseUrl(url: string, environment: NodeJS.ProcessEnv = process.env): Target {
  const [first] = parseTargets(url, environment)
  if (first) return first
  throw invalid('it names no host')
}

/** Of several servers, the one that is meant; any, where nobody says. */
export function wantedServer(url: string, environment: NodeJS.ProcessEnv = process.env): Wanted {
  const given = parametersOf(readUrl(url).parsed, environment)
  return oneOf(wantedServers, 'target_session_attrs', given('target_session_attrs', 'PGTARGETSESSIONATTRS') ?? 'any')
}

/** The URL of that one server, where it names several. */
export function atTarget(url: string, { host, port }: Target): string {
  const { parsed } = readUrl(url)
  parsed.searchParams.set('host', host)
  parsed.searchParams.set('port', String(port))
  parsed.searchParams.set('target_session_attrs', 'any')
  return parsed.toString()
}

/** As a Go driver, JDBC and Prisma spell it; what is left out here would be made in another schema. */
function searchPath(parameters: URLSearchParams): string | undefined {
  const names = parameters.get('search_path') || parameters.get('currentSchema')
  const one = parameters.get('schema')
  const path = names || (one ? `"${one.replaceAll('"', '""')}"` : '')
  return path === '' ? undefined : `-c search_path=${path.replaceAll(/[\\\s]/g, '\\$&')}`
}

/** `host:port/database`, safe to print; a socket's folder stands for the host, and several hosts stand beside each other. */
export function describeTargets(targets: readonly Target[]): string {
  const hosts = targets.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
  return `${hosts.join(',')}/${targets[0]?.database ?? ''}`
}

/** The same server with another database. */
export function withDatabase(url: string, database: string): string {
  const { parsed, list } = readUrl(url)
  parsed.searchParams.delete('dbname')
  parsed.pathname = `/${encodeURIComponent(database)}`
  return withHosts(parsed, list)
}

/** The same URL with one more parameter, or another value of it. */
export function withParameter(url: string, name: string, value: string): string {
  const { parsed, list } = readUrl(url)
  parsed.searchParams.set(name, value)
  return withHosts(parsed, list)
}

const tlsModes = ['disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full'] as const
const bindings = ['disable', 'prefer', 'require'] as const
const wantedServers = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const

/** Scheme, user and password; then hosts and ports. */
const authority = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#]*)/i

/** Hosts are null where the URL has none. Those of a list are taken out, since the standard of URLs knows but one. */
function readUrl(url: string): {
  readonly parsed: URL
  readonly list: string
  readonly hosts: readonly Place[] | null
} {
  const [, before = '', list = ''] = authority.exec(url) ?? []
  // A URL without a host but with a user (`postgres://me@/db`) is fine for libpq and not for the URL standard.
  const plain = list === '' && before.endsWith('@') ? 'localhost' : (list.split(',')[0] ?? '')
  const single = url.replace(authority, `$1${plain}`)
  let parsed: URL
  try {
    parsed = new URL(single)
  } catch {
    throw invalid('it is malformed')
  }
  if (!/^postgres(ql)?:$/i.test(parsed.protocol)) throw invalid('its scheme is not postgres')
  if (parsed.hash) throw invalid('it has a "#" that is not encoded')
  return { parsed, list, hosts: placesIn(list) }
}

function withHosts(parsed: URL, list: string): string {
  const text = parsed.toString()
  return list.includes(',') ? text.replace(authority, (_, before: string) => before + list) : text
}

/** A parameter of the URL, else of the service that is named, else of the environment. */
function parametersOf(parsed: URL, environment: NodeJS.ProcessEnv) {
  const name = parsed.searchParams.get('service') || environment['PGSERVICE']
  const service = name ? readService(name, environment) : {}
  if (service === null) throw invalid('its service is in no pg_service.conf, nor in the file of PGSERVICEFILE')
  return (parameter: string, variable?: string): string | undefined =>
    parsed.searchParams.get(parameter) ||
    service[parameter] ||
    (variable === undefined ? undefined : environment[variable]) ||
    undefined
}

function databaseOf(parsed: URL): string {
  return parsed.searchParams.get('dbname') || decode(parsed.pathname.slice(1))
}

interface Place {
  readonly host: string
  readonly port?: string | undefined
}

function placesIn(list: string): readonly Place[] | null {
  if (list === '') return null
  return list.split(',').map(one => {
    const [, host = one, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(one) ?? []
    return { host: decode(host), port }
  })
}

/** One port for all hosts, or one each. */
function pick(ports: readonly string[], at: number): string | undefined {
  return ports.length === 1 ? ports[0] : ports[at]
}

function portOf(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid('its port is not a number from 1 to 65535')
  return port
}

function oneOf<T extends string>(known: readonly T[], name: string, given: string): T {
  const found = known.find(one => one === given)
  if (found === undefined) throw invalid(`its ${name} is not one of ${known.join(', ')}`)
  return found
}

function invalid(why: string): PlinthError {
  return new PlinthError('DATABASE_URL_INVALID', `The database URL cannot be read: ${why}.`, {
    hint: 'Write postgres://user:password@host:5432/database and encode special characters of the password, such as %40 for @.',
  })
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid('a "%" in it is not followed by two hexadecimal digits')
  }
}

/** Without a choice, this machine is reached in the clear and others with TLS where they offer it. */
function tlsMode(given: string | undefined, host: string): TlsMode {
  if (host.startsWith('/')) return 'disable'
  if (given === undefined) return /^(localhost|127\..*|::1)$/.test(host) ? 'disable' : 'prefer'
  return oneOf(tlsModes, 'sslmode', given)
}

/** As Heroku and other drivers spell it. */
function sslWord(given: string | undefined): string | undefined {
  if (given === undefined || given === 'no-verify') return given
  return /^(0|false|off)$/i.test(given) ? 'disable' : 'require'
}

function atHome(file: string, { HOME }: NodeJS.ProcessEnv): string | undefined {
  return HOME ? `${HOME}/${file}` : undefined
}

/** What libpq finds without being told. */
function ownFile(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  const file = atHome(`.postgresql/${name}`, environment)
  return file !== undefined && existsSync(file) ? file : undefined
}

function osUser(): string {
  try {
    return userInfo().username
  } catch {
    return 'postgres'
  }
}

function optional<K extends string>(name: K, value: string | undefined): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: string })
}
