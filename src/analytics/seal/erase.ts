/**
 * Erasing an organization from what is sealed. Where the source still has its events they are deleted there, and the next run follows; what the
 * source has retired is in the warehouse alone, so it is taken out here: rows, rollups, and the hours sealed anew without them.
 */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { batchOfCells, spellingOf } from '../run/cells.ts'
import { consumerOf, refuseRestored, type RollupOptions, withDesk, withWarehouse } from '../run/desk.ts'
import { readCursor } from '../ledger.ts'
import { defaultLimits, planBatches } from '../run/plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { openCells } from './quarantine.ts'
import { rewriteSealed } from './reopen.ts'
import type { Signer } from './seal-ledger.ts'
import { publishSeals, readSealing } from './sealed.ts'
import { rawTable } from '../run/step.ts'

export interface EraseReport {
  readonly runId: string
  readonly sources: readonly {
    readonly source: string
    /** Sealed cells that were rewritten, and the rows that left them. */
    readonly cells: number
    readonly rows: number
  }[]
}

/** Throws what `runRollup` throws, SEAL_BROKEN, SEAL_REFUSED while the source has its events in sealed hours, and USAGE for what is no id. */
export async function eraseFromSealed(
  project: Project,
  organization: string,
  options: RollupOptions & { readonly signer: Signer | null },
): Promise<EraseReport> {
  if (!/^[\w.:@-]+$/.test(organization)) throw noOrganization()
  const sources: EraseReport['sources'][number][] = []
  for (const source of capturedSources(project))
    sources.push(
      await withDesk(source, options, desk =>
        withWarehouse(options, async warehouse => {
          const key = sourceKey(source)
          await refuseRestored(desk, await readCursor(warehouse, key))
          const sealing = await readSealing(source, desk.reader, warehouse)
          await refuseKept(desk.reader, source, organization, sealing.horizon?.sealedBefore ?? null)
          if (sealing.horizon === null) return { source: key, cells: 0, rows: 0 }
          const { rows: found } = await warehouse.query<{ hour: string; shard: string; row_count: string }>(
            `select raw.bucket_hour as hour, raw.shard as shard, count(*) as row_count from ${rawTable(warehouse, source)} as raw
             where raw.${source.capture.organizationColumn} = '${organization}'
               and raw.bucket_hour < ${spellingOf(warehouse).moment(sealing.horizon.sealedBefore, 'after all')}
             group by raw.bucket_hour, raw.shard`,
          )
          let context = await openCells({ project, source, options, desk, warehouse, sealing })
          const cells = batchOfCells(found.map(({ hour, shard }) => ({ hour, shard: Number(shard) })))
          const limits = { ...defaultLimits.no, shards: source.capture.shards }
          for (const batch of planBatches(cells.hours, 'no', limits)) {
            desk.lease.assertHeld()
            const horizon = await rewriteSealed(context, batch, { how: 'without', organization }, [])
            context = { ...context, horizon }
          }
          await publishSeals(desk.control, source, consumerOf(options), { ...sealing, horizon: context.horizon })
          return { source: key, cells: found.length, rows: found.reduce((sum, row) => sum + Number(row.row_count), 0) }
        }),
      ),
    )
  return { runId: options.runId, sources }
}

/** Its events of sealed hours would come back as late ones, so they go from the source first. */
async function refuseKept(
  reader: Session,
  { capture }: CapturedSource,
  organization: string,
  sealedBefore: string | null,
): Promise<void> {
  const query = `select from ${capture.table} where ${capture.organizationColumn} = $1 and ${capture.timeColumn} < $2 limit 1`
  const { rows } = await reader.query(query, [organization, sealedBefore ?? '-infinity']).catch((error: unknown) => {
    if (error instanceof PlinthError && error.sqlState?.startsWith('22')) throw noOrganization()
    throw error
  })
  if (rows.length === 0) return
  throw new PlinthError('SEAL_REFUSED', 'The source still has events of this organization in sealed hours.', {
    at: { object: capture.table },
    hint: 'Delete them there first; they would come back as late events. Then run this again.',
  })
}

function noOrganization(): PlinthError {
  return new PlinthError('USAGE', 'This is not the id of an organization.', {
    hint: 'Name the id as the source writes it; ids are shown by plinth rollup read --by organization.',
  })
}
