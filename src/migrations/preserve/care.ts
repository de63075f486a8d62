/**
 * The care of one step: before a statement destroys, what it would destroy is kept; after the step, what its opposite destroyed earlier comes
 * back; and before anything commits, the catalog and the counters of rows tell whether something was lost that nobody kept. In that case the
 * transaction is rolled back and runs again, knowing better.
 */
import type { Parameterized, Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import { addsOnly } from './calm.ts'
import type { LossClass } from './class.ts'
import {
  type CareOptions,
  type Custody,
  type Knowledge,
  knowsNothing,
  LearnedMore,
  lose,
  type Send,
  settle,
  tablesNamed,
} from './custody.ts'
import { effectOf } from './effects.ts'
import { giveBack, kinshipOf, leaveApart, owedArchives, owedObjects, whatWaits } from './give-back.ts'
import { judgeRows, takeImages } from './images.ts'
import { captureWhole, followRename, keepAltered } from './keep-altered.ts'
import { keepDropped } from './keep-dropped.ts'
import { type Restarted, restartNumbers, settleNumbers } from './numbers.ts'
import { plainly } from './plainly.ts'
import { constrains } from './postpone.ts'
import {
  type ArchiveObject,
  archiveRemoval,
  objectsIn,
  objectsOf,
  queryArchives,
  readObjects,
  type RestoreReport,
} from './store.ts'
import { mayDestroy, stopWatching, watch } from './watch.ts'
import { openWriter, type Subject } from './writer.ts'

export { mayDestroy } from './watch.ts'
export { type CareOptions, type Knowledge, knowNothing, LearnedMore, lossNotAccepted } from './custody.ts'

export interface Preserved {
  readonly archiveId: string | null
  readonly restored: readonly RestoreReport[]
  readonly lossClass: LossClass
  /** What could not be kept although it was accepted. */
  readonly losses: readonly string[]
}

/** Of a step that was given care and needed none. */
export const keptNothing: Preserved = { archiveId: null, restored: [], lossClass: 'lossless', losses: [] }

export interface Care {
  /** In a transaction, before its first statement. `opening` are statements that come first, such as its begin. */
  open(opening?: readonly string[]): Promise<void>
  around(statement: Statement, send: Send): Promise<void>
  /** In the same transaction, after its last statement. Throws LearnedMore. */
  close(): Promise<void>
  /**
   * Once for a step, before its first statement: what users wrote since the opposite step ran. Answers what it did not send of `opening`, which
   * are statements that come first.
   */
  begin(opening?: readonly string[]): Promise<readonly string[]>
  /** For a step in one transaction: `close` and `end`. */
  complete(): Promise<Preserved>
  /**
   * Once for a step, in its last transaction: images of what it changed, and everything of the opposite step comes back. `whole` are all statements
   * of a step that had several transactions, perhaps in another process.
   */
  end(whole?: readonly Statement[]): Promise<Preserved>
  /** What a failure of the step's own statements means: perhaps that it runs again with what was learned from it. */
  failedBy(error: unknown): unknown
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
  const fresh = () => ({
    before: new Map(),
    trace: null,
    empty: new Set<number>(),
    captures: [],
    whole: [],
    covered: new Set<string>(),
  })
  const custody: Custody = {
    session,
    subject,
    options,
    knowledge,
    writer,
    losses: [],
    digests: new Map(),
    restarted: [],
    ...fresh(),
  }
  const later: string[] = []
  let isOpen = false
  let isWatched = mayDestroy(statements)
  const close = async () => {
    if (isWatched) await stopWatching(custody, { asked: [], work: async () => undefined })
  }
  const end = async (whole: readonly Statement[] = []) => {
    for (const statement of whole) later.push(...((await whatWaits(custody, statement))?.later ?? []))
    const { preserved, isApart } = await finish(custody, later)
    isOpen = isApart
    return preserved
  }
  return {
    async begin(opening = []) {
      if (options.owed === 'nothing') return opening
      await session.send(opening.map(asStatement))
      await lookBefore(custody)
      if (!subject.resumed && knowledge.numbers === 'again') custody.restarted = await restartAll(custody)
      return []
    },
    async open(opening = []) {
      Object.assign(custody, fresh())
      let first = opening.map(asStatement)
      const question = isWatched && knowsNothing(knowledge) ? addsOnly(statements) : null
      if (question) {
        const [calm] = (await session.send([...first, ...question.asked])).slice(first.length)
        isWatched = !question.isCalm(calm)
        first = []
      }
      if (isWatched) await watch(custody, statements, first)
      else await session.send(first)
    },
    async around(statement, send) {
      const waiting = await keepBefore(custody, statement, send)
      later.push(...waiting)
    },
    close,
    end,
    async complete() {
      const own = writer.id()
      if (isWatched && own !== null && later.length === 0 && options.owed === 'nothing')
        return stopWatching(custody, {
          asked: [objectsOf(own)],
          work: ([objects], last) => imagesOf(custody, { id: own, objects: objectsIn(objects) }, last),
        })
      await close()
      return end()
    },
    leavesOpen: () => isOpen,
    failedBy(error) {
      if (custody.restarted.length === 0 || !asPlinthError(error).sqlState?.startsWith('23')) return error
      knowledge.numbers = 'go on'
      return new LearnedMore()
    },
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

/** For rows that the step inserts again, of which numbers are the keys. */
async function restartAll(custody: Custody): Promise<Restarted[]> {
  const { session, options } = custody
  if (options.writes === 'nothing') return []
  const owed = (await owedObjects(custody)).filter(({ kind }) => kind === 'rows')
  if (owed.length === 0 || (await kinshipOf(custody)) !== 'same') return []
  return plainly(session, () => restartNumbers(session, owed, custody.knowledge.firsts))
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
  const { session, writer, losses } = custody
  let isApart = false
  const preserved = (archiveId: string | null, restored: readonly RestoreReport[]) => {
    return { preserved: told(losses, archiveId, restored), isApart }
  }
  const owed = await owedObjects(custody)
  const own = writer.id() ?? (await resumedArchive(custody))
  if (owed.length === 0 && own === null) return preserved(null, [])
  return plainly(session, async ({ last }) => {
    const settled = await settleNumbers(session, custody.restarted, custody.options)
    if (settled !== 'the same') throw learnNumbers(custody, settled)
    await settle(custody)
    isApart = await leaveApart(custody, owed, { later, own })
    const reports = isApart ? [] : await giveBack(custody, owed)
    for (const statement of later) await session.script(statement)
    if (own === null) return preserved(null, reports)
    // What is back is as it was before the opposite step, so that images tell this step's own effect.
    const { archiveId } = await imagesOf(custody, { id: own, objects: await readObjects(session, own) }, last)
    return preserved(archiveId, reports)
  })
}

/** Once more with what was found, and then no more. */
function learnNumbers({ knowledge }: Custody, firsts: ReadonlyMap<string, string>): LearnedMore {
  if (firsts.size === 0 || knowledge.firsts.size > 0) knowledge.numbers = 'go on'
  knowledge.firsts = firsts
  return new LearnedMore()
}

/** Images of what it changed; an archive that holds nothing goes. */
async function imagesOf(
  { session, options, captures, trace, losses }: Custody,
  archive: { readonly id: string; readonly objects: readonly ArchiveObject[] },
  last: Parameterized[],
): Promise<Preserved> {
  // Where no definition changed, those are what they were.
  const shapes = new Map(trace ? captures.map(({ root }) => [root.name, root] as const) : [])
  const left = await takeImages(session, archive.objects, { ...options, shapes })
  if (left === 0) last.push(archiveRemoval(archive.id))
  return told(losses, left === 0 ? null : archive.id, [])
}

function told(losses: readonly string[], archiveId: string | null, restored: readonly RestoreReport[]): Preserved {
  return { archiveId, restored, lossClass: losses.length > 0 ? 'unproven' : 'lossless', losses }
}

function asStatement(text: string): Parameterized {
  return { text, prepared: true }
}

async function resumedArchive({ session, subject }: Custody): Promise<string | null> {
  if (!subject.resumed) return null
  const { track, version, direction } = subject
  const kept = await queryArchives(session, { track, version, direction, statuses: ['kept'] })
  return kept.at(-1)?.id ?? null
}
