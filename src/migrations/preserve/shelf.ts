/** Looking after the archive: what is in it, how big it is, bringing something back by hand, and letting go of it. */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { nearest, PlinthError } from '../../errors.ts'
import { isSameVersion } from '../migration.ts'
import { defaultTenantColumn } from './options.ts'
import { plainly } from './plainly.ts'
import { restoreObjects } from './restore.ts'
import {
  type Archive,
  type ArchiveObject,
  endArchive,
  readArchives,
  readObjects,
  type RestoreReport,
  updateObject,
} from './store.ts'
import { ident } from './text.ts'
import { closeCopy, openCopy } from './visible.ts'

export interface ShelvedArchive extends Archive {
  readonly objects: readonly ShelvedObject[]
  readonly bytes: number
}

export interface ShelvedObject extends ArchiveObject {
  readonly bytes: number
  /** As the server estimates it; 0 without a copy. */
  readonly rowsEstimated: number
}

/** Oldest first. Reads only. */
export async function listArchives(
  session: Session,
  filter: { readonly track?: string | undefined } = {},
): Promise<ShelvedArchive[]> {
  const archives: ShelvedArchive[] = []
  for (const archive of await readArchives(session, filter)) archives.push(await measure(session, archive))
  return archives
}

/** Throws ARCHIVE_UNKNOWN. An id may be shortened as long as it is the only one. */
export async function showArchive(session: Session, id: string): Promise<ShelvedArchive> {
  const archives = await readArchives(session)
  const found = archives.filter(archive => archive.id.startsWith(id))
  const [only] = found
  if (only && found.length === 1) return measure(session, only)
  const guess = nearest(
    id,
    archives.map(archive => archive.id),
  )
  throw new PlinthError(
    'ARCHIVE_UNKNOWN',
    `There is no archive ${id}${found.length > 1 ? ', but several that begin so' : ''}.`,
    {
      at: { object: id },
      hint: guess ? `Did you mean ${guess}?` : 'plinth archive list names them.',
    },
  )
}

/** Brings back what is left of an archive, into the tables as they are now. Throws ARCHIVE_UNKNOWN. */
export async function restoreArchive(
  session: Session,
  id: string,
  options: { readonly actor: string; readonly tenantColumn?: string | undefined; readonly now: () => string },
): Promise<readonly RestoreReport[]> {
  const archive = await showArchive(session, id)
  if (isUnderWay(archive)) throw underWay(archive)
  const tenantColumn = options.tenantColumn ?? defaultTenantColumn
  return withTransaction(session, () =>
    plainly(session, async () => {
      const restored = await restoreObjects(
        session,
        archive.objects.filter(object => object.copy !== null),
        { tenantColumn, kinship: 'same', writes: 'rows' },
      )
      for (const { object, whole, report } of restored) {
        if (whole) await session.script(`drop table ${object.copy} cascade`)
        const rows = whole ? 0 : report.kept + report.orphaned + report.unmatched
        await updateObject(session, object, { rows, ...(whole ? { copy: null } : {}) })
      }
      const reports = restored.map(one => one.report)
      const whole = restored.every(one => one.whole)
      await endArchive(session, archive.id, {
        status: whole ? 'restored' : 'leftover',
        endedAt: options.now(),
        endedBy: options.actor,
        report: reports,
      })
      return reports
    }),
  )
}

export interface PurgeRequest {
  readonly track?: string | undefined
  readonly ids?: readonly string[] | undefined
  /** Also what the opposite of an applied step still needs, of that version alone. */
  readonly version?: string | undefined
  /** Younger ones stay. */
  readonly olderThanDays: number
  readonly actor: string
  readonly now: () => number
}

export interface PurgeReport {
  readonly purged: readonly ShelvedArchive[]
  /** They are older, but their opposite step has not run. */
  readonly needed: readonly ShelvedArchive[]
  readonly bytes: number
}

/** Throws ARCHIVE_UNKNOWN, and ARCHIVE_NEEDED when an archive is named that is still needed and its version is not. */
export async function purgeArchives(session: Session, request: PurgeRequest): Promise<PurgeReport> {
  const all = await listArchives(session, { track: request.track })
  const named = request.ids ? await Promise.all(request.ids.map(id => showArchive(session, id))) : null
  const before = request.now() - request.olderThanDays * 86_400_000
  const due = (named ?? all).filter(
    archive =>
      archive.status !== 'purged' &&
      (request.version === undefined || isSameVersion(request.version, archive.version)) &&
      (named !== null || request.version !== undefined || Date.parse(archive.endedAt ?? archive.createdAt) < before),
  )
  const busy = due.find(isUnderWay)
  if (busy) throw underWay(busy)
  const needed = due.filter(archive => archive.status === 'kept' && request.version === undefined)
  const [first] = needed
  if (named && first) throw stillNeeded(first)
  const purged = due.filter(archive => !needed.includes(archive))
  await withTransaction(session, async () => {
    for (const archive of purged) await dropArchive(session, archive, request)
  })
  return { purged, needed, bytes: purged.reduce((sum, archive) => sum + archive.bytes, 0) }
}

