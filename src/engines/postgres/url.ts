/**
 * Reads a database URL the way libpq does: host, port, database and the `PG…` variables of the environment where the URL says nothing.
 * golang-migrate's `x-…` parameters are ignored, and the search path is understood in the spellings of other drivers, so that their URLs work
 * unchanged and reach the same schema.
 */
import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { PlinthError } from '../../errors.ts'

export interface Target {
  /** A host name, an address, or the folder of a unix socket. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly tls: TlsMode
  readonly tlsFiles: { readonly root?: string; readonly certificate?: string; readonly key?: string }
  readonly connectTimeoutMs: number
  /** Command-line options for the server process, such as `-c search_path=platform`. */
  readonly options: string | undefined
  readonly applicationName: string | undefined
}

export type TlsMode = (typeof tlsModes)[number]

/** Throws DATABASE_URL_INVALID, never with a part of the URL that may be a password. */
export function parseUrl(url: string, environment: NodeJS.ProcessEnv = process.env): Target {
  const parsed = readUrl(url)
  const parameter = (name: string, variable: string): string | undefined =>
    parsed.searchParams.get(name) || environment[variable] || undefined
  const host = parsed.searchParams.get('host') || decode(parsed.hostname) || environment['PGHOST'] || 'localhost'
  const user = parsed.searchParams.get('user') || decode(parsed.username) || environment['PGUSER'] || osUser()
  const database =
    parsed.searchParams.get('dbname') || decode(parsed.pathname.slice(1)) || environment['PGDATABASE'] || user
  const port = Number(parsed.searchParams.get('port') || parsed.port || environment['PGPORT'] || 5432)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid('its port is not a number from 1 to 65535')
  const bare = host.replace(/^\[(.+)\]$/, '$1')
  const password = parsed.searchParams.get('password') || decode(parsed.password) || environment['PGPASSWORD']
  const timeoutSeconds = Number(parameter('connect_timeout', 'PGCONNECT_TIMEOUT') ?? 10)
  return {
    host: bare,
    port,
    user,
    database,
    password: password || passwordFromFile({ host: bare, port, database, user }, environment),
    tls: tlsMode(parameter('sslmode', 'PGSSLMODE'), bare),
    tlsFiles: {
      ...optional('root', parameter('sslrootcert', 'PGSSLROOTCERT')),
      ...optional('certificate', parameter('sslcert', 'PGSSLCERT')),
      ...optional('key', parameter('sslkey', 'PGSSLKEY')),
    },
    connectTimeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : 10_000,
    options:
      [parameter('options', 'PGOPTIONS'), searchPath(parsed.searchParams)].filter(Boolean).join(' ') || undefined,
    applicationName: parameter('application_name', 'PGAPPNAME'),
  }
}

/** As a Go driver, JDBC and Prisma spell it; what is left out here would be made in another schema. */
function searchPath(parameters: URLSearchParams): string | undefined {
  const names = parameters.get('search_path') || parameters.get('currentSchema')
  const one = parameters.get('schema')
  const path = names || (one ? `"${one.replaceAll('"', '""')}"` : '')
  return path === '' ? undefined : `-c search_path=${path.replaceAll(/[\\\s]/g, '\\$&')}`
}

/** `host:port/database`, safe to print; a socket's folder stands for the host. */
export function describeTarget(target: Target): string {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  return `${host}:${target.port}/${target.database}`
}

/** The same server with another database. */
export function withDatabase(url: string, database: string): string {
  const other = readUrl(url)
  other.searchParams.delete('dbname')
  other.pathname = `/${encodeURIComponent(database)}`
  return other.toString()
}

const tlsModes = ['disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full'] as const

function readUrl(url: string): URL {
  let parsed: URL
  try {
    // A URL without a host but with a user (`postgres://me@/db`) is fine for libpq and not for the URL standard.
    parsed = new URL(url.replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=[/?]|$)/i, '$1localhost'))
  } catch {
    throw invalid('it is malformed')
  }
  if (!/^postgres(ql)?:$/i.test(parsed.protocol)) throw invalid('its scheme is not postgres')
  if (parsed.hash) throw invalid('it has a "#" that is not encoded')
  return parsed
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
  const mode = tlsModes.find(known => known === given)
  if (!mode) throw invalid(`its sslmode is not one of ${tlsModes.join(', ')}`)
  return mode
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

/** The first matching line of libpq's password file: `host:port:database:user:password`, `*` matches all, `\` escapes. */
function passwordFromFile(
  target: { host: string; port: number; database: string; user: string },
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const file = environment['PGPASSFILE'] || (environment['HOME'] ? `${environment['HOME']}/.pgpass` : undefined)
  const text = file === undefined ? '' : readQuietly(file)
  const wanted = [
    target.host.startsWith('/') ? 'localhost' : target.host,
    String(target.port),
    target.database,
    target.user,
  ]
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(match =>
      (match[1] ?? '').replace(/\\(.)/g, '$1'),
    )
    if (wanted.every((value, i) => fields[i] === '*' || fields[i] === value)) return fields[4]
  }
  return undefined
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
