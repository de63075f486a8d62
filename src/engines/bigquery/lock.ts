/**
 * A lock that excludes other processes, and ends by itself when its holder dies: a table whose making is atomic, with an end that a heartbeat
 * moves. BigQuery has no session that a lock could live in, and rows are no lock, since two inserts never collide.
 */
import { createHash } from 'node:crypto'
import type { Client } from './client.ts'
import { ensureDataset, isMissing } from './dataset.ts'
import { problemOf } from './failure.ts'

/** How long a lock outlives its last heartbeat. */
const lockMs = 120_000

export interface Lock {
  /** False when it was not held any more. */
  release(): Promise<boolean>
}

/** Tries once; null when somebody has it. */
export async function takeLock(client: Client, name: string, holder: string): Promise<Lock | null> {
  await ensureDataset(client, 'plinth')
  const found = await readLock(client, name)
  if (found && found.endsAt > Date.now()) return null
  const taken = found ? await change(client, name, found.etag, holder) : await make(client, name, holder)
  if (taken === null) return null
  let etag: string | null = taken
  let beating: Promise<void> = Promise.resolve()
  const beat = async () => {
    if (etag !== null) etag = await change(client, name, etag, holder)
  }
  const heartbeat = setInterval(() => {
    beating = beating.then(beat).catch(() => undefined)
  }, lockMs / 4)
  heartbeat.unref()
  return {
    async release() {
      clearInterval(heartbeat)
      await beating
      if (etag === null) return false
      etag = null
      return remove(client, name)
    },
  }
}

/** Who has the lock at this moment, for people to read. */
export async function lockHolder(client: Client, name: string): Promise<string | null> {
  const found = await readLock(client, name)
  return found && found.endsAt > Date.now() ? found.holder : null
}

interface Found {
  readonly holder: string
  readonly endsAt: number
  readonly etag: string
}

interface LockTable {
  readonly description?: string
  readonly etag?: string
}

async function readLock(client: Client, name: string): Promise<Found | null> {
  try {
    const table = await client.request<LockTable>({ uri: uriOf(name) })
    const { description = '', etag = '' } = table
    const parts = /^([\s\S]*), until (\S+) unless it is renewed$/.exec(description)
    return { holder: parts?.[1] ?? 'another run', endsAt: Date.parse(parts?.[2] ?? '') || 0, etag }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** Answers its etag; null when another one was faster. */
async function make(client: Client, name: string, holder: string): Promise<string | null> {
  const { project, labels } = client.address
  const json = {
    tableReference: { projectId: project, datasetId: 'plinth', tableId: tableOf(name) },
    schema: { fields: [{ name: 'nothing', type: 'INT64' }] },
    labels,
    ...held(holder),
  }
  return unlessTaken(client, () => client.once<LockTable>({ method: 'POST', uri: '/datasets/plinth/tables', json }))
}

/** Takes over one that has ended, or moves the end of one's own; null when it has been changed since. */
async function change(client: Client, name: string, ifMatch: string, holder: string): Promise<string | null> {
  const json = held(holder)
  return unlessTaken(client, () => client.once<LockTable>({ method: 'PATCH', uri: uriOf(name), json, ifMatch }))
}

/** The end stands in the description, for people; BigQuery removes the table some time after. */
function held(holder: string) {
  const endsAt = Date.now() + lockMs
  const description = `${holder}, until ${new Date(endsAt).toISOString()} unless it is renewed`
  return { description, expirationTime: String(endsAt) }
}

async function unlessTaken(client: Client, work: () => Promise<LockTable>): Promise<string | null> {
  return client.patiently(async () => {
    try {
      return (await work()).etag ?? ''
    } catch (error) {
      if ([404, 409, 412].includes(problemOf(error).status)) return null
      throw error
    }
  })
}

async function remove(client: Client, name: string): Promise<boolean> {
  try {
    await client.request({ method: 'DELETE', uri: uriOf(name) })
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Names of locks hold more than names of tables may. */
function tableOf(name: string): string {
  return `lock_${name.replace(/\W+/g, '_')}_${createHash('sha256').update(name).digest('hex').slice(0, 8)}`
}

function uriOf(name: string): string {
  return `/datasets/plinth/tables/${tableOf(name)}`
}
