/** What the server answers: a table of method, path and handler, each of which calls the foundation alone. */
import type { Foundation } from '../foundation.ts'

export interface Answer {
  readonly status: number
  /** JSON unless `text` is given. */
  readonly body?: unknown
  readonly text?: { readonly type: string; readonly content: string }
}

export interface Asked {
  readonly foundation: Foundation
  /** What `:name` in the path stands for. */
  readonly name: string
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** Exact, or with `:name` as its last part. */
  readonly path: string
  readonly summary: string
  answer(asked: Asked): Promise<Answer>
}

export const routes: readonly Route[] = [
  {
    method: 'GET',
    path: '/health',
    summary: 'the process answers',
    answer: async () => ({ status: 200, body: { status: 'ok' } }),
  },
  {
    method: 'GET',
    path: '/ready',
    summary: 'the source database answers',
    answer: async ({ foundation }) => {
      await foundation.jobs()
      return { status: 200, body: { status: 'ok' } }
    },
  },
  {
    method: 'GET',
    path: '/jobs',
    summary: 'when each job is due and how it went last',
    answer: async ({ foundation }) => ({ status: 200, body: { jobs: await foundation.jobs() } }),
  },
  {
    method: 'POST',
    path: '/jobs/:name',
    summary: 'make a job due now; whichever process looks first does it',
    answer: async ({ foundation, name }) => {
      await foundation.requestJob(name)
      return { status: 202, body: { job: name, status: 'due' } }
    },
  },
  {
    method: 'GET',
    path: '/rollups',
    summary: 'how far the warehouse has read and what is pending',
    answer: async ({ foundation }) => ({ status: 200, body: await foundation.rollupStatus() }),
  },
  {
    method: 'GET',
    path: '/metrics',
    summary: 'service levels in the text format of OpenMetrics',
    answer: async ({ foundation }) => ({
      status: 200,
      text: {
        type: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
        content: await foundation.metrics(),
      },
    }),
  },
]
