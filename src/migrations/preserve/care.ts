/**
 * The care of one step: before a statement destroys, what it would destroy is kept; after the step, what its opposite destroyed earlier comes
 * back; and before anything commits, the catalog and the counters of rows tell whether something was lost that nobody kept. In that case the
 * transaction is rolled back and runs again, knowing better.
 */
import type { Session } from '../../engines/engine.ts'
import type { Statement } from '../../sql/parse.ts'
import { onlyAddsRows } from './calm.ts'
import { followers, startCapture, stopCapture } from './capture.ts'
import type { LossClass } from './class.ts'
import {
  type CareOptions,
  type Custody,
  type Knowledge,
  knowsNothing,
  lose,
  type Send,
  settle,
  tablesNamed,
  withHeirs,
} from './custody.ts'
import { effectOf } from './effects.ts'
import { giveBack, leaveApart, owedArchives, owedObjects, whatWaits } from './give-back.ts'
import { judgeRows, takeImages } from './images.ts'
import { captureWhole, followRename, keepAltered } from './keep-altered.ts'
import { keepDropped } from './keep-dropped.ts'
import { keepKnown } from './keep-known.ts'
import { plainly } from './plainly.ts'
import { constrains } from './postpone.ts'
import { assertNothingLost, demandCounters, treeDigest } from './prove.ts'
import { shapeOf } from './shape.ts'
import { queryArchives, readObjects, removeArchive, type RestoreReport } from './store.ts'
import { witness } from './witness.ts'
import { openWriter, type Subject } from './writer.ts'

export { type CareOptions, type Knowledge, knowNothing, LearnedMore, lossNotAccepted } from './custody.ts'

export interface Preserved {
  readonly archiveId: string | null
  readonly restored: readonly RestoreReport[]
  readonly lossClass: LossClass
  /** What could not be kept although it was accepted. */
  readonly losses: readonly string[]
}

export interface Care {
  /** In a transaction, before its first statement. */
  open(): Promise<void>
  around(statement: Statement, send: Send): Promise<void>
  /** In the same transaction, after its last statement. Throws LearnedMore. */
  close(): Promise<void>
  /** Once for a step, before its first statement: what users wrote since the opposite step ran. */
  begin(): Promise<void>
  /**
   * Once for a step, in its last transaction: images of what it changed, and everything of the opposite step comes back. `whole` are all statements
   * of a step that had several transactions, perhaps in another process.
   */
  end(whole?: readonly Statement[]): Promise<Preserved>
  /** After `end`: some columns come back in batches, behind the transaction that it was in. */
  leavesOpen(): boolean
}

export interface CareInput {
  /** Those of the transaction. */
  readonly statements: readonly Statement[]
  readonly knowledge: Knowledge
  readonly options: CareOptions
}

export function openCare(session: Session, subject: Subject, { statements, knowledge, options }: CareInput): Care {
  const writer = openWriter(session, subject, options)
  const nothingYet = { before: new Map(), captures: [], whole: [], covered: new Set<string>(), digests: new Map() }
  const custody: Custody = { session, subject, options, knowledge, writer, losses: [], ...nothingYet }
  const later: string[] = []
  let isOpen = false
  let isWatched = mayDestroy(statements)
  return {
    begin: () => lookBefore(custody),
    async open() {
      Object.assign(custody, { captures: [], whole: [], covered: new Set() })
      if (isWatched && knowsNothing(knowledge)) isWatched = !(await onlyAddsRows(session, statements))
      if (isWatched) await watch(custody, statements)
    },
    async around(statement, send) {
      const waiting = await keepBefore(custody, statement, send)
      later.push(...waiting)
    },
    async close() {
      if (!isWatched) return
      await plainly(session, async () => {
        await settle(custody)
        for (const capture of custody.captures) await stopCapture(session, capture)
        await assertNothingLost(custody, await witness(session))
      })
    },
    async end(whole = []) {
      for (const statement of whole) later.push(...((await whatWaits(custody, statement))?.later ?? []))
      const { preserved, isApart } = await finish(custody, later)
      isOpen = isApart
      return preserved
    },
    leavesOpen: () => isOpen,
  }
}

/** Statements that are sent one by one, since the catalog is asked before them. */
export function needsRoom(statement: Statement): boolean {
  const effect = effectOf(statement)
  return (
    /^(drop|alter|rename)$/.test(effect.kind) ||
    (effect.kind === 'write' && effect.empties) ||
    constrains(statement) !== null
  )
}

/** True when the step has to be watched: some statement may change data that was there. */
export function mayDestroy(statements: readonly Statement[]): boolean {
  return statements.some(statement => !/^(none|rename)$/.test(effectOf(statement).kind))
}

/** False when its statements make and change definitions alone. */
export function writesRows(statements: readonly Statement[]): boolean {
  return statements.some(statement => /^(write|observed|beyond)$/.test(effectOf(statement).kind))
}

async function lookBefore(custody: Custody): Promise<void> {
  const { session, options } = custody
  for (const { id, status } of await owedArchives(custody))
    if (status === 'purged')
      lose(custody, 'irreversible', `the archive ${id}, which holds what it would bring back, was purged`)
  if ((await owedObjects(custody)).length === 0) return
  await plainly(session, async () => {
    // A step that stopped half-way took no images: what is there now counts as its own work.
    await takeImages(session, await owedObjects(custody), options)
    await judgeRows(session, await owedObjects(custody), options.policy, options)
  })
}

