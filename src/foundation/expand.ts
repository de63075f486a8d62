/** Changes that old and new code outlive together, written as migrations. */
import { PlinthError } from '../errors.ts'
import type { ExpandRequest } from '../migrations/expand/request.ts'
import { type Desk, scratchPlaceOf } from './desk.ts'
import { folderOf, valuesOf } from './folder.ts'

export interface ExpandedFiles {
  /** In the order of their versions, up before down before checks. */
  readonly files: readonly string[]
  readonly notices: readonly string[]
}

/** Reads the columns from what the migrations make, so that no database of anybody is asked. */
export async function expandMigrations(desk: Desk, request: ExpandRequest): Promise<ExpandedFiles> {
  const { catalogOf } = await import('../migrations/catalog.ts')
  const { draftExpansion, writeExpansion } = await import('../migrations/expand/write.ts')
  const [track] = desk.config.tracks
  if (!track) {
    throw new PlinthError('TRACK_UNKNOWN', 'The configuration has no track.', {
      hint: 'Add one under "tracks", or pass --dir.',
    })
  }
  const place = await scratchPlaceOf(desk, track)
  const { engine } = place
  if (!engine.can.postgresSyntax) {
    throw new PlinthError('ENGINE_UNSUPPORTED', `${engine.name} has no triggers that could write both columns.`, {
      hint: 'Choose a track on PostgreSQL by --track.',
    })
  }
  const { actor, signal } = desk
  const folder = track.migrations
  const schema = await catalogOf({
    ...place,
    track: track.name,
    folder: await folderOf(desk.config, track),
    actor,
    signal,
  })
  const { created, notices } = await writeExpansion(draftExpansion(schema, request), {
    folder,
    ...valuesOf(desk.config, track),
  })
  return { files: created.flatMap(({ up, down, checks }) => [up, down, ...(checks === null ? [] : [checks])]), notices }
}
