/** What a caller may say about preserving, and what a run makes of it. */
import type { Session } from '../../engines/engine.ts'
import { isSameVersion } from '../migration.ts'
import type { Policy } from './images.ts'
import { stillExpected } from './latecomers.ts'
import { queryArchives, versionsUnderWay } from './store.ts'

/** The part of a run's options that says how data is preserved. */
export interface PreserveOptions {
  /** Where the file says nothing. */
  readonly policy: Policy
  readonly acceptLoss: readonly string[] | 'all'
  readonly tenantColumn: string
  readonly archiveBytesMax: number | null
  /** Versions with an archive that nobody restored, by `version:direction` of the step that destroyed. */
  readonly owed: ReadonlySet<string>
  /** Versions whose columns were on their way back in batches when a run stopped. */
  readonly underWay: ReadonlySet<string>
  /** Whether a run that did not end well left rows whose place comes with a later step. */
  readonly late: 'some' | 'none'
}

/** What a caller may say about it; the rest has defaults. */
export interface PreserveRequest {
  /** Default `keep`. */
  readonly policy?: Policy | undefined
  /** Versions whose loss is accepted; default none. */
  readonly acceptLoss?: readonly string[] | 'all' | undefined
  /** The column that tells the tenant of a row; default `organization_id`. */
  readonly tenantColumn?: string | undefined
  readonly archiveBytesMax?: number | null | undefined
}

/** Once a run. Null for an engine whose catalog cannot be asked. */
export async function preserveOptions(
  session: Session,
  track: string,
  request: PreserveRequest | 'off' = {},
): Promise<PreserveOptions | null> {
  if (request === 'off' || !session.engine.can.postgresSyntax) return null
  const known = await queryArchives(session, { track, statuses: ['kept', 'purged', 'leftover'] })
  const archives = known.filter(({ status }) => status !== 'leftover')
  return {
    policy: request.policy ?? 'keep',
    acceptLoss: request.acceptLoss ?? [],
    tenantColumn: request.tenantColumn ?? defaultTenantColumn,
    archiveBytesMax: request.archiveBytesMax ?? null,
    owed: new Set(archives.map(archive => `${archive.version}:${archive.direction}`)),
    underWay: new Set(archives.length === 0 ? [] : await versionsUnderWay(session, track)),
    late: (await stillExpected(session, known, null)).length > 0 ? 'some' : 'none',
  }
}

export const defaultTenantColumn = 'organization_id'

/** Versions are numbers: `7` accepts `007`. */
export function isAccepted(acceptLoss: readonly string[] | 'all', version: string): boolean {
  return acceptLoss === 'all' || acceptLoss.some(one => isSameVersion(one, version))
}
