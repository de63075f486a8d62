/**
 * Watches one session run statements, and says of each what it locked, rewrote, read, wrote, made, altered and dropped. It reads the catalog and the
 * session's own locks and counters, changes nothing, and works on a scratch database as on any other.
 */
import type { Session, Since } from '../../engines/engine.ts'
import type { Schema } from '../../schema/model.ts'
import {
  lockStrength,
  type LockMode,
  type ObjectChange,
  type RehearsedStatement,
  type RelationLock,
  type RowCounts,
} from '../../schema/rehearsal.ts'
import { type CatalogRows, catalogOfKey, type RelationRow, restlessCatalogs } from './catalog-rows.ts'
import { changesOf } from './changes.ts'
import { type Gone, type Known, knowCatalog } from './known.ts'
import {
  type Activity,
  type Counters,
  keepPlans,
  lookAtActivity,
  lookAtCatalog,
  type Looks,
  type Moment,
  nextTransaction,
  openLooks,
  type Written,
} from './looks.ts'
import { sinceOf } from './touched.ts'

export interface Recorder {
  /** Between transactions, before the first statement of a step: what is there now is what others use. */
  beginStep(): Promise<void>
  /** In a transaction that has done nothing yet, or at rest before a statement that runs outside of transactions. */
  begin(moment: Moment): Promise<void>
  /** What was done since the last look. */
  look(): Promise<Seen>
  /** What has to be read again of the schema that was there when this transaction began; null for everything. */
  since(schema: Schema): Promise<Since | null>
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
  await keepPlans(session)
  const looks = openLooks(session)
  const known = knowCatalog(rows ?? (await lookAtCatalog(session)))
  let before = relationsOf(known)
  let moment: Moment = 'in transaction'
  let since = '3'
  let mark: number | null = null
  let last: Activity = idle
  let begun: Activity = idle
  return {
    async beginStep() {
      before = relationsOf(known)
    },
    async begin(now) {
      moment = now
      known.begin()
      since = await nextTransaction(session)
      mark = null
      last = await lookAtActivity(session, now, before.oidMax)
      begun = last
    },
    async look() {
      const activity = await lookAtActivity(session, moment, before.oidMax)
      const look = { moment, since: { transaction: since, mark }, last, activity }
      const learned = await learn(looks, known, look)
      mark = learned.mark ?? mark
      const seen = compare({ known, learned, before: before.oids, last, activity })
      last = activity
      return seen
    },
    async since(schema) {
      if (moment !== 'in transaction') return null
      const written = [...last.catalogs].flatMap(([name, now]) => {
        const then = begun.catalogs.get(name) ?? { writes: 0, drops: 0 }
        return now.writes === then.writes ? [] : [[name, { drops: now.drops - then.drops }] as const]
      })
      return sinceOf(schema, { catalogs: new Map(written), known, touched: await looks.touched(since) })
    },
    forget: known.goBack,
    renew: () => keepPlans(session),
    known: locks => locksSince(idle, { ...idle, locks }, before.oids, known.relationAtBegin),
  }
}

const idle: Activity = { locks: [], counters: new Map(), catalogs: new Map() }

function relationsOf({ relations }: Known): { readonly oids: ReadonlySet<number>; readonly oidMax: number } {
  let oidMax = 0
  for (const oid of relations.keys()) if (oid > oidMax) oidMax = oid
  return { oids: new Set(relations.keys()), oidMax }
}

interface Look {
  readonly moment: Moment
  readonly since: Parameters<Looks['written']>[0]
  readonly last: Activity
  readonly activity: Activity
}

/** What a look told, after it was learned. */
interface Learned {
  readonly mark: number | null
  readonly changes: readonly ObjectChange[]
  /** Relations that may have changed or are gone, as they were before. */
  readonly was: ReadonlyMap<number, RelationRow>
  /** Those that may have changed, as they are. */
  readonly now: readonly RelationRow[]
}

const nothingLearned: Learned = { mark: null, changes: [], was: new Map(), now: [] }

/** Most statements change few rows of the catalog or none; all of it is read where names may have changed. */
async function learn(looks: Looks, known: Known, { moment, since, last, activity }: Look): Promise<Learned> {
  const inside = moment === 'in transaction'
  const catalogs = new Set(changedSince(last, activity, 'writes'))
  if (inside && catalogs.size === 0) return nothingLearned
  const written = inside ? await looks.written(since, catalogs) : await looks.written(since)
  const renamed = written.objects.some(({ key, name }) => (known.objects.get(key)?.name ?? name) !== name)
  if (!inside || renamed) return learnAll(known, written, await looks.everything())
  const lost =
    changedSince(last, activity, 'drops').some(name => !restless.has(name)) ||
    written.dropped.some(key => known.objects.has(key))
  if (!lost) return learnRows(known, written, written, { objects: [], relations: [] })
  const { objects, relations } = await looks.keys(catalogs)
  const fresh = new Set(written.objects.map(({ key }) => key))
  // Something came into sight that nobody wrote.
  if ([...objects].some(key => !known.objects.has(key) && !fresh.has(key)))
    return learnAll(known, written, await looks.everything())
  const among = (key: string) => catalogs.has(catalogOfKey(key))
  return learnRows(known, written, written, {
    objects: [...known.objects.keys()].filter(key => !objects.has(key) && among(key)),
    relations: catalogs.has('pg_class') ? [...known.relations.keys()].filter(oid => !relations.has(oid)) : [],
  })
}

