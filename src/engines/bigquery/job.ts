/** Jobs: each has an id that it is asked for with, so that a request that is repeated begins nothing twice. */
import { randomUUID } from 'node:crypto'
import type { Client } from './client.ts'
import { problemOf, type Sent } from './failure.ts'
import { type Cell, type Field, readRecord } from './values.ts'

export interface JobResult {
  readonly rows: Record<string, unknown>[]
  /** Rows that a statement changed; null where BigQuery does not say. */
  readonly changed: number | null
  /** Names and types of what was answered. */
  readonly fields: readonly Field[]
}

export interface QueryJob {
  readonly text: string
  readonly sent: Sent
  /** Told the job's id before it is asked for, so that it can be cancelled. */
  readonly onJob?: (id: string) => void
}

/**
 * Runs a query, statement or script to its end. One that BigQuery gave up because it was busy is asked for again under another id: it changed
 * nothing, since a statement is atomic and a script that changes several tables is one transaction.
 */
export async function runQuery(client: Client, { text, sent, onJob }: QueryJob): Promise<JobResult> {
  const name = `plinth_${randomUUID().replaceAll('-', '')}`
  return client.patiently(async () => {
    for (let begun = 1; ; begun++) {
      const id = begun === 1 ? name : `${name}_${begun}`
      onJob?.(id)
      const state = await begin(client, id, queryConfiguration(client, text))
      if (state === 'failed before' && begun < 20) continue
      return await results(client, id)
    }
  }, sent)
}

/** What a query would read, without running it: its bytes and its columns. */
export async function dryRun(client: Client, text: string, sent: Sent): Promise<DryRun> {
  const { maximumBytesBilled: _, ...query } = queryConfiguration(client, text).query
  const job = await client.request<DryRunJob>(
    { method: 'POST', uri: '/jobs', json: { configuration: { dryRun: true, query }, jobReference: reference(client) } },
    sent,
  )
  const { query: statistics = {}, totalBytesProcessed } = job.statistics ?? {}
  return {
    bytes: Number(statistics.totalBytesProcessed ?? totalBytesProcessed ?? 0),
    fields: statistics.schema?.fields ?? [],
  }
}

export interface DryRun {
  readonly bytes: number
  readonly fields: readonly Field[]
}

export async function cancelJob(client: Client, id: string): Promise<void> {
  const { location } = client.address
  await client.request({ method: 'POST', uri: `/jobs/${id}/cancel`, qs: { location: location ?? undefined } })
}

/** Waits for a job that something else began, such as an upload, and throws what it failed with. */
export async function awaitJob(client: Client, id: string): Promise<Job> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2000)) {
    const job = await getJob(client, id)
    if (job.status?.state === 'DONE') {
      if (job.status.errorResult) throw jobError(job.status.errorResult)
      return job
    }
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}

export interface Job {
  readonly status?: { readonly state?: string; readonly errorResult?: JobProblem }
  readonly statistics?: {
    readonly load?: { readonly outputRows?: string }
    readonly query?: { readonly numDmlAffectedRows?: string }
  }
}

interface JobProblem {
  readonly reason?: string
  readonly message?: string
}

interface DryRunJob {
  readonly statistics?: {
    readonly totalBytesProcessed?: string
    readonly query?: { readonly totalBytesProcessed?: string; readonly schema?: { readonly fields?: readonly Field[] } }
  }
}

interface ResultPage {
  readonly jobComplete?: boolean
  readonly schema?: { readonly fields?: readonly Field[] }
  readonly rows?: readonly { readonly f?: readonly Cell[] }[]
  readonly pageToken?: string
  readonly numDmlAffectedRows?: string
}

/**
 * Asks for the job. An id that is taken is that of the request before, whose answer was lost: the job runs, or has ended; one that ended
 * because BigQuery was busy has to be asked for again under another id.
 */
async function begin(client: Client, id: string, configuration: unknown): Promise<'begun' | 'failed before'> {
  const json = { configuration, jobReference: reference(client, id) }
  try {
    const job = await client.once<Job>({ method: 'POST', uri: '/jobs', json })
    if (job.status?.errorResult) throw jobError(job.status.errorResult)
    return 'begun'
  } catch (error) {
    if (problemOf(error).status !== 409) throw error
    const job = await getJob(client, id).catch(() => null)
    if (job === null) throw error
    return job.status?.state === 'DONE' && job.status.errorResult ? 'failed before' : 'begun'
  }
}

async function results(client: Client, id: string): Promise<JobResult> {
  const { location } = client.address
  const rows: Record<string, unknown>[] = []
  let fields: readonly Field[] = []
  let pageToken: string | undefined
  for (;;) {
    const page: ResultPage = await client.once<ResultPage>({
      uri: `/queries/${id}`,
      qs: {
        location: location ?? undefined,
        timeoutMs: 20_000,
        maxResults: 10_000,
        'formatOptions.useInt64Timestamp': true,
        pageToken,
      },
    })
    if (page.jobComplete === false) continue
    fields = page.schema?.fields ?? fields
    for (const row of page.rows ?? []) rows.push(readRecord(fields, row))
    pageToken = page.pageToken
    if (pageToken) continue
    const changed = page.numDmlAffectedRows ?? (fields.length === 0 ? await changedBy(client, id) : undefined)
    return { rows, fields, changed: changed === undefined ? null : Number(changed) }
  }
}

async function changedBy(client: Client, id: string): Promise<string | undefined> {
  return (await getJob(client, id)).statistics?.query?.numDmlAffectedRows
}

async function getJob(client: Client, id: string): Promise<Job> {
  const { location } = client.address
  return client.once<Job>({ uri: `/jobs/${id}`, qs: { location: location ?? undefined } })
}

function queryConfiguration({ address }: Client, text: string) {
  const { dataset, project, maximumBytesBilled } = address
  return {
    labels: address.labels,
    query: {
      query: text,
      useLegacySql: false,
      ...(dataset === null ? {} : { defaultDataset: { projectId: project, datasetId: dataset } }),
      ...(maximumBytesBilled === null ? {} : { maximumBytesBilled }),
    },
  }
}

function reference({ address }: Client, jobId?: string) {
  return {
    projectId: address.project,
    ...(jobId === undefined ? {} : { jobId }),
    ...(address.location === null ? {} : { location: address.location }),
  }
}

function jobError({ reason = '', message = '' }: JobProblem): Error {
  return Object.assign(new Error(message), { errors: [{ reason, message }] })
}
