/** The whole foundation in one go. Every step finds what is there already, so a second run changes nothing. */
import { writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { CheckReport } from '../analytics/check/check.ts'
import type { ReconciliationReport } from '../analytics/prove/reconcile.ts'
import type { RollupReport } from '../analytics/run/run.ts'
import type { WrittenDocument } from '../contract/files.ts'
import type { Report } from '../migrations/run.ts'
import type { SeedReport } from '../seeds/run.ts'
import { generateDocuments } from './contract.ts'
import { checkWarehouse } from './analytics.ts'
import { reconcileWarehouse, rollUp, type SeedRequest, seedDatabase } from './data.ts'
import { type Desk, flowOf, type OnTrack, serverFolder } from './desk.ts'
import { applyTracks, isIdle } from './migrations.ts'

export interface UpReport {
  /** False when everything was as it should be already. */
  readonly changed: boolean
  readonly durationMs: number
  readonly server: ServerReport
  readonly warehouse: string
  readonly migrations: readonly OnTrack<Report>[]
  /** Null in an environment that takes no demonstration data. */
  readonly seed: SeedReport | null
  readonly rollup: RollupReport
  readonly checks: CheckReport
  readonly reconciliation: ReconciliationReport
  readonly documents: readonly WrittenDocument[]
  readonly phases: readonly Phase[]
}

export interface ServerReport {
  readonly address: string
  readonly embedded: boolean
  /** A line to paste into a shell; it names the file of the password rather than the password. */
  readonly psql: string
}

export interface Phase {
  readonly name: 'server' | 'migrations' | 'seeds' | 'rollups' | 'checks' | 'reconciliation' | 'documents'
  readonly durationMs: number
}

/** Starts, applies, seeds, rolls up, checks, reconciles and documents. Throws what each of them throws; run again, it goes on. */
export async function bringUp(desk: Desk, request: Pick<SeedRequest, 'secrets'>): Promise<UpReport> {
  const started = performance.now()
  const phases: Phase[] = []
  async function phase<T>(name: Phase['name'], work: () => Promise<T>): Promise<T> {
    const begun = performance.now()
    const result = await work()
    phases.push({ name, durationMs: performance.now() - begun })
    return result
  }
  const { source, warehouse } = await phase('server', () => flowOf(desk))
  const migrations = await phase('migrations', () => applyTracks(desk, {}))
  const { seedable } = desk.config.environment
  const seed = seedable
    ? await phase('seeds', () => seedDatabase(desk, { package: 'local-dev', secrets: request.secrets }))
    : null
  const rollup = await phase('rollups', () => rollUp(desk, 'changes'))
  const checks = await phase('checks', () => checkWarehouse(desk))
  const reconciliation = await phase('reconciliation', () => reconcileWarehouse(desk, 'repair'))
  const documents = await phase('documents', () => generateDocuments(desk))
  const idle =
    migrations.every(isIdle) &&
    !seed?.changed &&
    rollup.status === 'nothing-to-do' &&
    reconciliation.status === 'equal' &&
    documents.every(({ change }) => change === 'unchanged')
  return {
    changed: !idle,
    durationMs: performance.now() - started,
    server: await describeServer(desk, source.url),
    warehouse: warehouse.engine.describe(warehouse.url),
    migrations,
    seed,
    rollup,
    checks,
    reconciliation,
    documents,
    phases,
  }
}

async function describeServer({ config, known }: Desk, url: string): Promise<ServerReport> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const address = `${hostname}${port ? `:${port}` : ''}${pathname}`
  const embedded = known.has('embedded')
  if (!embedded) return { address, embedded, psql: `psql "postgres://${username}@${address}"` }
  const passfile = join(serverFolder(config), 'pgpass')
  await writeFile(passfile, `${hostname}:${port}:*:${username}:${decodeURIComponent(password)}\n`, { mode: 0o600 })
  const near = relative(process.cwd(), passfile)
  const psql = `PGPASSFILE='${near.startsWith('..') ? passfile : near}' psql -h ${hostname} -p ${port} -U ${username} ${pathname.slice(1)}`
  return { address, embedded, psql }
}
