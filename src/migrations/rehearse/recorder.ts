/**
 * Watches one session run statements, and says of each what it locked, rewrote, read, wrote, made, altered and dropped. It reads the catalog and the
 * session's own locks and counters, changes nothing, and works on a scratch database as on any other.
 */
import type { Session } from '../../engines/engine.ts'
import {
  lockStrength,
  type LockMode,
  type ObjectChange,
  type RehearsedStatement,
  type RelationLock,
  type RowCounts,
} from '../../schema/rehearsal.ts'
import type { CatalogRows, RelationRow } from './catalog-rows.ts'
import { type KnownObjects, changesOf, knowAll } from './changes.ts'
import {
  type Activity,
  type Counters,
  lookAtActivity,
  lookAtCatalog,
  type Moment,
  nextTransaction,
  prepareLooks,
} from './looks.ts'

export interface Recorder {
  /** Between transactions, before the first statement of a step: what is there now is what others use. */
  beginStep(): Promise<void>
  /** In a transaction that has done nothing yet, or at rest before a statement that runs outside of transactions. */
  begin(moment: Moment): Promise<void>
  /** What was done since the last look. */
  look(): Promise<Seen>
  /** What was begun last was rolled back. */
  forget(): void
  /** The session lost its prepared statements. */
  renew(): Promise<void>
  /** The strongest of these locks on each relation that was there before the step. */
  known(locks: Activity['locks']): RelationLock[]
}

export type Seen = Omit<RehearsedStatement, 'index' | 'durationMs' | 'bare'>

/** `rows` are all that the catalog has, for those who know. */
export async function openRecorder(session: Session, rows?: CatalogRows): Promise<Recorder> {
  await prepareLooks(session)
  let known: Known = knowCatalog(rows ?? (await lookAtCatalog(session, null)))
  let atBegin = known
  let before: ReadonlySet<number> = new Set(known.relations.keys())
  let moment: Moment = 'in transaction'
  let since = await nextTransaction(session)
  let last: Activity = idle
  return {
    async beginStep() {
      before = new Set(known.relations.keys())
    },
    async begin(now) {
      moment = now
      atBegin = known
      since = await nextTransaction(session)
      last = await lookAtActivity(session, now)
    },
    async look() {
      const activity = await lookAtActivity(session, moment)
      const next = await nowKnown(session, known, { moment, since, last, activity })
      const seen = compare({ known, next: next.known, before, last, activity, changes: next.changes })
      known = next.known
      last = activity
      return seen
    },
    forget() {
      known = atBegin
    },
    renew: () => prepareLooks(session),
    known: locks =>
      locksSince(idle, { ...idle, locks }, new Map([...atBegin.relations].filter(([oid]) => before.has(oid)))),
  }
}

const idle: Activity = { locks: [], counters: new Map(), catalogWrites: 0, catalogDrops: 0 }

interface Known {
  readonly objects: KnownObjects
  readonly relations: ReadonlyMap<number, RelationRow>
}

function knowCatalog({ objects, relations }: CatalogRows): Known {
  return { objects: knowAll(objects), relations: new Map(relations.map(relation => [relation.oid, relation])) }
}

interface Look {
  readonly moment: Moment
  readonly since: string
  readonly last: Activity
  readonly activity: Activity
}

/** Most statements change few rows of the catalog or none; all of it is read where something went, or names may have changed. */
async function nowKnown(
  session: Session,
  known: Known,
  { moment, since, last, activity }: Look,
): Promise<{ readonly known: Known; readonly changes: readonly ObjectChange[] }> {
  const inside = moment === 'in transaction'
  if (inside && activity.catalogWrites === last.catalogWrites) return { known, changes: [] }
  const written = await lookAtCatalog(session, since)
  const renamed = written.objects.some(({ key, name }) => (known.objects.get(key)?.name ?? name) !== name)
  const whole = !inside || renamed || activity.catalogDrops !== last.catalogDrops
  const now = whole ? knowCatalog(await lookAtCatalog(session, null)) : { ...merge(known, written) }
  return { known: now, changes: changesOf(known.objects, written.objects, now.objects) }
}

function merge(known: Known, written: CatalogRows): Known {
  const fresh = knowCatalog(written)
  return {
    objects: new Map([...known.objects, ...fresh.objects]),
    relations: new Map([...known.relations, ...fresh.relations]),
  }
}

