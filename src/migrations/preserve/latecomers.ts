/**
 * Rows that had no place when their own step brought them back, and have one now: their value of an enum, or the row that they refer to, comes
 * with a later step. They are tried again behind each later step of the same run, as long as any wait, and by whoever finishes a run that
 * did not end well. A run that comes after leaves them to `archive restore`, since whoever has worked with the tables in between does not
 * expect them.
 */
import { type Held, withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { plainly } from './plainly.ts'
import { restoreObjects } from './restore.ts'
import {
  type Archive,
  type ArchiveObject,
  endArchive,
  queryArchives,
  readObjects,
  type RestoreReport,
  updateObject,
} from './store.ts'
import { namesArray } from './text.ts'

export interface Latecoming {
  readonly session: Session
  readonly track: string
  readonly runId: string
  readonly tenantColumn: string
  readonly held: Held
  readonly now: () => string
}

/** What came back now, in a transaction of its own. Who is in the way, or fails, leaves them where they are: they were told as orphaned. */
export async function bringLatecomers(run: Latecoming): Promise<readonly RestoreReport[]> {
  const { session, held } = run
  return withTransaction(session, async () => {
    await session.script(`set local lock_timeout = '${patienceMs}ms'`)
    const left = await queryArchives(session, { track: run.track, statuses: ['leftover'] })
    const reports: RestoreReport[] = []
    for (const archive of await stillExpected(session, left, run.runId))
      reports.push(...(await plainly(session, () => bringBack(run, archive))))
    await held.fence(session)
    return reports.filter(({ restored }) => restored > 0)
  }).catch(() => [])
}

const patienceMs = 600

/** Those of a run that is not over: this one, or one that was interrupted or failed, which this one finishes. */
export async function stillExpected(
  session: Session,
  archives: readonly Archive[],
  runId: string | null,
): Promise<readonly Archive[]> {
  const left = archives.filter(({ status }) => status === 'leftover')
  if (left.every(({ endedBy }) => endedBy !== null && endedBy === runId)) return left
  const { rows } = await session.query<{ id: string }>(
    "select id::text as id from plinth.migration_runs where status <> 'succeeded' and id::text = any ($1::text[])",
    [namesArray(left.flatMap(({ endedBy }) => endedBy ?? []))],
  )
  const unfinished = new Set(rows.map(({ id }) => id))
  return left.filter(({ endedBy }) => endedBy !== null && (endedBy === runId || unfinished.has(endedBy)))
}

async function bringBack(
  { session, runId, tenantColumn, now }: Latecoming,
  archive: Archive,
): Promise<RestoreReport[]> {
  const objects = await readObjects(session, archive.id)
  // What a corrected step left is not owed to it, whatever comes later.
  const left = objects.filter(({ copy, detail }) => copy !== null && detail.leftBy === 'same')
  if (left.length === 0) return []
  const reports: RestoreReport[] = []
  let isWhole = objects.every(object => object.copy === null || left.includes(object))
  // Others may work already, so a whole row comes back only where its key is free.
  for (const [kinship, some] of [
    ['edited', left.filter(isTable)],
    ['same', left.filter(one => !isTable(one))],
  ] as const)
    for (const { object, whole, report } of await restoreObjects(session, some, {
      tenantColumn,
      kinship,
      writes: 'rows',
    })) {
      if (whole) await session.script(`drop table ${object.copy} cascade`)
      const rows = whole ? 0 : report.kept + report.orphaned + report.unmatched
      await updateObject(session, object, { rows, ...(whole ? { copy: null } : {}) })
      reports.push(report)
      isWhole &&= whole
    }
  const status = isWhole ? 'restored' : 'leftover'
  await endArchive(session, archive.id, { status, endedAt: now(), endedBy: runId, report: reports })
  return reports
}

function isTable({ kind }: ArchiveObject): boolean {
  return kind === 'table'
}
