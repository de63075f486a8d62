/** The analytics project: what is in it, what it compiles to, what a run would do, and what its checks say. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CheckReport } from '../analytics/check/check.ts'
import type { CompiledFile } from '../analytics/project/compiled.ts'
import type { FreshnessReport } from '../analytics/check/freshness.ts'
import type { GraphNode } from '../analytics/project/nodes.ts'
import type { RollupPlan } from '../analytics/run/preview.ts'
import type { Project } from '../analytics/project/project.ts'
import type { Selection } from '../analytics/project/select.ts'
import type { UnitTestReport } from '../analytics/check/unit-test.ts'
import { engineNamed } from '../engines/registry.ts'
import { PlinthError } from '../errors.ts'
import { databaseOf, type Desk, flowOf, onDatabase } from './desk.ts'

/** Part of the project, as dbt's command line says it. */
export interface ProjectRequest extends Selection {
  /** Variables as a mapping in YAML or JSON, which take the place of the project's. */
  readonly variables?: string | undefined
  /** The name of a selection in `selectors.yml`, where `select` says nothing. */
  readonly selector?: string | undefined
}

export interface CheckRequest extends ProjectRequest {
  /** Keep the wrong rows of every check. */
  readonly storing?: 'every check' | 'as declared'
}

/** Loads the project with what the environment says. Throws FOLDER_NOT_FOUND, TRANSFORM_INVALID, USAGE. */
export async function projectOf(
  desk: Desk,
  variables?: string,
  parts: 'everything' | 'transforms' = 'everything',
): Promise<Project> {
  const { config } = desk
  const { loadProject } = await import('../analytics/project/load.ts')
  return loadProject(config.analytics, {
    root: config.root,
    variables: await variablesOf(variables),
    parts,
    surroundings: {
      target: config.dbt?.target ?? config.environment.name,
      ...(config.dbt === null ? {} : { schema: config.dbt.schema, values: config.dbt.values }),
      ...(await warehouseOf(desk)),
      environment: config.variables,
      moment: { startedAt: new Date().toISOString(), runId: desk.runId },
    },
  })
}

/** The warehouse's engine and the name of its database; nothing where no warehouse is set. */
async function warehouseOf(desk: Desk): Promise<{ readonly engine?: string; readonly database?: string }> {
  for (const track of desk.config.tracks) {
    if (track.database === null || !(await engineNamed(track.engine)).warehouse) continue
    // A URL from the environment may be one of another engine.
    const { engine, url } = await databaseOf(desk, track)
    if (engine.warehouse) return { engine: engine.name, database: engine.warehouse.catalog(url) }
  }
  return {}
}

/** Sources, transforms, checks, unit tests and analyses that are selected. */
export async function listNodes(desk: Desk, request: ProjectRequest): Promise<readonly GraphNode[]> {
  return (await selected(desk, request)).nodes
}

export interface CompileRequest extends ProjectRequest {
  /** Engine to compile for; default that of the warehouse. */
  readonly engine?: string | undefined
  /** Folder that the files are written to; default nowhere. */
  readonly output?: string | undefined
}

export async function compileTransforms(desk: Desk, request: CompileRequest): Promise<readonly CompiledFile[]> {
  const { compileProject } = await import('../analytics/project/compiled.ts')
  const { needsWarehouse } = await import('../analytics/project/asking.ts')
  const { project, nodes } = await selected(desk, request)
  const track = desk.config.tracks.find(one => one.name === 'analytics') ?? desk.config.tracks.at(-1)
  const engine = await engineNamed(request.engine ?? track?.engine ?? 'duckdb')
  if (!engine.warehouse) {
    throw new PlinthError('ENGINE_UNSUPPORTED', `${engine.name} cannot hold rollups.`, {
      hint: 'Compile for duckdb or bigquery.',
    })
  }
  const select = new Set(nodes.map(({ id }) => id))
  const options = { engine: engine.name, quote: engine.warehouse.name, select }
  const files = await compileProject(project, options).catch(async (error: unknown) => {
    // Only who asks the warehouse waits for it.
    if (!needsWarehouse(error) || track === undefined || track.engine !== engine.name) throw error
    return onDatabase(desk, await databaseOf(desk, track), session => compileProject(project, { ...options, session }))
  })
  const { output } = request
  if (output !== undefined) {
    for (const { path, sql } of files) {
      const file = join(output, path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, sql)
    }
  }
  return files
}

export interface PlanRollupRequest extends ProjectRequest {
  readonly mode: 'changes' | 'rebase'
  readonly bytesMax: number | null
}