interface Comparison {
  readonly known: Known
  readonly next: Known
  readonly before: ReadonlySet<number>
  readonly last: Activity
  readonly activity: Activity
  readonly changes: readonly ObjectChange[]
}

function compare({ known, next, before, last, activity, changes }: Comparison): Seen {
  const wasThere = [...known.relations.values()].filter(({ oid }) => before.has(oid))
  const counted = countsSince(last, activity)
  const anew = wasThere.filter(relation => relation.kind !== 'sequence' && isAnew(relation, next))
  const truncated = anew.filter(relation => relation.kind === 'table' && isEmptied(relation, { anew, counted, next }))
  const emptied = new Set(truncated.map(({ oid }) => oid))
  const rewritten = anew.filter(({ oid, table }) => !emptied.has(oid) && !emptied.has(table ?? 0))
  const scanned = wasThere.filter(
    ({ oid, kind }) => kind !== 'index' && !emptied.has(oid) && (counted.get(oid)?.scans ?? 0) > 0,
  )
  return {
    locks: locksSince(last, activity, new Map(wasThere.map(relation => [relation.oid, relation]))),
    rewrites: namesOf(rewritten),
    scans: namesOf(scanned),
    truncates: namesOf(truncated),
    rows: rowsOf(counted, { ...known, relations: new Map([...next.relations, ...known.relations]) }),
    changes,
  }
}

/** An index that was dropped and made again under its name was written anew, unless it took its old file over. */
function isAnew({ oid, name, storage }: RelationRow, { relations }: Known): boolean {
  const now = relations.get(oid) ?? [...relations.values()].find(relation => relation.name === name)
  return now !== undefined && now.storage !== storage && storage !== null
}

/** Nobody read it on the way to its new file, which lies beside the old one: only the indexes that were built again were read for. */
function isEmptied(
  { oid, storage }: RelationRow,
  { anew, counted, next }: { anew: readonly RelationRow[]; counted: ReadonlyMap<number, Counters>; next: Known },
): boolean {
  const indexes = anew.filter(({ table }) => table === oid)
  const reads = (counted.get(oid)?.scans ?? 0) - indexes.length
  const byIndex = [...next.relations.values()].some(
    ({ table, oid: index }) => table === oid && (counted.get(index)?.scans ?? 0) > 0,
  )
  return reads <= 0 && !byIndex && folderOf(storage) === folderOf(next.relations.get(oid)?.storage ?? null)
}

function folderOf(storage: string | null): string {
  return (storage ?? '').replace(/\/[^/]*$/, '')
}

/** The strongest mode of each relation that was not held in that mode before. */
function locksSince(last: Activity, activity: Activity, there: ReadonlyMap<number, RelationRow>): RelationLock[] {
  const held = new Set(last.locks.map(([oid, mode]) => `${oid} ${mode}`))
  const strongest = new Map<number, LockMode>()
  for (const [oid, mode] of activity.locks) {
    const other = strongest.get(oid)
    if (!there.has(oid) || held.has(`${oid} ${mode}`)) continue
    if (other === undefined || lockStrength(mode) > lockStrength(other)) strongest.set(oid, mode)
  }
  return [...strongest]
    .flatMap(([oid, mode]) => {
      const relation = there.get(oid)
      return relation ? [{ relation: relation.name, kind: relation.kind, mode }] : []
    })
    .sort((a, b) => byText(a.relation, b.relation))
}

function countsSince(last: Activity, activity: Activity): Map<number, Counters> {
  const since = new Map<number, Counters>()
  for (const [oid, now] of activity.counters) {
    const then = last.counters.get(oid) ?? { scans: 0, inserted: 0, updated: 0, deleted: 0 }
    since.set(oid, {
      scans: now.scans - then.scans,
      inserted: now.inserted - then.inserted,
      updated: now.updated - then.updated,
      deleted: now.deleted - then.deleted,
    })
  }
  return since
}

function rowsOf(counted: ReadonlyMap<number, Counters>, { relations }: Known): RowCounts[] {
  return [...counted]
    .flatMap(([oid, { inserted, updated, deleted }]) => {
      const relation = relations.get(oid)
      if (relation?.kind !== 'table' || inserted + updated + deleted === 0) return []
      return [{ table: relation.name, inserted, updated, deleted }]
    })
    .sort((a, b) => byText(a.table, b.table))
}

function namesOf(relations: readonly RelationRow[]): string[] {
  return relations.map(({ name }) => name).sort(byText)
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
