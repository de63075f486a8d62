/** The platform's two tracks as the migrations make them: the classification and the contract are held to the real thing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import type { Schema } from '../../src/schema/model.ts'

export const repository = join(import.meta.dirname, '../..')
export const classificationFile = join(repository, 'configs/data-classification.yml')

export async function operationalSchema(url: string): Promise<Schema> {
  return withSession(postgres, url, {}, session => session.introspect())
}

/** The warehouse, migrated in a file of its own that goes when the test ends. */
export async function warehouseSchema(): Promise<Schema> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-contract-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const migrations = join(repository, 'db/migrations/analytics')
  const files = readdirSync(migrations).filter(file => file.endsWith('.up.sql'))
  return withSession(duckdb, `duckdb:${join(folder, 'warehouse.duckdb')}`, {}, async session => {
    for (const file of files.toSorted()) await session.script(readFileSync(join(migrations, file), 'utf8'))
    return session.introspect()
  })
}
