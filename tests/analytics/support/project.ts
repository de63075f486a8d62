/** Small projects of their own, and what they compile to and make. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { compileProject } from '../../../src/analytics/project/compiled.ts'
import { type LoadOptions, loadProject } from '../../../src/analytics/project/load.ts'
import type { Project } from '../../../src/analytics/project/project.ts'
import { runRollup } from '../../../src/analytics/run/run.ts'
import { withSession } from '../../../src/engines/brackets.ts'
import { duckdb } from '../../../src/engines/duckdb/index.ts'
import type { Session } from '../../../src/engines/engine.ts'
import { postgres } from '../../../src/engines/postgres/index.ts'

export const emit = () => undefined

/** A project of these files, beside a `dbt_project.yml` unless they bring one. */
export async function project(files: Record<string, string>, options: Partial<LoadOptions> = {}): Promise<Project> {
  const root = mkdtempSync(join(tmpdir(), 'plinth-dialect-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const all = { 'dbt_project.yml': 'name: shop\n', ...files }
  for (const [path, text] of Object.entries(all)) {
    const file = join(root, 'shop', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  return loadProject(join(root, 'shop'), { root, ...options })
}

export function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

export async function compiled(from: Project, id: string, engine = 'duckdb'): Promise<string> {
  const [file] = await compileProject(from, { engine, select: new Set([id]) })
  return file?.sql.trim().replace(/\s+/g, ' ') ?? ''
}

export const inMemory = <T>(work: (session: Session) => Promise<T>) => withSession(duckdb, 'duckdb::memory:', {}, work)

/** What a run into a new file makes, and what is asked of it then. */
export async function afterRun<T>(
  from: Project,
  before: string,
  work: (session: Session) => Promise<T>,
  failed: (error: unknown) => void = error => {
    throw error
  },
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-dialect-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const url = `duckdb:${join(folder, 'warehouse.duckdb')}`
  await withSession(duckdb, url, {}, session => session.script(before))
  await runRollup(from, {
    source: { engine: postgres, url: 'postgres://nobody.invalid/none' },
    warehouse: { engine: duckdb, url },
    emit,
    runId: 'run',
    owner: 'a test',
  }).catch(failed)
  return withSession(duckdb, url, {}, work)
}
