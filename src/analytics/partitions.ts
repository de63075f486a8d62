/** Partitions of captured tables: those that will be needed are made, those that are sealed and past their retention are dropped. */
import { setTimeout as sleep } from 'node:timers/promises'
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { RollupOptions } from './run/desk.ts'
import { capturedSources, type Project, sourceKey } from './project/project.ts'

export interface PartitionReport {
  readonly source: string
  readonly made: readonly string[]
  readonly retired: readonly { readonly partition: string; readonly rows: number }[]
}

/**
 * Calls the functions that the source has for it. Writers wait behind the locks that they take, so each gives up after seconds and is tried
 * again. Throws LOCK_TIMEOUT.
 */
export async function maintainPartitions(
  project: Project,
  { source: database, runId, signal }: Pick<RollupOptions, 'source' | 'runId' | 'signal'>,
): Promise<PartitionReport[]> {
  const applicationName = `plinth maintain ${runId}`.slice(0, 63)
  return withSession(database.engine, database.url, { applicationName }, async session => {
    const reports: PartitionReport[] = []
    for (const source of capturedSources(project)) {
      const { maintain, retire } = source.capture
      const made = await called<{ partition_name: string }>(session, maintain, signal)
      const retired = await called<{ partition_name: string; retired_rows: string }>(session, retire, signal)
      reports.push({
        source: sourceKey(source),
        made: made.map(row => row.partition_name),
        retired: retired.map(row => ({ partition: row.partition_name, rows: Number(row.retired_rows) })),
      })
    }
    return reports
  })
}

const attempts = 10

async function called<R>(session: Session, name: string | null, signal: AbortSignal | undefined): Promise<R[]> {
  if (name === null || !(await isFunction(session, name))) return []
  for (let attempt = 1; ; attempt++) {
    try {
      return await withTransaction(session, async () => {
        await session.query("set local lock_timeout = '3s'")
        return (await session.query<R>(`select * from ${name}()`)).rows
      })
    } catch (error) {
      if (!(error instanceof PlinthError) || error.sqlState !== '55P03') throw error
      if (attempt === attempts)
        throw new PlinthError('LOCK_TIMEOUT', `${name}() did not get its locks in ${attempts} attempts.`, {
          at: { object: name },
          hint: 'Look for long transactions on the table, then run again.',
          sqlState: error.sqlState,
          cause: error,
        })
      await sleep(500 * attempt * (0.75 + Math.random() / 2), undefined, signal ? { signal } : {})
    }
  }
}

/** The migration that makes it may not have come yet. */
async function isFunction(session: Session, name: string): Promise<boolean> {
  const { rows } = await session.query<{ present: boolean }>('select to_regproc($1) is not null as present', [name])
  return rows[0]?.present === true
}
