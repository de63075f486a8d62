/** The end of a restore in batches: what is counted, what is kept, and what goes. */
import type { Session } from '../../engines/engine.ts'
import { countOf, nothing } from './account.ts'
import { type ArchiveObject, endArchive, type RestoreReport, updateObject } from './store.ts'
import { closeCopy } from './visible.ts'

/** All batches are done and the triggers gone: what is left stays in the archive, and its copy goes. In one transaction. */
export async function settleArchive(
  session: Session,
  objects: readonly ArchiveObject[],
  end: { readonly archiveId: string; readonly runId: string; readonly endedAt: string },
): Promise<RestoreReport[]> {
  const reports: RestoreReport[] = []
  for (const object of objects) {
    const { window, digest: _digest, uniform: _uniform, ...detail } = object.detail
    if (!window) {
      reports.push(nothing(object))
      continue
    }
    const { report } = window
    const left = report.orphaned + report.unmatched
    const gone = [object.copy, window.written, ...(left === 0 ? [window.left] : [])].filter(name => name !== null)
    await session.script(`drop table if exists ${gone.join(', ')}`)
    if (left > 0) await closeCopy(session, window.left)
    await updateObject(session, object, { copy: left > 0 ? window.left : null, rows: left, detail })
    reports.push(report)
  }
  await endArchive(session, end.archiveId, {
    status: reports.every(report => report.orphaned + report.unmatched === 0) ? 'restored' : 'leftover',
    endedAt: end.endedAt,
    endedBy: end.runId,
    report: reports,
  })
  return reports
}

/** Rows that have the column's default since nothing was archived for them. Reads the whole table, and keeps nobody waiting. */
export async function countDefaulted(session: Session, object: ArchiveObject): Promise<void> {
  const { window } = object.detail
  if (!window) return
  const { restored, kept, unmatched } = window.report
  const { rows } = await session.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    object.source,
  ])
  const all = rows[0]?.there === true ? await countOf(session, object.source) : 0
  const report = { ...window.report, defaulted: Math.max(0, all - restored - kept - unmatched) }
  await updateObject(session, object, { detail: { ...object.detail, window: { ...window, report } } })
}
