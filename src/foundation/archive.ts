/** The archives of the tracks: what their migrations destroyed. */
import { PlinthError } from '../errors.ts'
import type { RestoreReport } from '../migrations/preserve/store.ts'
import type { ErasureReport, PurgeReport, ShelvedArchive } from '../migrations/preserve/shelf.ts'
import { databaseOf, type Desk, onDatabase, type OnTrack } from './desk.ts'
import type { Session } from '../engines/engine.ts'
import type { Track } from '../config/load.ts'

export interface PurgeArchivesRequest {
  readonly ids?: readonly string[] | undefined
  readonly version?: string | undefined
  readonly olderThanDays?: number | undefined
}

export function listTrackArchives(desk: Desk): Promise<OnTrack<ShelvedArchive[]>[]> {
  return onArchives(desk, async (session, track) => {
    const { listArchives } = await import('../migrations/preserve/shelf.ts')
    return listArchives(session, { track: track.name })
  })
}

export function showTrackArchive(desk: Desk, id: string): Promise<ShelvedArchive> {
  return onOne(desk, async session => {
    const { showArchive } = await import('../migrations/preserve/shelf.ts')
    return showArchive(session, id)
  })
}

export function restoreTrackArchive(desk: Desk, id: string): Promise<readonly RestoreReport[]> {
  return onOne(desk, async session => {
    const { restoreArchive } = await import('../migrations/preserve/shelf.ts')
    const { tenantColumn } = desk.config.preserve
    return restoreArchive(session, id, { actor: desk.actor, tenantColumn, now: () => new Date().toISOString() })
  })
}

export function purgeTrackArchives(desk: Desk, request: PurgeArchivesRequest): Promise<OnTrack<PurgeReport>[]> {
  return onArchives(desk, async (session, track) => {
    const { purgeArchives } = await import('../migrations/preserve/shelf.ts')
    const olderThanDays = request.olderThanDays ?? desk.config.preserve.retentionDays
    return purgeArchives(session, { ...request, track: track.name, olderThanDays, actor: desk.actor, now: Date.now })
  })
}

export function eraseTenantFromArchives(desk: Desk, tenant: string): Promise<OnTrack<ErasureReport>[]> {
  return onArchives(desk, async session => {
    const { eraseTenant } = await import('../migrations/preserve/shelf.ts')
    return eraseTenant(session, tenant)
  })
}

/** Tracks whose engine has no archive are passed over. */
async function onArchives<T>(desk: Desk, work: (session: Session, track: Track) => Promise<T>): Promise<OnTrack<T>[]> {
  const results: OnTrack<T>[] = []
  for (const track of desk.config.tracks) {
    const database = await databaseOf(desk, track)
    if (!database.engine.can.postgresSyntax) continue
    const address = database.engine.describe(database.url)
    results.push({
      track: track.name,
      address,
      result: await onDatabase(desk, database, session => work(session, track)),
    })
  }
  return results
}

/** The first track whose database has that archive. */
async function onOne<T>(desk: Desk, work: (session: Session) => Promise<T>): Promise<T> {
  let missing: unknown
  for (const track of desk.config.tracks) {
    const database = await databaseOf(desk, track)
    if (!database.engine.can.postgresSyntax) continue
    try {
      return await onDatabase(desk, database, work)
    } catch (thrown) {
      if (!(thrown instanceof PlinthError) || thrown.code !== 'ARCHIVE_UNKNOWN') throw thrown
      missing ??= thrown
    }
  }
  throw missing ?? new PlinthError('ENGINE_UNSUPPORTED', 'No track here keeps an archive.')
}
