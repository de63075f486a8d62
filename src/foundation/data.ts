/** Seeds, rollups, checks and reconciliation of a project. */
import { join } from 'node:path'
import type { ReconciliationReport } from '../analytics/prove/reconcile.ts'
import type { RollupReport } from '../analytics/run/run.ts'
import type { RollupStatus } from '../analytics/status.ts'
import { engineNamed } from '../engines/registry.ts'
import { PlinthError } from '../errors.ts'
import type { PackageSummary } from '../seeds/load.ts'
import type { SeedReport } from '../seeds/run.ts'
import { projectOf, type ProjectRequest, selectedModels } from './analytics.ts'
import { type Database, databaseOf, type Desk, flowOf, onDatabase } from './desk.ts'

export interface SeedRequest {
  readonly package: string
  /** Secrets that this run makes: into the report, or nowhere. */
  readonly secrets: 'reveal' | 'discard'
}

export async function listSeedPackages({ config }: Desk): Promise<PackageSummary[]> {
  const { listPackages } = await import('../seeds/load.ts')
  return listPackages(config.seeds)
}

export async function seedDatabase(desk: Desk, request: SeedRequest): Promise<SeedReport> {
  const { config, emit, signal } = desk
  const { loadPackage } = await import('../seeds/load.ts')
  const { runSeed } = await import('../seeds/run.ts')
  const { openKeyring } = await import('../governance/keyring.ts')
  const seedPackage = await loadPackage(config.seeds, request.package)
  return onDatabase(desk, await seededDatabase(desk), async session =>
    runSeed(session, seedPackage, {
      environment: config.environment,
      protect: async () => openKeyring({ session, provider: await keysOf(desk) }),
      secrets: request.secrets,
      emit,
      signal,
      lockWaitMs: config.migrations.lockWaitSeconds * 1000,
    }),
  )
}

export interface RollupRequest extends ProjectRequest {
  /** Bytes that the transforms may read, where the warehouse bills by them; null without a limit. */
  readonly bytesMax?: number | null
}

export async function rollUp(
  desk: Desk,
  mode: 'changes' | 'rebase',
  request: RollupRequest = {},
): Promise<RollupReport> {
  const { runRollup } = await import('../analytics/run/run.ts')
  const { project, models } = await selectedModels(desk, request)
  const options = { ...(await flowOptions(desk)), mode, ...(models ? { select: models } : {}) }
  const { bytesMax = null } = request
  if (bytesMax !== null) {
    const { previewRollup, refuseOverCap } = await import('../analytics/run/preview.ts')
    refuseOverCap(await previewRollup(project, { ...options, bytesMax }))
  }
  return runRollup(project, options)
}

export async function statusOfRollups(desk: Desk): Promise<RollupStatus> {
  const { rollupStatus } = await import('../analytics/status.ts')
  return rollupStatus(await projectOf(desk), await flowOptions(desk))
}

export async function reconcileWarehouse(
  desk: Desk,
  action: 'repair' | 'report',
  scope: 'everything' | 'rotation' = 'everything',
): Promise<ReconciliationReport> {
  const { reconcile } = await import('../analytics/prove/reconcile.ts')
  const everyDays = scope === 'rotation' ? desk.config.rollups.proveEveryDays : undefined
  return reconcile(await projectOf(desk), { ...(await flowOptions(desk)), action, everyDays })
}

/** What every command of rollups is given. */
export async function flowOptions(desk: Desk) {
  const { emit, signal, actor, runId, config } = desk
  const waitMs = config.migrations.lockWaitSeconds * 1000
  return { ...(await flowOf(desk)), emit, signal, runId, owner: `${actor} (process ${process.pid})`, waitMs }
}

/** Seeds go to the first track with roles and row security: the platform's operational database. */
async function seededDatabase(desk: Desk): Promise<Database> {
  for (const track of desk.config.tracks) {
    if ((await engineNamed(track.engine)).can.rowSecurity) return databaseOf(desk, track)
  }
  throw new PlinthError('ENGINE_UNSUPPORTED', 'No track here takes seeds.', { hint: 'Seed the operational track.' })
}

/** Keys of the environment, or of the local key file, which is made where demonstration data may live and nobody set other keys. */
async function keysOf({ config }: Desk) {
  const { ensureLocalKeys, findKeys, keyVariables, localKeyFile } = await import('../governance/key-provider.ts')
  const folder = join(config.state, 'keys')
  const given = Object.values(keyVariables).some(name => config.variables[name])
  if (config.environment.seedable && !given) return ensureLocalKeys(folder)
  return findKeys({ variables: config.variables, file: localKeyFile(folder) })
}
