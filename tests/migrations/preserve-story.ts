/** A database whose migrations are applied and taken back step by step, while users write to it. */
import type { Session } from '../../src/engines/engine.ts'
import type { Report } from '../../src/migrations/run.ts'
import { applyTrack, rollbackTrack, type TrackOptions } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { type Files, folderOf, openSession, someone } from './support.ts'

export interface Story {
  readonly url: string
  readonly session: Session
  readonly sql: (text: string) => Promise<void>
  readonly rows: (text: string) => Promise<unknown[]>
  readonly up: (version?: string, options?: Partial<TrackOptions>) => Promise<Report>
  readonly down: (options?: Partial<TrackOptions>) => Promise<Report>
  /** Names of the copies that are left in the archive. */
  readonly copies: () => Promise<number>
}

export async function story(files: Files): Promise<Story> {
  const folder = await folderOf(files)
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const checked = (report: Report) => {
    if (report.error) throw report.error
    return report
  }
  return {
    url,
    session,
    sql: text => session.script(text),
    rows: async text => (await session.query(text)).rows,
    up: async (version, options) =>
      checked(
        await applyTrack(session, {
          ...someone,
          folder,
          ...(version === undefined ? {} : { target: { kind: 'version', version } }),
          ...options,
        }),
      ),
    down: async options =>
      checked(await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 }, ...options })),
    copies: async () =>
      (
        await session.query(
          "select from pg_class c join pg_namespace n on n.oid = c.relnamespace where nspname = 'plinth_archive' and relkind in ('r', 'p') and not relispartition",
        )
      ).rows.length,
  }
}
