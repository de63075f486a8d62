/** What a set of migrations makes, tried on a database that lives for that alone. */
import { randomBytes } from 'node:crypto'
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Engine, Session } from '../engines/engine.ts'
import type { Schema } from '../schema/model.ts'
import { quotedName } from '../sql/tree.ts'
import type { Migration, MigrationFile } from './migration.ts'
import { applyTrack } from './track.ts'

export interface ScratchPlace {
  readonly engine: Engine
  /** The scratch database is made beside this one, and dropped afterwards. */
  readonly url: string
  readonly track: string
  readonly actor: string
  readonly signal?: AbortSignal | undefined
  /** Schemas that were there before the first migration. */
  readonly schemas?: readonly string[]
}

/** Answers the catalog after more and more migrations were applied: each list holds those before it. */
export type Make = (migrations: readonly Migration[], repeatables?: readonly MigrationFile[]) => Promise<Schema>

/** Throws what applying throws, with the place of the file. */
export async function onScratch<T>(place: ScratchPlace, work: (make: Make) => Promise<T>): Promise<T> {
  const { engine, url, track, actor, signal, schemas = [] } = place
  const scratch = await engine.createScratch(url, `plinth_proof_${randomBytes(6).toString('hex')}`)
  try {
    return await withSession(engine, scratch.url, { applicationName: 'plinth proof' }, async session => {
      for (const schema of schemas) await session.query(`create schema if not exists ${quotedName([schema])}`)
      return work(async (migrations, repeatables = []) => {
        await makePath(session, migrations)
        // What is proved was applied long ago; whether it could be taken back is another question.
        const folder = { folder: '', warnings: [], migrations: migrations.map(one => ({ ...one, upOnly: true })) }
        const run = { track, folder, actor, signal, command: 'prove', allowOutOfOrder: true, preserve: 'off' as const }
        const { error } = await applyTrack(session, run)
        if (error) throw error
        return catalogWith(session, repeatables)
      })
    })
  } finally {
    await scratch.drop()
  }
}

/** A connection whose path has one schema finds it on every real database, where somebody made it before the first migration. */
async function makePath(session: Session, migrations: readonly Migration[]): Promise<void> {
  if (!session.engine.can.postgresSyntax) return
  const { rows } = await session.query<{ schema: string }>(
    `select btrim(one, ' "') as schema
    from unnest(string_to_array(current_setting('search_path'), ',')) with ordinality path (one, place)
    where current_schemas(false) = '{}' and btrim(one, ' "') not in ('', '$user')
    order by place
    limit 1`,
  )
  const [first] = rows
  if (!first) return
  const makes = /\bcreate\s+schema\s+(?!if\s)"?([^\s";]+)/gi
  const own = migrations.some(({ up }) => [...up.text.matchAll(makes)].some(([, name]) => name === first.schema))
  if (!own) await session.query(`create schema ${quotedName([first.schema])}`)
}

/** Scripts that run after every run are gone again afterwards, so that the next list begins without them. */
async function catalogWith(session: Session, repeatables: readonly MigrationFile[]): Promise<Schema> {
  if (repeatables.length === 0) return session.introspect()
  let catalog: Schema | undefined
  const undo = new Error('rolled back on purpose')
  await withTransaction(session, async () => {
    for (const { text } of repeatables) await session.script(text)
    catalog = await session.introspect()
    throw undo
  }).catch((error: unknown) => {
    if (error !== undo) throw error
  })
  return catalog ?? session.introspect()
}
