/** What is done with rollups beyond a run: sealing, late events, retention, and the jobs of the schedule. */
import { createHash, createHmac, hkdfSync, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { BackfillPlan } from '../analytics/run/backfill-plan.ts'
import type { BackfillReport } from '../analytics/run/backfill.ts'
import type { EraseReport } from '../analytics/seal/erase.ts'
import type { HistoryEntry } from '../analytics/history-ledger.ts'
import type { PartitionReport } from '../analytics/partitions.ts'
import type { Selection, SettleReport, SourceQuarantine } from '../analytics/seal/quarantine.ts'
import type { Signer } from '../analytics/seal/seal-ledger.ts'
import type { SealReport } from '../analytics/seal/seal.ts'
import { projectOf } from './analytics.ts'
import { flowOptions } from './data.ts'
import type { Desk } from './desk.ts'

export interface SealRequest {
  /** A UTC day; default so many days before today as the configuration says. */
  readonly before: string | undefined
}

export async function sealRollups(desk: Desk, { before }: SealRequest): Promise<SealReport> {
  const { sealBuckets } = await import('../analytics/seal/seal.ts')
  const { sealAfterDays: afterDays } = desk.config.rollups
  return sealBuckets(await projectOf(desk), {
    ...(await flowOptions(desk)),
    before,
    afterDays,
    signer: await signerOf(desk),
  })
}

export async function listLateEvents(desk: Desk): Promise<SourceQuarantine[]> {
  const { listQuarantine } = await import('../analytics/seal/quarantine.ts')
  return listQuarantine(await projectOf(desk), await flowOptions(desk))
}

export async function showLateEvents(desk: Desk, selection: Selection) {
  const { showQuarantined } = await import('../analytics/seal/late-rows.ts')
  return showQuarantined(await projectOf(desk), { ...(await flowOptions(desk)), selection })
}

export async function settleLateEvents(
  desk: Desk,
  decision: 'admit' | 'dismiss',
  selection: Selection,
): Promise<SettleReport> {
  const { admitQuarantined, dismissQuarantined } = await import('../analytics/seal/quarantine.ts')
  const options = { ...(await flowOptions(desk)), selection, signer: await signerOf(desk) }
  return (decision === 'admit' ? admitQuarantined : dismissQuarantined)(await projectOf(desk), options)
}

export async function eraseFromRollups(desk: Desk, organization: string): Promise<EraseReport> {
  const { eraseFromSealed } = await import('../analytics/seal/erase.ts')
  const options = { ...(await flowOptions(desk)), signer: await signerOf(desk) }
  return eraseFromSealed(await projectOf(desk), organization, options)
}

export async function rollupHistory(desk: Desk, limit: number): Promise<HistoryEntry[]> {
  const { readHistory } = await import('../analytics/history-ledger.ts')
  const { withWarehouse } = await import('../analytics/run/desk.ts')
  return withWarehouse(await flowOptions(desk), warehouse => readHistory(warehouse, limit))
}

export async function keepPartitions(desk: Desk): Promise<PartitionReport[]> {
  const { maintainPartitions } = await import('../analytics/partitions.ts')
  return maintainPartitions(await projectOf(desk), await flowOptions(desk))
}

export interface BackfillRequest {
  readonly from: string | null
  readonly until: string | null
  readonly order: 'newest' | 'oldest' | null
  /** Null leaves it to the configuration; 0 sets no limit. */
  readonly rowsPerSecond: number | null
  readonly loadMax: number | null
}

export async function planRollupBackfill(desk: Desk, request: BackfillRequest): Promise<BackfillPlan[]> {
  const { planBackfill } = await import('../analytics/run/backfill-plan.ts')
  return planBackfill(await projectOf(desk), await backfillOptions(desk, request))
}

export async function backfillRollups(desk: Desk, request: BackfillRequest): Promise<BackfillReport> {
  const { runBackfill } = await import('../analytics/run/backfill.ts')
  return runBackfill(await projectOf(desk), await backfillOptions(desk, request))
}

/** It waits long for runs that come between its pieces. */
async function backfillOptions(desk: Desk, request: BackfillRequest) {
  const { backfillRowsPerSecond, backfillLoadMax } = desk.config.rollups
  const options = await flowOptions(desk)
  return {
    ...options,
    ...request,
    waitMs: Math.max(options.waitMs, 600_000),
    rowsPerSecond: request.rowsPerSecond ?? backfillRowsPerSecond,
    loadMax: request.loadMax ?? backfillLoadMax,
  }
}

/** A desk for one job of a process that does many: each has a run of its own in every ledger. */
export function anew(desk: Desk): Desk {
  return { ...desk, runId: randomUUID() }
}

/** Signs with a key that is derived for this purpose alone; null where no key is at hand, since a digest is evidence as well. */
async function signerOf({ config }: Desk): Promise<Signer | null> {
  const { findKeys, localKeyFile } = await import('../governance/key-provider.ts')
  let index: Uint8Array
  try {
    index = await findKeys({ variables: config.variables, file: localKeyFile(join(config.state, 'keys')) }).indexKey()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'KEY_MISSING') return null
    throw error
  }
  const key = Buffer.from(hkdfSync('sha256', index, '', 'plinth rollup seals', 32))
  return {
    keyId: createHash('sha256').update(key).digest('hex').slice(0, 16),
    sign: digest => createHmac('sha256', key).update(digest).digest('hex'),
  }
}
