/**
 * BigQuery's errors as PlinthErrors. Messages quote values ("Bad int64 value: x"), so only what is known to be free of row data and
 * literals is kept; the place in the text tells the rest.
 */
import { type Code, type Place, PlinthError } from '../../errors.ts'

/** What was sent, for the place of an error. `text` begins at `offset` of `script`, and at `lead` of what the job was given. */
export interface Sent {
  readonly text: string
  readonly script: string
  readonly offset: number
  /** For a script: the number of statements that finished before. */
  readonly statement?: number
  readonly address: string
}

/** What the API said: by its status, and by the reason that it gives. */
export interface ApiProblem {
  readonly status: number
  readonly reason: string
  readonly message: string
}

/** Reads an error of the official client, or of a job that ended with one. */
export function problemOf(thrown: unknown): ApiProblem {
  const error = (thrown ?? {}) as {
    code?: unknown
    message?: string
    errors?: readonly { reason?: string; message?: string }[]
    response?: { status?: unknown; statusCode?: unknown }
  }
  const [first] = error.errors ?? []
  const status = Number(error.code ?? error.response?.status ?? error.response?.statusCode)
  return {
    status: Number.isInteger(status) ? status : 0,
    reason: first?.reason ?? (typeof error.code === 'string' ? error.code : ''),
    message: first?.message ?? error.message ?? 'BigQuery failed without a word.',
  }
}

/** Worth another try after a pause: the service is busy or was away, and nothing of the job was kept. */
export function mayPass({ status, reason, message }: ApiProblem): boolean {
  if (passing.has(reason)) return true
  if (status === 429 || status === 500 || status === 502 || status === 503 || status === 504) return true
  return (
    status === 0 &&
    /ECONNRESET|ECONNREFUSED|EPIPE|ETIMEDOUT|EAI_AGAIN|socket hang up|network|premature close/i.test(message)
  )
}

const passing: ReadonlySet<string> = new Set([
  'rateLimitExceeded',
  'jobRateLimitExceeded',
  'userRateLimitExceeded',
  'backendError',
  'internalError',
  'jobBackendError',
  'jobInternalError',
  'tableUnavailable',
])

/** What BigQuery refused, as the error that everybody above knows. */
export function failureOf(problem: ApiProblem, sent: Sent): PlinthError {
  const said = describe(problem)
  return new PlinthError(said.code, said.message, {
    at: { object: sent.address, ...placeOf(problem.message, sent) },
    hint: said.hint,
    details: {
      reason: problem.reason,
      status: problem.status,
      ...(sent.statement === undefined ? {} : { statement: sent.statement }),
    },
  })
}

/** Both figures, as far as BigQuery tells them. */
function billed(message: string): string {
  const [, cap, needed] = /bytes billed: (\d+)\. (\d+) or higher/i.exec(message) ?? []
  if (!cap || !needed) return 'more bytes than maximumBytesBilled allows'
  return `${Number(needed).toLocaleString('en-US')} bytes, and maximumBytesBilled allows ${Number(cap).toLocaleString('en-US')}`
}

interface Said {
  readonly code: Code
  readonly message: string
  readonly hint?: string
}

/** What the client and the library of keys say of a file that is none, or whose key was cut off. */
function isKeyMalformed(reason: string, message: string): boolean {
  return (
    reason.startsWith('ERR_OSSL') ||
    /DECODER routines|PEM routines|private.?key|does not contain a client_email|in JSON|not valid JSON|JSON input/i.test(
      message,
    )
  )
}

