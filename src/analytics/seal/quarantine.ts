/** What came too late for sealed hours: listed, shown, and admitted or dismissed by somebody's decision. */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { batchOfCells } from '../run/cells.ts'
import { namesOf } from '../project/compile.ts'
import {
  claimOf,
  consumerOf,
  type Desk,
  refuseRestored,
  type RollupOptions,
  withDesk,
  withWarehouse,
} from '../run/desk.ts'
import { descendantsOf } from '../project/graph.ts'
import { claimTarget, readCursor } from '../ledger.ts'
import { hasCells, prepareTable } from '../run/materialize.ts'
import { type ChangedHour, defaultLimits, planBatches } from '../run/plan.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from '../project/project.ts'
import { moveOut, type Reopening, rewriteSealed } from './reopen.ts'
import { type Quarantined, readQuarantine, type Signer, writeQuarantine } from './seal-ledger.ts'
import { examineSealed, publishSeals, readSealing, type Sealing, withChanges } from './sealed.ts'

export interface SourceQuarantine {
  readonly source: string
  readonly cells: readonly Quarantined[]
}

/** Which cells are meant. */
export interface Selection {
  /** Start of an hour, or a day, which means all its hours; null for every hour. */
  readonly from: string | null
  /** The instant before which they end. */
  readonly until: string | null
  readonly shard: number | null
}

export interface SettleReport {
  readonly runId: string
  readonly sources: readonly {
    readonly source: string
    readonly cells: number
    /** Rows of the source that were merged and deleted there, since their time is past retention. */
    readonly moved: number
  }[]
}

export interface SettleOptions extends Omit<RollupOptions, 'mode'> {
  readonly selection: Selection
  readonly signer: Signer | null
}

export async function listQuarantine(project: Project, options: RollupOptions): Promise<SourceQuarantine[]> {
  return withWarehouse(options, async warehouse => {
    const found: SourceQuarantine[] = []
    for (const source of capturedSources(project))
      found.push({ source: sourceKey(source), cells: await readQuarantine(warehouse, sourceKey(source)) })
    return found
  })
}

/** Makes the chosen cells what the source says now, seals them anew, and lets them out. Throws what `runRollup` throws, and SEAL_BROKEN. */
export async function admitQuarantined(project: Project, options: SettleOptions): Promise<SettleReport> {
  return settle(project, options, admit)
}

/** Decides that the seals stay as they are. What is dismissed comes back when the source changes there once more. */
export async function dismissQuarantined(project: Project, options: SettleOptions): Promise<SettleReport> {
  return settle(project, options, dismiss)
}

export function isSelected(
  { hour, shard }: { readonly hour: string; readonly shard: number },
  selection: Selection,
): boolean {
  return (
    (selection.from === null || hour >= selection.from) &&
    (selection.until === null || hour < selection.until) &&
    (selection.shard === null || shard === selection.shard)
  )
}

interface Sitting {
  readonly project: Project
  readonly source: CapturedSource
  readonly options: SettleOptions
  readonly desk: Desk
  readonly warehouse: Session
  readonly sealing: Sealing
}

interface Settled {
  readonly changes: readonly Quarantined[]
  readonly sealing: Sealing
  readonly moved: number
}

