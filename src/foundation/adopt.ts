/** Databases that were migrated by somebody else, and what became of a database beside its migrations. */
import type { Track } from '../config/load.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import type { AdoptReport } from '../migrations/adopt/index.ts'
import type { ToolName } from '../migrations/adopt/tool.ts'
import type { DriftReport } from '../migrations/drift.ts'
import { type Desk, type OnTrack, onTracks } from './desk.ts'
import { folderOf } from './folder.ts'
import { scratchAlongPath } from './search-path.ts'

export interface AdoptRequest {
  /** A tool's name or `baseline`; undefined finds the tool by its table. */
  readonly from?: ToolName | 'baseline' | undefined
  readonly table?: string | undefined
  readonly version?: string | undefined
  readonly drift: 'refuse' | 'accept'
}

/** On one track: a history belongs to one folder. */
export async function adoptTrack(desk: Desk, request: AdoptRequest): Promise<OnTrack<AdoptReport>> {
  const { adopt } = await import('../migrations/adopt/index.ts')
  const { emit, signal, actor, traceId, version: toolVersion, config } = desk
  const [only] = await onTracks({ ...desk, config: { ...config, tracks: [onlyTrack(desk)] } }, async (session, track) =>
    adopt(session, {
      ...request,
      scratch: await scratchAlongPath(desk, track),
      track: track.name,
      folder: await folderOf(desk.config, track),
      actor,
      emit,
      signal,
      traceId,
      toolVersion,
      lockWaitMs: config.migrations.lockWaitSeconds * 1000,
    }),
  )
  if (only) return only
  throw new PlinthError('INTERNAL', 'A track was visited without an answer.')
}

export async function driftOfTracks(desk: Desk): Promise<OnTrack<DriftReport>[]> {
  const { findDrift } = await import('../migrations/drift.ts')
  const { actor, signal } = desk
  return onTracks(desk, async (session, track) =>
    findDrift(session, {
      scratch: await scratchAlongPath(desk, track),
      others: session.engine.can.warehouse ? await rolledUp(desk) : [],
      track: track.name,
      folder: await folderOf(desk.config, track),
      actor,
      signal,
    }),
  )
}

/** What the analytics project makes in a warehouse, which its migrations need not know. */
async function rolledUp(desk: Desk): Promise<readonly { readonly schema: string; readonly name: string }[]> {
  const { projectOf } = await import('./analytics.ts')
  const project = await projectOf(desk).catch((error: unknown) => {
    if (asPlinthError(error).code === 'FOLDER_NOT_FOUND') return null
    throw error
  })
  return project ? [...project.transforms, ...project.checks.map(({ storable }) => storable)] : []
}

function onlyTrack({ config }: Desk): Track {
  const [track, second] = config.tracks
  if (track && !second) return track
  throw new PlinthError('USAGE', 'A history belongs to one track, and there are several.', {
    hint: `Add --track ${config.tracks.map(({ name }) => name).join(' or --track ')}.`,
  })
}
