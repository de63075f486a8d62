/** DuckDB: the embedded warehouse. One process at a time has a file open. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, OpenOptions, Scratch, Session } from '../engine.ts'
import { filePath } from './instance.ts'
import { openSession, quoteLiteral } from './session.ts'
import { warehouse } from './warehouse.ts'

export const duckdb: Engine = {
  name: 'duckdb',
  schemes: ['duckdb'],
  can: {
    transactionalDdl: true,
    concurrentProcesses: false,
    leases: false,
    timeouts: false,
    rowSecurity: false,
    postgresSyntax: false,
    googleSyntax: false,
    capture: false,
    warehouse: true,
    statefulSessions: true,
  },
  warehouse,
  open: (url: string, options: OpenOptions = {}): Promise<Session> => openSession(duckdb, url, options),
  describe: (url: string): string => filePath(url) ?? ':memory:',
  createScratch,
}

/** A file in a folder of its own; with `template` (a DuckDB URL) a copy of that database. */
async function createScratch(
  _url: string,
  name: string,
  options: { readonly template?: string } = {},
): Promise<Scratch> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-scratch-'))
  const drop = async () => rmSync(folder, { recursive: true, force: true })
  try {
    const path = join(folder, `${name.replace(/[^A-Za-z0-9_-]/g, '_')}.duckdb`)
    if (options.template) await copyDatabase(options.template, path)
    return { url: `duckdb:${path}`, drop }
  } catch (error) {
    await drop()
    throw error
  }
}

/** Copies through DuckDB: opening the template's file by other means would drop this process's lock on it. */
async function copyDatabase(template: string, path: string): Promise<void> {
  const session = await openSession(duckdb, template, {})
  try {
    const current = await session.query<{ name: string }>('select current_database() as name')
    const source = `"${(current.rows[0]?.name ?? 'memory').replaceAll('"', '""')}"`
    await session.query(`attach ${quoteLiteral(path)} as plinth_copy`)
    try {
      await session.query(`copy from database ${source} to plinth_copy`)
    } finally {
      await session.query('detach plinth_copy')
    }
  } finally {
    await session.close()
  }
}
