/** The server's own description, by OpenAPI 3.1, from the table of its routes. Source: OpenAPI Specification 3.1.0. */
export type SchemaName = keyof typeof schemas

/** What of a route is told to others. */
export interface RouteDescription {
  readonly method: 'GET' | 'POST'
  /** Exact, or with `:name` as its last part. */
  readonly path: string
  readonly summary: string
  /** Its status where it succeeds, and the schema of its body, or the types of its text. */
  readonly succeeds: { readonly status: number; readonly body: SchemaName | readonly string[] }
  /** What may stand for `:name`. */
  readonly names?: readonly string[]
  /** What may be answered instead, beside failures of any request. */
  readonly refuses?: readonly number[]
}

/** Clients are made from it, so names of operations and schemas are a contract. */
export function openApi(routes: readonly RouteDescription[], version: string): Readonly<Record<string, unknown>> {
  const paths = [...new Set(routes.map(({ path }) => path))].map(path => {
    const here = routes.filter(route => route.path === path)
    return [
      path.replace('/:name', '/{name}'),
      Object.fromEntries(here.map(route => [route.method.toLowerCase(), operation(route)])),
    ] as const
  })
  return {
    openapi: '3.1.0',
    info: {
      title: 'plinth serve',
      summary: 'Rollups, proofs and maintenance on a schedule.',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    // Reading is open to whoever reaches the port.
    security: [],
    paths: Object.fromEntries(paths),
    components: {
      schemas,
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'PLINTH_SERVE_TOKEN; where none is set, this machine alone may change something.',
        },
      },
    },
  }
}

function operation({ method, path, summary, succeeds, names = [], refuses = [] }: RouteDescription) {
  const { status, body } = succeeds
  const content =
    typeof body === 'string'
      ? { 'application/json': { schema: reference(body) } }
      : Object.fromEntries(body.map(type => [type, { schema: { type: 'string' } }]))
  const refusals = refuses.map(code => [String(code), { ...failure, description: refusalNames[code] ?? 'refused' }])
  return {
    operationId: operationId(method, path),
    summary,
    ...(path.endsWith('/:name')
      ? { parameters: [{ name: 'name', in: 'path', required: true, schema: { type: 'string', enum: names } }] }
      : {}),
    ...(method === 'POST' ? { security: [{ token: [] }, {}] } : {}),
    responses: {
      [status]: { description: summary, content },
      ...Object.fromEntries(refusals),
      '4XX': { ...failure, description: 'The request, or the state of what it asks about, is not right.' },
      '5XX': { ...failure, description: 'The database or the warehouse does not answer.' },
    },
  }
}

/** `POST /jobs/:name` is `postJobsByName`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace(/\.json$/, '')
    .split('/')
    .filter(Boolean)
  const named = words.map(word => (word === ':name' ? 'ByName' : `${word[0]?.toUpperCase()}${word.slice(1)}`))
  return `${method.toLowerCase()}${named.join('')}`
}

const refusalNames: Readonly<Record<number, string>> = {
  400: 'There is no such job.',
  401: 'The token is missing or another one.',
  403: 'Nobody but this machine may, as long as no token is set.',
}

function reference(name: string) {
  return { $ref: `#/components/schemas/${name}` }
}

const failure = { content: { 'application/json': { schema: reference('Failure') } } }

const text = { type: 'string' } as const
const wholeNumber = { type: 'integer', minimum: 0 } as const
const maybeText = { type: ['string', 'null'] } as const
const time = { type: 'string', format: 'date-time' } as const
const maybeTime = { type: ['string', 'null'], format: 'date-time' } as const

function record<P extends Readonly<Record<string, unknown>>>(properties: P) {
  return { type: 'object', required: Object.keys(properties), properties } as const
}

const schemas = {
  Status: record({ status: { const: 'ok' } }),
  Due: record({ job: text, status: { const: 'due' } }),
  Jobs: record({ jobs: { type: 'array', items: reference('Job') } }),
  Job: record({
    job: text,
    everyMs: wholeNumber,
    nextDueAt: time,
    dueInMs: { type: 'number', description: 'Negative when it is overdue.' },
    status: { enum: ['never', 'running', 'succeeded', 'failed'] },
    code: { ...maybeText, description: 'Of the error that ended the last run; `plinth explain CODE` tells more.' },
    owner: maybeText,
    startedAt: maybeTime,
    finishedAt: maybeTime,
    durationMs: { type: ['number', 'null'] },
    runs: wholeNumber,
    failures: { ...wholeNumber, description: 'In a row.' },
  }),
  Rollups: record({ sources: { type: 'array', items: reference('Source') } }),
  Source: record({
    source: text,
    loaded: { enum: ['yes', 'no'] },
    snapshot: maybeText,
    movedAt: maybeTime,
    pendingMarks: wholeNumber,
    pendingCells: wholeNumber,
    oldestPendingHour: maybeTime,
    lastRun: { type: ['object', 'null'] },
    lastReconciliation: { type: ['object', 'null'] },
    rows: {
      type: 'object',
      description: 'Rows by qualified table; null where the table is not there yet.',
      additionalProperties: { type: ['integer', 'null'] },
    },
  }),
  Failure: record({ error: record({ code: text, message: text, hint: text }) }),
  Document: record({ openapi: text, paths: { type: 'object' } }),
} as const
