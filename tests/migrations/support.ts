/** A folder of migrations and a session on a database of its own, both gone when the test ends. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Engine, OpenOptions, Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import type { PlinthError } from '../../src/errors.ts'
import type { Emit, Fact, FactType } from '../../src/telemetry/event.ts'

/** Files by name; a name without `.sql` stands for an up and a down: `{ '1_a': ['create…', 'drop…'] }`. */
export type Files = Readonly<Record<string, string | readonly [up: string, down: string] | Uint8Array>>

export async function folderOf(files: Files): Promise<string> {
  const folder = await temporaryFolder()
  await writeFiles(folder, files)
  return folder
}

export async function writeFiles(folder: string, files: Files): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(join(folder, name), content)
    else {
      await writeFile(join(folder, `${name}.up.sql`), content[0])
      await writeFile(join(folder, `${name}.down.sql`), content[1])
    }
  }
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plinth-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export async function openSession(url: string, options: OpenOptions = {}): Promise<Session> {
  const engine: Engine = await engineOf(url)
  const session = await engine.open(url, options)
  onTestFinished(() => session.close())
  return session
}

export async function duckDatabase(): Promise<string> {
  return `duckdb:${join(await temporaryFolder(), 'warehouse.duckdb')}`
}

export const someone = { track: 'operational', actor: 'tester' } as const

/** Collects facts. */
export function listener(): { readonly emit: Emit; of<T extends FactType>(type: T): Extract<Fact, { type: T }>[] } {
  const facts: Fact[] = []
  return {
    emit: fact => void facts.push(fact),
    of: <T extends FactType>(type: T) => facts.filter((fact): fact is Extract<Fact, { type: T }> => fact.type === type),
  }
}

export async function tableNames(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    "select table_schema || '.' || table_name as name from information_schema.tables where table_schema not in ('pg_catalog', 'information_schema', 'plinth', 'plinth_archive') order by 1",
  )
  return rows.map(row => row.name)
}

/** The error that a promise ends with. */
export async function failureOf(work: Promise<unknown>): Promise<PlinthError> {
  try {
    await work
  } catch (error) {
    return error as PlinthError
  }
  throw new Error('It was expected to fail, and did not.')
}

/** A folder with these files, whose names may have folders in them. */
export async function treeOf(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder()
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}