function describe({ status, reason, message }: ApiProblem): Said {
  const own = /PLINTH ([A-Z_]+): ([^\n]*)/.exec(message)
  if (own) return { code: (own[1] ?? 'WAREHOUSE_FAILED') as Code, message: (own[2] ?? '').trim() }
  if (reason === 'bytesBilledLimitExceeded' || /limit for bytes billed/i.test(message))
    return {
      code: 'COST_CAP_EXCEEDED',
      message: `The job would bill ${billed(message)}, so BigQuery did not run it.`,
      hint: 'Change less at once, or raise maximumBytesBilled in the URL of the warehouse.',
    }
  if (reason === 'stopped') return { code: 'INTERRUPTED', message: 'The job was cancelled.' }
  if (/^(ENOENT|EACCES|EISDIR|ENOTDIR)$/.test(reason) || /^The file at .* does not exist/.test(message))
    return {
      code: 'DATABASE_AUTHENTICATION',
      message: 'The file with the key of Google Cloud cannot be read.',
      hint: 'Check the path in keyFile= of the URL or in GOOGLE_APPLICATION_CREDENTIALS, and whether this user may read it.',
    }
  const away =
    status === 0 ? /getaddrinfo \w+ ([\w.-]+)|(ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)/.exec(message) : null
  if (away)
    return {
      code: 'DATABASE_UNREACHABLE',
      message: away[1]
        ? `Google Cloud cannot be reached: ${away[1]} has no address.`
        : 'Google Cloud cannot be reached.',
      hint: 'Check the network, the proxy (HTTPS_PROXY) and endpoint= in the URL, then run the command again.',
    }
  if (isKeyMalformed(reason, message))
    return {
      code: 'DATABASE_AUTHENTICATION',
      message: 'The file with the key of Google Cloud holds no key of a service account.',
      hint: 'Download the key again as JSON, and name that file by keyFile= in the URL or in GOOGLE_APPLICATION_CREDENTIALS.',
    }
  if (
    status === 401 ||
    /invalid_grant|could not load the default credentials|invalid_client|unauthenticated/i.test(message)
  )
    return {
      code: 'DATABASE_AUTHENTICATION',
      message: 'Google Cloud refused the credentials, or there are none, or they have expired.',
      hint: 'Set GOOGLE_APPLICATION_CREDENTIALS or keyFile= in the URL, or run `gcloud auth application-default login`.',
    }
  if (
    reason === 'quotaExceeded' ||
    reason === 'rateLimitExceeded' ||
    reason === 'jobRateLimitExceeded' ||
    status === 429
  )
    return {
      code: 'WAREHOUSE_QUOTA',
      message: 'BigQuery has no quota left for the job; it was tried several times.',
      hint: 'Nothing was kept of it. Run the command again later, or ask for more quota.',
    }
  if (reason === 'accessDenied' || status === 403)
    return {
      code: 'PERMISSION_DENIED',
      message: withoutLiterals(message),
      hint: 'The account needs roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on its datasets.',
    }
  if (/aborted due to concurrent update|could not serialize|concurrent(?:ly)? (?:update|modif)/i.test(message))
    return {
      code: 'WAREHOUSE_BUSY',
      message: 'Another job changed the same tables at the same time, so BigQuery rolled this one back.',
      hint: 'Nothing was kept of it; run again.',
    }
  const elsewhere = /Not found: (?:Dataset|Project) \S+/i.exec(message)
  if (elsewhere)
    return {
      code: 'DATABASE_UNKNOWN',
      message: withoutLiterals(message),
      hint: 'Check project and dataset; a dataset of another region is only found with its own `?location=` in the URL.',
    }
  if (/Syntax error/i.test(message)) return { code: 'SQL_SYNTAX', message: withoutLiterals(message) }
  if (/required field|cannot be null|NOT NULL constraint/i.test(message))
    return { code: 'CONSTRAINT_VIOLATED', message: 'A column that may not be null was given none.' }
  if (mayPass({ status, reason, message }))
    return {
      code: status === 0 ? 'DATABASE_UNREACHABLE' : 'WAREHOUSE_FAILED',
      message: 'BigQuery did not answer, or answered with an error of its own; it was tried several times.',
      hint: 'Nothing was kept. Run the command again later.',
    }
  if (/^(?:Bad|Could not cast|Invalid (?!.*operand)|Failed to parse|Cannot parse|.*conversion error)/i.test(message))
    return { code: 'SQL_FAILED', message: 'A value cannot be converted to the type that is needed.' }
  return { code: 'SQL_FAILED', message: withoutLiterals(message) }
}

/** Names stand bare or in backticks; what is quoted may be a value. */
function withoutLiterals(message: string): string {
  const [first = ''] = message.split('\n')
  const text = first
    .replace(/\s+at \[\d+:\d+\]/g, '')
    .replace(/'(?:[^'\\]|\\.)*'/g, "'…'")
    .replace(/(identifier|column|name|table|function)(:?) "([\w.$-]+)"/gi, '$1$2 $3')
    .replace(/"(?:[^"\\]|\\.)*"/g, '"…"')
    .trim()
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** BigQuery counts lines and columns in what it was sent. */
function placeOf(message: string, sent: Sent): Place | undefined {
  const found = /\[(\d+):(\d+)\]/.exec(message)
  if (!found) return sent.statement === undefined ? undefined : positionOf(sent.script, sent.offset)
  const lines = sent.text.split('\n')
  const line = Number(found[1])
  const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0)
  const within = Array.from(lines[line - 1] ?? '')
    .slice(0, Number(found[2]) - 1)
    .join('').length
  return positionOf(sent.script, sent.offset + start + within)
}

function positionOf(script: string, offset: number): Place {
  const before = script.slice(0, offset).split('\n')
  return { line: before.length, column: Array.from(before.at(-1) ?? '').length + 1 }
}
