/**
 * Sees what a transaction does to rows and definitions: what there is before its first statement, the old rows of whatever its statements, or
 * the code that they call, will change, and what is there after the last one.
 */
import type { Parameterized, Result } from '../../engines/engine.ts'
import type { Statement } from '../../sql/parse.ts'
import { type Capture, captureStop, membersOf, type Reached, reachedBy, startCapture, stillEmpty } from './capture.ts'
import { type Custody, heirsOf, type Knowledge, lose } from './custody.ts'
import { effectOf } from './effects.ts'
import { keepKnown } from './keep-known.ts'
import { askPlainly, plainly } from './plainly.ts'
import { assertNothingLost, assertTraced, demandCounters, treeDigest } from './prove.ts'
import { readShape, shapeAsked } from './shape.ts'
import { archiveSchemaState, schemaStatements } from './store.ts'
import { countsRows, readTrace, readWitness, traced, witnessed } from './witness.ts'

/** True when the step has to be watched: some statement may change data that was there. */
export function mayDestroy(statements: readonly Statement[]): boolean {
  return statements.some(statement => !/^(none|rename)$/.test(effectOf(statement).kind))
}

/** `opening` are statements that come first, such as the transaction's begin. */
export async function watch(
  custody: Custody,
  statements: readonly Statement[],
  opening: readonly Parameterized[],
): Promise<void> {
  const { session, knowledge, digests } = custody
  const reach = reachedBy(
    { names: namesWritten(custody, statements), oids: [...knowledge.captured] },
    changesBy(statements, knowledge),
  )
  const unsent = isAboutRows(statements, knowledge) ? await watchRows(custody, reach, opening) : opening
  if (custody.trace) return
  await plainly(
    session,
    async ({ outside, inside: [counted, seen] }) => {
      await demandCounters(custody, counted)
      custody.before = readWitness(seen)
      await capture(custody, reached(outside.at(-1)?.rows))
      for (const root of knowledge.folded) digests.set(root, await treeDigest(custody, root))
      await keepKnown(custody, knowledge.copied)
    },
    { outside: [...unsent, reach], inside: [countsRows, witnessed] },
  )
}

/** What follows on it while our settings hold: what it was asked, and what is sent last. */
export interface Following<T> {
  readonly asked: readonly Parameterized[]
  readonly work: (answers: readonly Result[], last: Parameterized[]) => Promise<T>
}

/** After the last statement. Throws LearnedMore when something was lost that nobody kept. */
export async function stopWatching<T>(custody: Custody, { asked, work }: Following<T>): Promise<T> {
  const { session, captures, trace } = custody
  // Deferred events are a part of what it did, and would stand in the way of changing a table's triggers.
  const outside = [{ text: 'set constraints all immediate', prepared: true }]
  const stops = captures.map(captureStop)
  if (trace && stops.length + asked.length === 0) {
    const [after] = await askPlainly(session, [traced], outside)
    assertTraced(custody, trace, readTrace(after))
    return work([], [])
  }
  // The triggers go behind the counters, since that changes the catalog, and before a whole look at it.
  const look = trace ? [traced, ...stops] : [...stops, witnessed]
  return plainly(
    session,
    async ({ inside, last }) => {
      if (trace) assertTraced(custody, trace, readTrace(inside[0]))
      else await assertNothingLost(custody, readWitness(inside[stops.length]))
      return work(inside.slice(look.length), last)
    },
    { outside, inside: [...look, ...asked] },
  )
}

/**
 * Where no statement is about definitions the counters are enough. A table without a row is locked, so that nobody else fills it, and needs no
 * triggers then. Answers what it did not send; the custody has no trace where this way is none.
 */
async function watchRows(
  custody: Custody,
  reach: Parameterized,
  opening: readonly Parameterized[],
): Promise<readonly Parameterized[]> {
  const { session } = custody
  const [found, trace] = (await session.send([...opening, reach, traced])).slice(opening.length)
  if (!readTrace(trace).counts) return []
  const roots = reached(found?.rows)
  const empty = roots.filter(root => root.empty)
  if (empty.length > 0) {
    const locks = empty.map(({ name }) => ({ text: `lock table ${name} in share row exclusive mode` }))
    const still = (await session.send([...locks, stillEmpty(empty.map(({ root }) => root))])).at(-1)
    custody.empty = new Set(still?.rows.map(row => Number(row['oid'])))
  }
  const filled = roots.filter(({ root }) => !custody.empty.has(root))
  custody.trace = readTrace(trace)
  if (filled.length === 0) return []
  await plainly(session, () => capture(custody, filled))
  custody.trace = readTrace((await session.send([traced]))[0])
  return []
}

/** Knowing that code changes definitions, or takes something away, it is seen by looking at all of them. */
function isAboutRows(statements: readonly Statement[], { copied, folded, definitions }: Knowledge): boolean {
  if (copied.size + folded.size > 0 || definitions === 'changed') return false
  return statements.every(
    statement =>
      /^(Insert|Update|Delete|Merge|VariableSet)Stmt$/.test(statement.kind) ||
      (statement.kind === 'SelectStmt' && effectOf(statement).kind === 'none'),
  )
}

/** Tables that the file's own words write to. */
function namesWritten(custody: Custody, statements: readonly Statement[]): string[] {
  const names = new Set<string>()
  for (const statement of statements) {
    const effect = effectOf(statement)
    if (effect.kind === 'write') for (const name of effect.tables) names.add(name)
    if (effect.kind === 'beyond') lose(custody, effect.loss, effect.why, statement)
  }
  return [...names]
}

/** Its words alone tell enough: what code deletes beyond them is seen in the counters, and learned. */
function changesBy(statements: readonly Statement[], { captured }: Knowledge): 'updates' | 'updates and deletes' {
  const deletes = statements.some(({ text }) => /\b(delete|merge|truncate)\b/i.test(text))
  return deletes || captured.size > 0 ? 'updates and deletes' : 'updates'
}

/** Keeps the old rows of these tables from now on. */
async function capture(custody: Custody, roots: readonly Reached[]): Promise<void> {
  const { session, writer, options, knowledge } = custody
  if (roots.length === 0) return
  const questions = roots.flatMap(({ root }) => [shapeAsked(root, options), heirsOf([root]), membersOf(root)])
  const [schema, ...answers] = await session.send([archiveSchemaState, ...questions])
  const captures: Capture[] = []
  const statements: Parameterized[] = []
  for (const at of roots.keys()) {
    const [asked, heirs, members] = answers.slice(at * 3)
    const shape = readShape(asked, options)
    if (!shape || shape.bytes === 0) continue
    if (shape.kind === 'r' && (heirs?.rows.length ?? 0) > 1)
      lose(custody, 'unproven', `${shape.name} has heirs, and rows changed through it cannot be told from theirs`)
    // Columns that code takes away in between are kept by themselves, and are not there any more when rows change after that.
    const columns = shape.columns.filter(
      ({ number }) =>
        !knowledge.copied.has(`${shape.oid}.${number}`) && !knowledge.copied.has(`${shape.oid}.${number}.values`),
    )
    const key = shape.key?.every(name => columns.some(column => column.name === name)) ? shape.key : null
    const started = await startCapture(writer, { ...shape, columns, key }, members)
    captures.push(started.capture)
    statements.push(...started.statements)
  }
  if (captures.length > 0) await session.send([...schemaStatements(schema), ...statements])
  custody.captures.push(...captures)
}

function reached(rows: readonly unknown[] = []): readonly Reached[] {
  return rows as readonly Reached[]
}
