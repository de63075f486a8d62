/** Brings back what the opposite step took away: which archives those are, how far this step may have them, and what has to wait for them. */
import { lastAppliedUp } from '../history.ts'
import type { Statement } from '../../sql/parse.ts'
import { type Custody, tablesNamed } from './custody.ts'
import type { Kinship } from './account.ts'
import { restoreApart } from './apart.ts'
import { plainly } from './plainly.ts'
import { constrains, type Postponed, postpone } from './postpone.ts'
import { restoreObjects } from './restore.ts'
import { shapeNow } from './shape.ts'
import {
  type Archive,
  type ArchiveObject,
  endArchive,
  queryArchives,
  readObjects,
  type RestoreReport,
  updateObject,
} from './store.ts'

/** Archives of the opposite direction that nobody restored, oldest first. */
export async function owedArchives({ session, subject, options }: Custody): Promise<Archive[]> {
  if (options.owed === 'nothing') return []
  const { track, version, direction } = subject
  const opposite = direction === 'up' ? 'down' : 'up'
  return queryArchives(session, { track, version, direction: opposite, statuses: ['kept', 'purged'] })
}

export async function owedObjects(custody: Custody): Promise<ArchiveObject[]> {
  const objects: ArchiveObject[] = []
  for (const archive of await owedArchives(custody)) objects.push(...(await readObjects(custody.session, archive.id)))
  return objects
}

/** The newest archive first. */
export async function giveBack(custody: Custody, objects: readonly ArchiveObject[]): Promise<RestoreReport[]> {
  const { session, subject, options } = custody
  const reports: RestoreReport[] = []
  const archives = await owedArchives(custody)
  const kinship = archives.length === 0 ? 'same' : await kinshipOf(custody)
  for (const archive of archives.toReversed()) {
    const own = objects.filter(object => object.archiveId === archive.id)
    const restored = await restoreObjects(session, own, { ...options, kinship })
    for (const { object, whole, report } of restored) {
      if (whole && object.copy !== null) await session.script(`drop table ${object.copy} cascade`)
      await updateObject(session, object, {
        ...(whole ? { copy: null } : { detail: { ...object.detail, leftBy: kinship } }),
        rows: whole ? 0 : report.kept + report.orphaned + report.unmatched,
      })
    }
    const told = restored.map(one => one.report)
    reports.push(...told)
    await endArchive(session, archive.id, {
      status: archive.status === 'kept' && restored.every(one => one.whole) ? 'restored' : 'leftover',
      endedAt: options.now(),
      endedBy: subject.runId,
      report: told,
    })
  }
  return reports
}

/** Leaves columns to batches that run behind the step, where that is right; answers whether it did. Throws RESTORE_REFUSED. */
export async function leaveApart(
  custody: Custody,
  objects: readonly ArchiveObject[],
  { later, own }: { readonly later: readonly string[]; readonly own: string | null },
): Promise<boolean> {
  const { session, options } = custody
  if (objects.length === 0 || options.restore === 'together') return false
  const kept = own === null ? [] : await readObjects(session, own)
  const reason =
    later.length > 0
      ? 'it comes back not null, or into a key, and holds that only with every value'
      : kept.some(({ kind }) => kind === 'rows' || kind === 'values')
        ? 'the step changes rows, and keeps what they were'
        : null
  const kinship = await kinshipOf(custody)
  if (kinship === 'edited' && options.writes === 'rows') return false
  return restoreApart(session, objects, { ...options, kinship, reason })
}

/** What of a statement has to wait until the rows are back. */
export async function whatWaits(custody: Custody, statement: Statement): Promise<Postponed | null> {
  const { session, options } = custody
  const table = constrains(statement)
  const owed = table === null ? [] : (await owedObjects(custody)).filter(object => object.kind === 'column')
  const [oid] = table === null || owed.length === 0 ? [] : await tablesNamed(custody, [table])
  if (oid === undefined) return null
  const { name } = await plainly(session, () => shapeNow(session, oid, options))
  const columns = new Set(
    owed.filter(object => object.source === name).flatMap(object => object.detail.columns.map(column => column.name)),
  )
  return postpone(statement, name, columns)
}

/**
 * What a rollback kept is what the up that it took back had made and users had written. Another up computes its own. A down has no such claim:
 * whatever it says, the state before the up comes back.
 */
export async function kinshipOf({ session, subject, options }: Custody): Promise<Kinship> {
  const { direction, slug } = subject
  const earlier = direction === 'up' ? await lastAppliedUp(session, subject) : undefined
  if (!earlier) return 'same'
  if (earlier.slug !== slug) return 'other'
  return earlier.checksum !== null && options.hasChanged(earlier.checksum) ? 'edited' : 'same'
}
