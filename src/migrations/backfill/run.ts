/**
 * Runs a statement in batches along a key. Each batch is a transaction of its own that also moves the cursor, so that a run that dies at any
 * moment goes on behind its last batch, and no row is done twice.
 *
 * Beside other writers: a batch locks only the rows it changes, for as long as it lasts, and reads each as its last writer left it. Rows that
 * come in behind the cursor, or after the last batch, are not seen: give new rows their value by a default or a trigger, and prove the end by a
 * check.
 */
import { asPlinthError, PlinthError } from '../../errors.ts'
import type { Statement } from '../../sql/parse.ts'
import { fileOf, type StepContext, timeouts } from '../context.ts'
import { label } from '../migration.ts'
import { cancellable, refuseInterrupted, withLockRetries } from '../patience.ts'
import { type BatchCursor, cursorFor } from './cursor.ts'
import { type Keeper, openKeeper } from './keep.ts'
import { countRows, readKey, type TableKey } from './key.ts'
import { pacer, passing } from './pace.ts'
import { type Batches, rewrite } from './rewrite.ts'
import { driverOf, isBatchable } from './shape.ts'

export interface Backfill {
  readonly statement: Statement
  /** Writes the cursor down, in the open transaction. */
  readonly keep: (cursor: BatchCursor) => Promise<void>
  /** Counts the whole statement as done, in the open transaction. */
  readonly finish: () => Promise<void>
}

/** Answers the rows that it changed, those of an earlier attempt left out. Throws BACKFILL_UNSUPPORTED before the first batch. */
export async function runBackfill(context: StepContext, { statement, keep, finish }: Backfill): Promise<number> {
  const { session, step, emit, clock } = context
  const key = await keyOf(context, statement)
  const size = step.directives.batch ?? 1000
  const expected = await countRows(session, driverOf(statement)?.table ?? '')
  const batches = await rewrite(statement, key.columns, size)
  const keeper = await openKeeper(context, batches)
  const startedAtMs = clock.now()
  const started = performance.now()
  const before = cursorFor(statement, context.resumes?.note)
  let cursor = before
  const pace = pacer(context)
  const tell = () => {
    const total = Math.max(expected, cursor.seen)
    emit({ type: 'progress', task: `backfill ${batches.driver.name}`, done: cursor.seen, total, unit: 'rows' })
  }
  tell()
  for (let isLast = false; !isLast; ) {
    const from = cursor
    const batch = { statement, batches, keeper, size, cursor: from, keep, finish }
    const done = await withLockRetries(context, () => oneBatch(context, batch), passing)
    cursor = done.cursor
    isLast = done.isLast
    tell()
    if (!isLast) await pace()
  }
  const rows = cursor.changed - before.changed
  emit({
    type: 'statement.finished',
    version: step.version,
    index: statement.index,
    line: statement.line,
    summary: statement.summary,
    rows,
    durationMs: performance.now() - started,
    startedAtMs,
  })
  return rows
}

/** Asks for the key of every statement whose table is there, before the step begins. Throws BACKFILL_UNSUPPORTED. */
export async function refuseUnkeyed(context: StepContext): Promise<void> {
  const { session, step, script } = context
  if (step.directives.batch === null) return
  for (const statement of script.statements.slice(step.cursor).filter(isBatchable)) {
    const driver = driverOf(statement)
    const { rows } = await session.query<{ known: boolean }>('select to_regclass($1) is not null as known', [
      driver?.table ?? '',
    ])
    if (rows[0]?.known) await keyOf(context, statement)
  }
}

async function keyOf({ session, step, script }: StepContext, statement: Statement): Promise<TableKey> {
  const driver = driverOf(statement)
  const refuse = (why: string, hint: string) =>
    new PlinthError('BACKFILL_UNSUPPORTED', `"${statement.summary}" of ${label(step)} cannot run in batches: ${why}.`, {
      at: { file: fileOf(step), line: statement.line, source: script.text },
      hint,
    })
  const key = driver ? await readKey(session, driver.table) : null
  if (!driver || !key) {
    throw refuse(
      `${driver?.name ?? 'its table'} has no primary key, and no unique index over columns that are never null`,
      'Give the table a key first, or run the statement whole: take "batch" out of the head.',
    )
  }
  const moved = key.names.find(name => driver.sets.includes(name))
  if (moved === undefined) return key
  throw refuse(`it changes "${moved}", which orders its batches`, 'Run it whole: take "batch" out of the head.')
}

interface OneBatch extends Backfill {
  readonly batches: Batches
  readonly keeper: Keeper | null
  readonly size: number
  readonly cursor: BatchCursor
}

interface Done {
  readonly cursor: BatchCursor
  readonly isLast: boolean
}

/** The last one also counts the statement as done. */
async function oneBatch(context: StepContext, batch: OneBatch): Promise<Done> {
  const { session } = context
  try {
    refuseInterrupted(context.signal)
    await session.script(['begin', ...timeouts(context, 'set local')].join(';\n'))
    const done = await cancellable(context, () => nextBatch(context, batch))
    await batch.keep(done.cursor)
    if (done.isLast) await batch.finish()
    await session.query('commit')
    return done
  } catch (error) {
    await session.query('rollback').catch(() => undefined)
    throw locate(context, batch.statement, error)
  }
}

/** A batch that is not full has reached the end: following rows that others append meanwhile might never end. */
async function nextBatch({ session }: StepContext, { batches, keeper, size, cursor }: OneBatch): Promise<Done> {
  const range = await session.query<Record<string, string> & { readonly seen: number }>(
    cursor.key ? batches.laterRange : batches.firstRange,
    cursor.key ?? [],
  )
  const [found] = range.rows
  if (!found) return { cursor, isLast: true }
  const last = batches.key.map((_, at) => found[`key_${at}`] ?? '')
  await keeper?.keep(last, cursor.key ?? [])
  const { rowCount } = await session.query(cursor.key ? batches.later : batches.first, [...last, ...(cursor.key ?? [])])
  const { seen, changed } = cursor
  return {
    cursor: { ...cursor, key: last, seen: seen + found.seen, changed: changed + rowCount, batches: cursor.batches + 1 },
    isLast: found.seen < size,
  }
}

/** Errors of a batch point to the statement in its file. */
function locate(context: StepContext, statement: Statement, thrown: unknown): PlinthError {
  const error = asPlinthError(thrown)
  const at = { file: fileOf(context.step), line: statement.line, column: statement.column, source: context.script.text }
  const { code, message, hint, sqlState, details } = error
  return new PlinthError(code, message, { at, hint, sqlState, details, cause: error })
}