const restless: ReadonlySet<string> = new Set(restlessCatalogs)

function changedSince(last: Activity, { catalogs }: Activity, what: 'writes' | 'drops'): string[] {
  return [...catalogs].flatMap(([name, counts]) =>
    counts[what] === (last.catalogs.get(name)?.[what] ?? 0) ? [] : [name],
  )
}

function learnAll(known: Known, written: Written, all: CatalogRows): Learned {
  const objects = new Set(all.objects.map(({ key }) => key))
  const relations = new Set(all.relations.map(({ oid }) => oid))
  return learnRows(known, written, all, {
    objects: [...known.objects.keys()].filter(key => !objects.has(key)),
    relations: [...known.relations.keys()].filter(oid => !relations.has(oid)),
  })
}

function learnRows(known: Known, written: Written, fresh: CatalogRows, gone: Gone): Learned {
  const lost = new Set(gone.objects)
  const changed = {
    written: written.objects.flatMap(row => (lost.has(row.key) ? [] : [[row, known.objects.get(row.key)] as const])),
    gone: gone.objects.flatMap(key => known.objects.get(key) ?? []),
  }
  const touched = [...gone.relations, ...fresh.relations.map(({ oid }) => oid)]
  const was = new Map(
    touched.flatMap(oid => {
      const row = known.relations.get(oid)
      return row ? [[oid, row] as const] : []
    }),
  )
  known.learn(fresh, gone)
  return { mark: written.mark, changes: changesOf({ ...changed, stands: known.stands }), was, now: fresh.relations }
}

interface Comparison {
  /** As it is after the statement. */
  readonly known: Known
  readonly learned: Learned
  /** Relations that were there before the step. */
  readonly before: ReadonlySet<number>
  readonly last: Activity
  readonly activity: Activity
}

function compare({ known, learned, before, last, activity }: Comparison): Seen {
  const counted = countsSince(last, activity)
  const wasThere = (oid: number) => learned.was.get(oid) ?? known.relations.get(oid)
  const anew = [...learned.was.values()].filter(
    relation => before.has(relation.oid) && relation.kind !== 'sequence' && isAnew(relation, known, learned),
  )
  const truncated = anew.filter(relation => relation.kind === 'table' && isEmptied(relation, { anew, counted, known }))
  const emptied = new Set(truncated.map(({ oid }) => oid))
  const rewritten = anew.filter(({ oid, table }) => !emptied.has(oid) && !emptied.has(table ?? 0))
  const scanned = [...counted].flatMap(([oid, { scans }]) => {
    const relation = before.has(oid) && !emptied.has(oid) && scans > 0 ? wasThere(oid) : undefined
    return relation && relation.kind !== 'index' ? [relation] : []
  })
  return {
    locks: locksSince(last, activity, before, wasThere),
    rewrites: namesOf(rewritten),
    scans: namesOf(scanned),
    truncates: namesOf(truncated),
    rows: rowsOf(counted, wasThere),
    changes: learned.changes,
  }
}

/** An index that was dropped and made again under its name was written anew, unless it took its old file over. */
function isAnew({ oid, name, storage }: RelationRow, { relations }: Known, { now }: Learned): boolean {
  const next = relations.get(oid) ?? now.find(relation => relation.name === name)
  return next !== undefined && next.storage !== storage && storage !== null
}

/** Nobody read it on the way to its new file, which lies beside the old one: only the indexes that were built again were read for. */
function isEmptied(
  { oid, storage }: RelationRow,
  { anew, counted, known }: { anew: readonly RelationRow[]; counted: ReadonlyMap<number, Counters>; known: Known },
): boolean {
  const indexes = anew.filter(({ table }) => table === oid)
  const reads = (counted.get(oid)?.scans ?? 0) - indexes.length
  const byIndex = [...counted].some(([index, { scans }]) => scans > 0 && known.relations.get(index)?.table === oid)
  return reads <= 0 && !byIndex && folderOf(storage) === folderOf(known.relations.get(oid)?.storage ?? null)
}

function folderOf(storage: string | null): string {
  return (storage ?? '').replace(/\/[^/]*$/, '')
}

/** The strongest mode of each relation that was not held in that mode before. */
function locksSince(
  last: Activity,
  activity: Activity,
  before: ReadonlySet<number>,
  wasThere: (oid: number) => RelationRow | undefined,
): RelationLock[] {
  const held = new Set(last.locks.map(([oid, mode]) => `${oid} ${mode}`))
  const strongest = new Map<number, LockMode>()
  for (const [oid, mode] of activity.locks) {
    const other = strongest.get(oid)
    if (!before.has(oid) || held.has(`${oid} ${mode}`)) continue
    if (other === undefined || lockStrength(mode) > lockStrength(other)) strongest.set(oid, mode)
  }
  return [...strongest]
    .flatMap(([oid, mode]) => {
      const relation = wasThere(oid)
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

function rowsOf(
  counted: ReadonlyMap<number, Counters>,
  wasThere: (oid: number) => RelationRow | undefined,
): RowCounts[] {
  return [...counted]
    .flatMap(([oid, { inserted, updated, deleted }]) => {
      const relation = wasThere(oid)
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