async function settle(
  project: Project,
  options: SettleOptions,
  decide: (sitting: Sitting, chosen: readonly Quarantined[]) => Promise<Settled>,
): Promise<SettleReport> {
  const sources: SettleReport['sources'][number][] = []
  for (const source of capturedSources(project))
    sources.push(
      await withDesk(source, options, desk =>
        withWarehouse(options, async warehouse => {
          await refuseRestored(desk, await readCursor(warehouse, sourceKey(source)))
          const known = await readSealing(source, desk.reader, warehouse)
          const waiting = known.quarantine.filter(({ state }) => state === 'open' || state === 'moving')
          const chosen = waiting.filter(cell => isSelected(cell, options.selection))
          if (chosen.length === 0) return { source: sourceKey(source), cells: 0, moved: 0 }
          // As the source is now, which may be otherwise than when it was noticed.
          const changes = await examineSealed(source, desk, warehouse, known, hoursOf(chosen))
          const sealing = { ...known, quarantine: withChanges(known.quarantine, changes) }
          const keys = new Set(chosen.map(({ hour, shard }) => `${hour} ${shard}`))
          const now = sealing.quarantine.filter(
            cell => keys.has(`${cell.hour} ${cell.shard}`) && (cell.state === 'open' || cell.state === 'moving'),
          )
          const rest = changes.filter(cell => !now.includes(cell))
          if (rest.length > 0)
            await withTransaction(warehouse, () => writeQuarantine(warehouse, sourceKey(source), rest))
          const done = await decide({ project, source, options, desk, warehouse, sealing }, now)
          await publishSeals(desk.control, source, consumerOf(options), {
            ...done.sealing,
            quarantine: withChanges(sealing.quarantine, done.changes),
          })
          return { source: sourceKey(source), cells: now.length, moved: done.moved }
        }),
      ),
    )
  return { runId: options.runId, sources }
}

async function admit(sitting: Sitting, chosen: readonly Quarantined[]): Promise<Settled> {
  const { source, desk, warehouse, sealing } = sitting
  let context = await openCells(sitting)
  const isRetired = ({ hour }: Quarantined) => sealing.retiredBefore !== null && hour < sealing.retiredBefore
  const settled = (cell: Quarantined, state: Quarantined['state']): Quarantined => ({
    ...cell,
    state,
    settledBy: sitting.options.owner,
    settledAt: desk.readAt,
  })
  const changes: Quarantined[] = []
  let moved = 0
  for (const [how, cells] of [
    ['replace', chosen.filter(cell => !isRetired(cell))],
    ['merge', chosen.filter(isRetired)],
  ] as const) {
    for (const batch of planBatches(hoursOf(cells), 'no', { ...defaultLimits.no, shards: source.capture.shards })) {
      desk.lease.assertHeld()
      const own = cells.filter(({ hour }) => batch.hours.some(one => one.hour === hour))
      const state = how === 'replace' ? 'admitted' : 'moving'
      const horizon = await rewriteSealed(
        context,
        batch,
        { how },
        own.map(cell => settled(cell, state)),
      )
      context = { ...context, horizon }
      if (how === 'merge') {
        await sitting.options.onStage?.('committed', sourceKey(source))
        moved += await moveOut(context, batch)
        await withTransaction(warehouse, () =>
          writeQuarantine(
            warehouse,
            sourceKey(source),
            own.map(cell => settled(cell, 'admitted')),
          ),
        )
      }
      changes.push(...own.map(cell => settled(cell, 'admitted')))
    }
  }
  return { changes, moved, sealing: { ...sealing, horizon: context.horizon } }
}

async function dismiss(
  { source, options, desk, warehouse, sealing }: Sitting,
  chosen: readonly Quarantined[],
): Promise<Settled> {
  const changes = chosen.map(
    (cell): Quarantined => ({ ...cell, state: 'dismissed', settledBy: options.owner, settledAt: desk.readAt }),
  )
  await withTransaction(warehouse, async () => {
    await claimTarget(warehouse, claimOf(source, options, desk))
    await writeQuarantine(warehouse, sourceKey(source), changes)
  })
  return { changes, sealing, moved: 0 }
}

/** What rewriting needs, or SEAL_REFUSED when nothing is sealed. */
export async function openCells({
  project,
  source,
  options,
  desk,
  warehouse,
  sealing,
}: Omit<Sitting, 'options'> & { readonly options: Omit<SettleOptions, 'selection'> }): Promise<Reopening> {
  if (sealing.horizon === null) throw new PlinthError('SEAL_REFUSED', `Nothing of ${sourceKey(source)} is sealed.`)
  const names = namesOf(project)
  const transforms = descendantsOf(project.transforms, sourceKey(source)).filter(hasCells)
  for (const transform of transforms) await prepareTable(warehouse, transform, names)
  return { source, transforms, names, options, desk, warehouse, horizon: sealing.horizon, signer: options.signer }
}

function hoursOf(cells: readonly Quarantined[]): readonly ChangedHour[] {
  return batchOfCells(cells).hours
}
