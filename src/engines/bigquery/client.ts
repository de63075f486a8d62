/** Requests through the official client, which loads when it is first needed; repeated as long as BigQuery says that it is busy. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { BigQuery } from '@google-cloud/bigquery'
import { PlinthError } from '../../errors.ts'
import { failureOf, mayPass, problemOf, type Sent } from './failure.ts'
import { type BigQueryAddress, describeAddress } from './url.ts'

export interface Client {
  readonly address: BigQueryAddress
  /** Safe to print. */
  readonly name: string
  /** The official client, for what it does better than a request, such as an upload. */
  readonly official: BigQuery
  /** A request below the project, such as `/datasets`. Throws a PlinthError. */
  request<T>(request: ApiRequest, sent?: Sent): Promise<T>
  /** The same, once, and with the client's own error. */
  once<T>(request: ApiRequest): Promise<T>
  /** Does it again, after a pause, as long as BigQuery is busy; what else went wrong is thrown as a PlinthError. */
  patiently<T>(work: (attempt: number) => Promise<T>, sent?: Sent): Promise<T>
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly uri: string
  readonly qs?: Readonly<Record<string, string | number | boolean | undefined>>
  readonly json?: unknown
  /** Only if the resource is still the one of this etag; else the answer is a 412. */
  readonly ifMatch?: string
}

/** How often, and how long in all, a busy service is asked again. */
const attemptsMax = 8
const pauseMsFirst = 250
const pauseMsMax = 16_000

/** Throws ENGINE_UNSUPPORTED when the client is not installed, DATABASE_AUTHENTICATION for a key file that cannot be read. */
export async function openClient(address: BigQueryAddress): Promise<Client> {
  const official = await makeOfficial(address)
  const name = describeAddress(address)
  const patiently = async <T>(work: (attempt: number) => Promise<T>, sent: Sent = nothingSent(name)): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work(attempt)
      } catch (thrown) {
        if (thrown instanceof PlinthError) throw thrown
        const problem = problemOf(thrown)
        if (attempt >= attemptsMax || !mayPass(problem)) throw failureOf(problem, sent)
        // Half to the whole of the pause, so that those who were refused together do not come back together.
        const pauseMs = Math.min(pauseMsFirst * 2 ** (attempt - 1), pauseMsMax)
        await sleep(pauseMs * (0.5 + Math.random() / 2))
      }
    }
  }
  return {
    address,
    name,
    official,
    patiently,
    once: request => send(official, request),
    request: (request, sent) => patiently(() => send(official, request), sent),
  }
}

async function makeOfficial(address: BigQueryAddress): Promise<BigQuery> {
  const { BigQuery, auth } = await loadOfficial()
  const { endpoint, keyFile, project, location } = address
  return new BigQuery({
    projectId: project,
    ...(location === null ? {} : { location }),
    ...(endpoint === null ? {} : { apiEndpoint: endpoint }),
    ...(keyFile === null ? {} : { keyFilename: keyFile }),
    // Credentials never travel over plain HTTP, where only an emulator listens.
    ...(endpoint?.startsWith('http:') ? { authClient: new auth.PassThroughClient() } : {}),
    // Repeating is done here, with the same job id; the client would begin another job.
    autoRetry: false,
    maxRetries: 0,
  })
}

async function loadOfficial() {
  try {
    const [{ BigQuery }, auth] = await Promise.all([import('@google-cloud/bigquery'), import('google-auth-library')])
    return { BigQuery, auth }
  } catch (cause) {
    throw new PlinthError('ENGINE_UNSUPPORTED', 'The client for BigQuery is not installed.', {
      hint: 'Run `npm install @google-cloud/bigquery google-auth-library`.',
      cause,
    })
  }
}

async function send<T>(official: BigQuery, { method = 'GET', uri, qs, json, ifMatch }: ApiRequest): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const options = {
      method,
      uri,
      qs: Object.fromEntries(Object.entries(qs ?? {}).filter(([, value]) => value !== undefined)),
      ...(json === undefined ? {} : { json }),
      ...(ifMatch === undefined ? {} : { headers: { 'If-Match': ifMatch } }),
    }
    official.request(options, (error: Error | null, body: T) => (error ? reject(error) : resolve(body)))
  })
}

function nothingSent(address: string): Sent {
  return { text: '', script: '', offset: 0, address }
}