export async function planRollup(desk: Desk, request: PlanRollupRequest): Promise<RollupPlan> {
  const { previewRollup } = await import('../analytics/run/preview.ts')
  const { project, nodes } = await selected(desk, request)
  const select = new Set(nodes.flatMap(({ kind, name }) => (isMade.has(kind) ? [name] : [])))
  const { mode, bytesMax } = request
  const waitMs = desk.config.migrations.lockWaitSeconds * 1000
  return previewRollup(project, { ...(await flowOf(desk)), emit: desk.emit, waitMs, mode, bytesMax, select })
}

export async function checkWarehouse(desk: Desk, request: CheckRequest = {}): Promise<CheckReport> {
  const { runChecks } = await import('../analytics/check/check.ts')
  const { project, nodes } = await selected(desk, request)
  const { warehouse } = await flowOf(desk)
  const select = namesOf(nodes, 'test')
  const { emit, signal } = desk
  const storing = request.storing ?? 'as declared'
  const { recordChecks } = await import('../analytics/history-ledger.ts')
  const { ensureWarehouseLedger } = await import('../analytics/ledger.ts')
  return onDatabase(desk, warehouse, async session => {
    const report = await runChecks(project, { warehouse: session, emit, signal, select, storing })
    await ensureWarehouseLedger(session)
    await recordChecks(session, desk.runId, report.checks)
    return report
  })
}

export async function checkFreshness(desk: Desk, request: ProjectRequest): Promise<FreshnessReport> {
  const freshness = await import('../analytics/check/freshness.ts')
  const { project, nodes } = await selected(desk, request)
  const { warehouse } = await flowOf(desk)
  const { emit, signal } = desk
  const select = namesOf(nodes, 'source')
  const { recordFreshness } = await import('../analytics/history-ledger.ts')
  const { ensureWarehouseLedger } = await import('../analytics/ledger.ts')
  return onDatabase(desk, warehouse, async session => {
    const report = await freshness.checkFreshness(project, { warehouse: session, emit, signal, select })
    await ensureWarehouseLedger(session)
    await recordFreshness(session, desk.runId, report.sources)
    return report
  })
}

/** In memory, whatever the warehouse is. */
export async function runUnitTests(desk: Desk, request: ProjectRequest): Promise<UnitTestReport> {
  const units = await import('../analytics/check/unit-test.ts')
  const { project, nodes } = await selected(desk, request)
  const { emit, signal } = desk
  const select = namesOf(nodes, 'unit_test')
  const scratch = { engine: await engineNamed('duckdb'), url: 'duckdb::memory:' }
  return onDatabase(desk, scratch, session => units.runUnitTests(project, { scratch: session, emit, signal, select }))
}

/** Names of the transforms that are selected; null for all of them. */
export async function selectedModels(
  desk: Desk,
  request: ProjectRequest,
): Promise<{ readonly project: Project; readonly models: ReadonlySet<string> | null }> {
  const isPart = Boolean(
    request.select?.trim() || request.exclude?.trim() || request.selector || request.types || request.exceptTypes,
  )
  // Without a selection nothing but transforms is asked for.
  if (!isPart && (await choices(desk, request)).initial === null)
    return { project: await projectOf(desk, request.variables, 'transforms'), models: null }
  const { project, nodes } = await selected(desk, request)
  return { project, models: new Set(nodes.flatMap(({ kind, name }) => (isMade.has(kind) ? [name] : []))) }
}

/** What a run makes. */
const isMade: ReadonlySet<string> = new Set(['model', 'seed', 'snapshot'])

async function selected(desk: Desk, request: ProjectRequest) {
  const { nodesOf } = await import('../analytics/project/nodes.ts')
  const { selectNodes } = await import('../analytics/project/select.ts')
  const project = await projectOf(desk, request.variables)
  const { initial, named } = await choices(desk, request)
  return { project, nodes: selectNodes(nodesOf(project), request, initial, named) }
}

/** The selections of the project's files, and what stands first: the one that the command line names, or the default where it says nothing. */
async function choices({ config }: Desk, { select, exclude, selector }: ProjectRequest) {
  const { readSelectors } = await import('../analytics/project/selectors.ts')
  const { initial, named } = await readSelectors(config.analytics, config.root)
  const isSaid = Boolean(select?.trim() || exclude?.trim())
  return { named, initial: selector !== undefined ? named(selector) : isSaid ? null : initial }
}

function namesOf(nodes: readonly GraphNode[], wanted: GraphNode['kind']): ReadonlySet<string> {
  return new Set(nodes.flatMap(({ kind, name }) => (kind === wanted ? [name] : [])))
}

async function variablesOf(text: string | undefined): Promise<Record<string, unknown>> {
  if (text === undefined) return {}
  const { parse } = await import('yaml')
  let value: unknown
  try {
    value = parse(text)
  } catch {
    value = null
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new PlinthError('USAGE', '--vars takes a mapping in YAML or JSON.', {
    hint: `Write --vars '{region: eu, days: 3}'.`,
  })
}
