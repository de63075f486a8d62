/** Before anything commits: the catalog and the counters of rows tell whether something was lost that nobody kept. */
import type { Result } from '../../engines/engine.ts'
import { type Custody, isRedundant, LearnedMore, lose } from './custody.ts'
import { ownColumns, shapeNow } from './shape.ts'
import { archiveSchema } from './store.ts'
import { tableDigest } from './text.ts'
import { withEveryRow } from './visible.ts'
import type { Relation, Trace, Witness } from './witness.ts'

/** Throws LearnedMore when something was, and knows it then. */
export async function assertNothingLost(custody: Custody, after: Witness): Promise<void> {
  const { captured, copied, folded } = custody.knowledge
  const known = captured.size + copied.size + folded.size
  await learnGone(custody, after)
  learnChanged(custody, after)
  if (captured.size + copied.size + folded.size > known) throw new LearnedMore()
}

/** Relations that are gone, as `oid`; columns that are gone or have another type, as `oid.number`. */
export function differences(before: Witness, after: Witness): string[] {
  const found: string[] = []
  for (const [oid, was] of before) {
    const now = after.get(oid)
    if (!now) found.push(String(oid))
    else
      for (const [number, column] of was.columns)
        if (now.columns.get(number)?.type !== column.type)
          found.push(now.columns.has(number) ? `${oid}.${number}.values` : `${oid}.${number}`)
  }
  return found
}

/** Throws LearnedMore when the counters show what nobody captured, or that definitions changed, which takes a whole witness to see. */
export function assertTraced(custody: Custody, before: Trace, after: Trace): void {
  const { knowledge, captures, empty } = custody
  if (!after.counts || after.catalog !== before.catalog) {
    knowledge.definitions = 'changed'
    throw new LearnedMore()
  }
  const known = knowledge.captured.size
  for (const { oid, name, root, updated, deleted } of after.changed) {
    const was = before.changed.find(one => one.oid === oid) ?? { updated: 0, deleted: 0 }
    if (updated === was.updated && deleted === was.deleted) continue
    const capture = captures.find(one => one.oids.includes(oid))
    if (capture && capture.root.key === null && updated > was.updated) lose(custody, 'unproven', withoutKey(name))
    if (!capture && !empty.has(oid)) knowledge.captured.add(root)
  }
  if (knowledge.captured.size > known) throw new LearnedMore()
}

/** Rows changed in place are only seen where the server counts them. */
export async function demandCounters(custody: Custody, counted: Result | undefined): Promise<void> {
  const { session } = custody
  if (counted?.rows[0]?.['on'] === true) return
  try {
    await session.script('savepoint plinth_count; set local track_counts = on; release savepoint plinth_count')
  } catch {
    await session.query('rollback to savepoint plinth_count')
    lose(
      custody,
      'unproven',
      'the server does not count rows (track_counts is off), so changes by functions and triggers cannot be seen',
    )
  }
}

/** Of all rows of a partition tree. */
export async function treeDigest({ session, options }: Custody, root: number): Promise<string> {
  const shape = await shapeNow(session, root, options)
  const names = ownColumns(shape).map(column => column.name)
  return withEveryRow(session, [shape], async () => {
    const { rows } = await session.query<{ rows: string; digest: string }>(tableDigest(`${shape.name} t`, names, 't.'))
    return `${rows[0]?.rows}:${rows[0]?.digest}:${names.length}`
  })
}

/** What the catalog misses now and nobody kept. */
async function learnGone(custody: Custody, after: Witness): Promise<void> {
  const { before, covered, knowledge } = custody
  for (const one of differences(before, after)) {
    const relation = before.get(Number(one.split('.')[0]))
    if (!relation || relation.schema === archiveSchema || isRedundant(custody, relation)) continue
    if (covered.has(one.replace('.values', ''))) continue
    const isTable = !one.includes('.') && relation.kind === 'table'
    if (isTable && relation.size === 0) continue
    if (!one.includes('.') && relation.root !== relation.oid && after.has(relation.root)) {
      const kept = await treeIsWhole(custody, relation.root)
      if (kept !== false) continue
    }
    knowledge.copied.add(one)
  }
}

/** A partition may go without a row: then its tree holds what it held. Undefined when nobody looked before; the next attempt does. */
async function treeIsWhole(custody: Custody, root: number): Promise<boolean | undefined> {
  const { knowledge, digests } = custody
  if (knowledge.folded.has(root) && digests.has(root)) return digests.get(root) === (await treeDigest(custody, root))
  knowledge.folded.add(root)
  return undefined
}

/** What the counters saw changed and nobody captured. */
function learnChanged(custody: Custody, after: Witness): void {
  const { before, captures, whole, covered, knowledge } = custody
  const all = [...captures, ...whole]
  for (const [oid, now] of after) {
    const was = before.get(oid)
    if (!was || was.kind !== 'table' || was.schema === archiveSchema || was.size === 0) continue
    const capture = all.find(one => one.oids.includes(oid))
    if (capture && capture.root.key === null && now.updated > was.updated)
      lose(custody, 'unproven', withoutKey(was.name))
    const isChanged = now.updated > was.updated || now.deleted > was.deleted
    const isRewritten = now.file !== was.file && !covered.has(`${oid}.file`)
    if ((isChanged || isRewritten) && !capture && !wasWatched(custody, was)) knowledge.captured.add(was.root)
  }
}

function withoutKey(name: string): string {
  return `${name} has no key, so its updated rows cannot be told apart`
}

function wasWatched({ knowledge, covered }: Custody, relation: Relation): boolean {
  return knowledge.captured.has(relation.root) || covered.has(String(relation.oid))
}
