/** What the server answers: a table of method, path and handler, each of which calls the foundation alone. */
import type { Foundation } from '../foundation.ts'
import { metricsFormatFor, metricsTypes } from '../telemetry/openmetrics.ts'
import { openApi, type RouteDescription } from './openapi.ts'

export interface Answer {
  readonly status: number
  /** JSON unless `text` is given. */
  readonly body?: unknown
  readonly text?: { readonly type: string; readonly content: string }
  readonly headers?: Readonly<Record<string, string>>
}

export interface Asked {
  readonly foundation: Foundation
  /** What `:name` in the path stands for. */
  readonly name: string
  /** The header of that name, where there was one. */
  readonly accept: string | undefined
}

export interface Route extends RouteDescription {
  answer(asked: Asked): Promise<Answer>
}

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/health',
    summary: 'the process answers',
    succeeds: { status: 200, body: 'Status' },
    answer: async () => ({ status: 200, body: { status: 'ok' } }),
  },
  {
    method: 'GET',
    path: '/ready',
    summary: 'the source database answers',
    succeeds: { status: 200, body: 'Status' },
    answer: async ({ foundation }) => {
      await foundation.jobs()
      return { status: 200, body: { status: 'ok' } }
    },
  },
  {
    method: 'GET',
    path: '/jobs',
    summary: 'when each job is due and how it went last',
    succeeds: { status: 200, body: 'Jobs' },
    answer: async ({ foundation }) => ({ status: 200, body: { jobs: await foundation.jobs() } }),
  },
  {
    method: 'POST',
    path: '/jobs/:name',
    summary: 'make a job due now; whichever process looks first does it',
    succeeds: { status: 202, body: 'Due' },
    names: ['rollup', 'prove', 'maintain'],
    refuses: [400, 401, 403],
    answer: async ({ foundation, name }) => {
      await foundation.requestJob(name)
      return { status: 202, body: { job: name, status: 'due' } }
    },
  },
  {
    method: 'GET',
    path: '/rollups',
    summary: 'how far the warehouse has read and what is pending',
    succeeds: { status: 200, body: 'Rollups' },
    answer: async ({ foundation }) => ({ status: 200, body: await foundation.rollupStatus() }),
  },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'service levels in the text format of OpenMetrics, or in that of Prometheus 0.0.4 where it is preferred',
    succeeds: { status: 200, body: ['application/openmetrics-text', 'text/plain'] },
    answer: async ({ foundation, accept }) => {
      const format = metricsFormatFor(accept)
      return {
        status: 200,
        headers: { vary: 'accept' },
        text: { type: metricsTypes[format], content: await foundation.metrics(format) },
      }
    },
  },
  {
    method: 'GET',
    path: '/openapi.json',
    summary: 'this description, by OpenAPI 3.1',
    succeeds: { status: 200, body: 'Document' },
    answer: async ({ foundation }) => ({ status: 200, body: openApi(routes, foundation.version) }),
  },
]
