/** What a kept database knows of its own catalog, since asking takes longer than a small rehearsal. It lies in our schema, which no look sees. */
import { createHash } from 'node:crypto'
import { catalogQuery } from '../../engines/postgres/catalog.ts'
import { supported } from '../../engines/postgres/supported.ts'
import { rareQuery } from '../../engines/postgres/rare/index.ts'
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import type { Schema } from '../../schema/model.ts'
import { catalogColumns, type CatalogRows } from './catalog-rows.ts'
import { lookAtCatalog } from './looks.ts'

export interface Memory {
  readonly schema: Schema
  readonly rows: CatalogRows
}

/** At the end of a replay. */
export async function writeMemory(session: Session): Promise<void> {
  const memory = await ask(session)
  await session.script(
    'create schema if not exists plinth;\ndrop table if exists plinth.rehearsal_memory;\ncreate table plinth.rehearsal_memory (memory text not null)',
  )
  await session.query('insert into plinth.rehearsal_memory (memory) values ($1)', [JSON.stringify(memory)])
}

/** Asks the catalog itself where nothing was kept. Outside of any transaction. */
export async function recall(session: Session): Promise<Memory> {
  const { rows } = await session
    .query<{ memory: string }>('select memory from plinth.rehearsal_memory')
    .catch((thrown: unknown) => {
      if (missing.has(asPlinthError(thrown).sqlState ?? '')) return { rows: [] }
      throw thrown
    })
  return rows[0] ? (JSON.parse(rows[0].memory) as Memory) : ask(session)
}

/** A table, and a schema. */
const missing: ReadonlySet<string> = new Set(['42P01', '3F000'])

async function ask(session: Session): Promise<Memory> {
  return { schema: await session.introspect(), rows: await lookAtCatalog(session) }
}

/** Another version of us may ask otherwise, and then nothing that this one kept is of use to it. */
export function questions(): string {
  return createHash('sha256')
    .update(`${catalogQuery(supported.newest)} ${rareQuery(supported.newest)} ${catalogColumns()}`)
    .digest('hex')
}