/** Sees what is there, and keeps the old rows of whatever its statements, or the code that they call, will change. */
async function watch(custody: Custody, statements: readonly Statement[]): Promise<void> {
  const { session, knowledge, digests } = custody
  const targets = await targetsOf(custody, statements)
  await plainly(session, async () => {
    await demandCounters(custody)
    custody.before = await witness(session)
    const roots = new Set<number>()
    for (const oid of await followers(session, [...targets, ...knowledge.captured], changesBy(statements, knowledge)))
      roots.add(custody.before.get(oid)?.root ?? oid)
    for (const root of roots) await capture(custody, root)
    for (const root of knowledge.folded) digests.set(root, await treeDigest(custody, root))
    await keepKnown(custody, knowledge.copied)
  })
}

/** Tables that the file's own words write to, as far as they are there already and can be told by name. */
async function targetsOf(custody: Custody, statements: readonly Statement[]): Promise<number[]> {
  const names = new Set<string>()
  for (const statement of statements) {
    const effect = effectOf(statement)
    if (effect.kind === 'write') for (const name of effect.tables) names.add(name)
    if (effect.kind === 'beyond') lose(custody, effect.loss, effect.why, statement)
  }
  return tablesNamed(custody, [...names])
}

/** Its words alone tell enough: what code deletes beyond them is seen in the counters, and learned. */
function changesBy(statements: readonly Statement[], { captured }: Knowledge): 'updates' | 'updates and deletes' {
  const deletes = statements.some(({ text }) => /\b(delete|merge|truncate)\b/i.test(text))
  return deletes || captured.size > 0 ? 'updates and deletes' : 'updates'
}

async function capture(custody: Custody, oid: number): Promise<void> {
  const { session, writer, options, before, knowledge } = custody
  const shape = await shapeOf(session, oid, options)
  if (!shape || shape.bytes === 0 || !before.has(oid)) return
  if (shape.kind === 'r' && (await withHeirs(custody, oid)).length > 1)
    lose(custody, 'unproven', `${shape.name} has heirs, and rows changed through it cannot be told from theirs`)
  // Columns that code takes away in between are kept by themselves, and are not there any more when rows change after that.
  const columns = shape.columns.filter(
    ({ number }) => !knowledge.copied.has(`${oid}.${number}`) && !knowledge.copied.has(`${oid}.${number}.values`),
  )
  const key = shape.key?.every(name => columns.some(column => column.name === name)) ? shape.key : null
  custody.captures.push(await startCapture(session, writer, { ...shape, columns, key }))
}

/** Answers what has to run after the rows are back. */
async function keepBefore(custody: Custody, statement: Statement, send: Send): Promise<readonly string[]> {
  const effect = effectOf(statement)
  if (effect.kind === 'beyond') lose(custody, effect.loss, effect.why, statement)
  if (effect.kind === 'drop') {
    await keepDropped(custody, statement, effect, send)
    return []
  }
  if (effect.kind === 'alter') await keepAltered(custody, effect)
  if (effect.kind === 'write' && effect.empties) await captureWhole(custody, await tablesNamed(custody, effect.tables))
  if (effect.kind === 'rename') {
    const [oid] = await tablesNamed(custody, [effect.table])
    await send()
    await followRename(custody, oid, effect)
    return []
  }
  const waiting = await whatWaits(custody, statement)
  if (waiting === null) await send()
  else if (waiting.text !== '') await send(waiting.text)
  return waiting?.later ?? []
}

async function finish(
  custody: Custody,
  later: readonly string[],
): Promise<{ readonly preserved: Preserved; readonly isApart: boolean }> {
  const { session, writer, options, losses } = custody
  let isApart = false
  const preserved = (archiveId: string | null, restored: readonly RestoreReport[]) => {
    const lossClass = losses.length > 0 ? 'unproven' : 'lossless'
    return { preserved: { archiveId, restored, lossClass, losses } as const, isApart }
  }
  const owed = await owedObjects(custody)
  const own = writer.id() ?? (await resumedArchive(custody))
  if (owed.length === 0 && own === null) return preserved(null, [])
  return plainly(session, async () => {
    await settle(custody)
    isApart = await leaveApart(custody, owed, { later, own })
    const reports = isApart ? [] : await giveBack(custody, owed)
    for (const statement of later) await session.script(statement)
    if (own === null) return preserved(null, reports)
    // What is back is as it was before the opposite step, so that images tell this step's own effect.
    await takeImages(session, await readObjects(session, own), options)
    const isEmpty = (await readObjects(session, own)).length === 0
    if (isEmpty) await removeArchive(session, own)
    return preserved(isEmpty ? null : own, reports)
  })
}

async function resumedArchive({ session, subject }: Custody): Promise<string | null> {
  if (!subject.resumed) return null
  const { track, version, direction } = subject
  const kept = await queryArchives(session, { track, version, direction, statuses: ['kept'] })
  return kept.at(-1)?.id ?? null
}