export interface ErasureReport {
  readonly rows: number
  readonly tables: readonly { readonly archiveId: string; readonly source: string; readonly rows: number }[]
  /** Copies whose rows cannot be told by tenant. */
  readonly untold: readonly { readonly archiveId: string; readonly source: string }[]
}

/** Removes the rows of one tenant from every copy, whatever its archive is still needed for. */
export async function eraseTenant(session: Session, tenant: string): Promise<ErasureReport> {
  const tables: { archiveId: string; source: string; rows: number }[] = []
  const untold: { archiveId: string; source: string }[] = []
  await withTransaction(session, () =>
    plainly(session, async () => {
      for (const archive of await readArchives(session))
        for (const { archiveId, source, copy, detail } of await readObjects(session, archive.id)) {
          if (copy === null) continue
          if (detail.tenant === null) {
            untold.push({ archiveId, source })
            continue
          }
          if (!detail.window) await openCopy(session, copy)
          const { rowCount } = await session.query(`delete from ${copy} where ${ident(detail.tenant)}::text = $1`, [
            tenant,
          ])
          if (detail.window)
            await session.query(`delete from ${detail.window.left} where ${ident(detail.tenant)}::text = $1`, [tenant])
          else await closeCopy(session, copy)
          if (rowCount > 0) tables.push({ archiveId, source, rows: rowCount })
        }
    }),
  )
  return { rows: tables.reduce((sum, table) => sum + table.rows, 0), tables, untold }
}

async function measure(session: Session, archive: Archive): Promise<ShelvedArchive> {
  const objects: ShelvedObject[] = []
  for (const object of await readObjects(session, archive.id)) {
    const { rows } = await session.query<{ bytes: number; tuples: number }>(
      `select coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::float8 as bytes,
        coalesce(sum(greatest(c.reltuples, 0)) filter (where c.relkind = 'r'), 0)::float8 as tuples
      from pg_catalog.pg_class c
      where c.oid = to_regclass(nullif($1, '')) or c.oid in (select relid from pg_catalog.pg_partition_tree(to_regclass(nullif($1, ''))))`,
      [object.copy ?? ''],
    )
    objects.push({ ...object, bytes: rows[0]?.bytes ?? 0, rowsEstimated: object.rows ?? rows[0]?.tuples ?? 0 })
  }
  return { ...archive, objects, bytes: objects.reduce((sum, object) => sum + object.bytes, 0) }
}

async function dropArchive(
  session: Session,
  archive: ShelvedArchive,
  { actor, now }: Pick<PurgeRequest, 'actor' | 'now'>,
): Promise<void> {
  for (const object of archive.objects) {
    if (object.copy === null) continue
    await session.script(`drop table if exists ${object.copy} cascade`)
    await updateObject(session, object, { copy: null })
  }
  await endArchive(session, archive.id, {
    // What its opposite step would miss is told when that runs; what nobody waits for is just gone.
    status: 'purged',
    endedAt: new Date(now()).toISOString(),
    endedBy: actor,
    report: archive.report ?? [],
  })
}

/** Triggers on its table use the copy. */
function isUnderWay({ objects }: ShelvedArchive): boolean {
  return objects.some(object => object.detail.window !== undefined)
}

function underWay({ id, version, slug, direction }: Archive): PlinthError {
  const opposite = direction === 'up' ? 'rollback' : 'apply'
  return new PlinthError('ARCHIVE_NEEDED', `The values of the archive ${id} are on their way back.`, {
    at: { object: id },
    hint: `Run plinth ${opposite} again: it goes on with ${version}_${slug} where it stopped.`,
  })
}

function stillNeeded({ id, version, slug, direction }: Archive): PlinthError {
  const opposite = direction === 'up' ? 'rollback' : 'apply'
  return new PlinthError(
    'ARCHIVE_NEEDED',
    `The archive ${id} holds what the ${opposite} of ${version}_${slug} would bring back.`,
    {
      at: { object: id },
      hint: `Pass --version-of ${version} to let go of it all the same.`,
    },
  )
}
