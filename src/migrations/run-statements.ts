/**
 * A step statement by statement. Its row is written first, and its cursor moves in the transaction of each part, so that a crash leaves
 * nothing uncounted. Only a statement that runs outside any transaction can be done and uncounted; see recover.ts for those.
 */
import { withFence, withTransaction } from '../engines/brackets.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import { refuseUnkeyed, runBackfill } from './backfill/run.ts'
import { isBatchable } from './backfill/shape.ts'
import type { CheckReport } from './checks.ts'
import { openNode, textOf } from '../sql/tree.ts'
import type { Statement } from '../sql/parse.ts'
import { fileOf, opening, type StepContext, timeouts, type Work } from './context.ts'
import { finishAttempt, insertAttempt, moveCursor, noteBefore, type Outcome, prefixHash } from './history.ts'
import { composeMessage, type Message, placeFailure } from './message.ts'
import { cancellable, withLockRetries, withTimeLimit } from './patience.ts'
import { type Care, knowNothing, type Knowledge, type Preserved } from './preserve/care.ts'
import { careOf, classAfter, insteadOf, learning, type Part, sendWatched } from './preserve/step.ts'
import { prepareBare } from './recover.ts'
import { runChecks } from './run-checks.ts'
import { completeRestores, prepareRestores } from './run-restore.ts'
import { type Segment, segmentsOf } from './segments.ts'
import { StatementTally } from './tally.ts'

/** Throws the located error; the row is failed then, with its cursor at what is done. */
export async function runStatements(context: StepContext): Promise<Work> {
  const { session, step, script, origin, emit, clock } = context
  refuseSettingsOfBare(context)
  const id = context.newId()
  const started = performance.now()
  let rows = 0
  const checks: CheckReport[] = []
  let preserved: Preserved | null = null
  const outcome = (error?: PlinthError): Outcome => ({
    finishedAt: new Date(clock.now()).toISOString(),
    durationMs: performance.now() - started,
    rows,
    tables: step.tables,
    errorCode: error?.code,
    sqlState: error?.sqlState,
    errorLine: error?.at?.line,
    checks,
    lossClass: classAfter(step, preserved),
    preserved,
  })
  // What was begun is finished, whatever holds by now of the world before it.
  if (!context.resumes) checks.push(...(await runChecks(context, 'before', 'in its own transaction')))
  await refuseUnkeyed(context)
  await openAttempt(context, id)
  if (step.cursor > 0 || context.resumes)
    emit({
      type: 'step.resumed',
      track: origin.track,
      version: step.version,
      direction: step.direction,
      cursor: step.cursor,
    })
  try {
    const back = context.preserve?.underWay.has(step.version) ? await completeRestores(context) : []
    await beginCarefully(context)
    await repeatSettings(context)
    for (const segment of segmentsOf(script)) {
      if (segment.next <= step.cursor) continue
      // Batches wait and retry each for itself: the whole would begin again where this attempt found it.
      const batched = inBatches(context, segment)
      rows += batched
        ? await runBatches(context, id, batched)
        : await withLockRetries(context, () => learning(context, known => runSegment(context, id, segment, known)))
    }
    await resetSession(context)
    checks.push(...(await runChecks(context, 'after', 'in its own transaction')))
    const reached = step.direction === 'up' ? 'applied' : 'rolled_back'
    const care = careOf(context, [], { knowledge: knowNothing(), mode: 'statement-wise' })
    if (care) {
      await prepareRestores(context)
      await inOneTransaction(context, async () => {
        const { restored, ...rest } = await care.end(script.statements)
        preserved = { ...rest, restored: [...back, ...restored] }
        if (!care.leavesOpen()) await finishAttempt(session, id, reached, outcome())
      })
      if (care.leavesOpen()) preserved = await bringBack(context, preserved)
      if (care.leavesOpen())
        await withFence(session, context.held, () => finishAttempt(session, id, reached, outcome()))
    } else await withFence(session, context.held, () => finishAttempt(session, id, reached, outcome()))
    return { rows, checks, preserved }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    await resetSession(context).catch(() => undefined)
    const failed = () => finishAttempt(session, id, 'failed', outcome(error))
    await withFence(session, context.held, failed).catch(() => undefined)
    throw error
  }
}

async function bringBack(context: StepContext, preserved: Preserved | null): Promise<Preserved | null> {
  const restored = await completeRestores(context)
  return preserved && { ...preserved, restored: [...preserved.restored, ...restored] }
}

/** The attempt that this one goes on from was interrupted, which its row may not say yet. */
async function openAttempt(
  { session, step, script, origin, resumes, clock, upSql, downSql, held }: StepContext,
  id: string,
): Promise<void> {
  const startedAt = new Date(clock.now()).toISOString()
  await withTransaction(session, async () => {
    if (resumes && resumes.status !== 'failed') {
      await finishAttempt(session, resumes.id, 'failed', {
        finishedAt: startedAt,
        durationMs: 0,
        rows: 0,
        tables: [],
        errorCode: 'INTERRUPTED',
      })
    }
    await insertAttempt(session, origin, {
      id,
      version: step.version,
      slug: step.slug,
      direction: step.direction,
      status: step.direction === 'up' ? 'applying' : 'rolling_back',
      mode: 'statement-wise',
      upChecksum: step.upChecksum,
      downChecksum: step.downChecksum,
      upSql,
      downSql,
      statementsTotal: script.statements.length,
      cursor: step.cursor,
      prefixHash: step.cursor > 0 ? prefixHash(script.statements, step.cursor) : null,
      startedAt,
    })
    if (resumes && resumes.note !== null) await noteBefore(session, id, resumes.note)
    await held.fence(session)
  })
}

/** A new session knows nothing of the `set` statements that an earlier attempt ran. */
async function repeatSettings({ session, step, script }: StepContext): Promise<void> {
  if (session.pooled) return
  for (const statement of script.statements.slice(0, step.cursor))
    if (statement.setsSession) await session.script(statement.text)
}

function inBatches({ step }: StepContext, { kind, statements }: Segment): Statement | undefined {
  return kind === 'single' && step.directives.batch !== null ? statements.find(isBatchable) : undefined
}

async function runBatches(context: StepContext, id: string, statement: Statement): Promise<number> {
  const { session, script } = context
  const own = async () => {
    for (const setting of ownRole(context)) await session.script(setting)
  }
  return runBackfill(context, {
    statement,
    keep: async cursor => {
      await own()
      await noteBefore(session, id, { backfill: cursor })
      await context.held.fence(session)
    },
    finish: async () => {
      await own()
      await moveCursor(session, id, statement.index + 1, prefixHash(script.statements, statement.index + 1))
      await context.held.fence(session)
    },
  })
}

async function runSegment(context: StepContext, id: string, segment: Segment, knowledge: Knowledge): Promise<number> {
  if (segment.kind === 'bare') return runBare(context, id, segment)
  if (segment.kind === 'nothing') {
    await count(context, id, segment.next)
    return 0
  }
  return inTransaction(context, id, segment, knowledge)
}

/** The cursor moves last before the commit, so that nothing is between. */
async function inTransaction(
  context: StepContext,
  id: string,
  segment: Segment,
  knowledge: Knowledge,
): Promise<number> {
  const { session, script } = context
  const begin = segment.begin?.text ?? 'begin'
  const end = segment.end?.text ?? 'commit'
  const head = [...opening(context, begin), ...settingsBefore(context, segment)]
  const tail = [...(session.pooled ? context.reset : ownRole(context)), ...timeouts(context, 'set local')]
  const care = careOf(context, segment.statements, { knowledge, mode: 'statement-wise' })
  const keeps = segment.end?.control !== 'rollback'
  try {
    const rows = await (care
      ? sendGuarded(context, care, { segment, head, tail })
      : sendWhole(context, { segment, head, tail }))
    if (keeps) await moveCursor(session, id, segment.next, prefixHash(script.statements, segment.next))
    await context.held.fence(session)
    await session.query(end)
    if (!keeps) await count(context, id, segment.next)
    return keeps ? rows : 0
  } catch (error) {
    await session.query('rollback').catch(() => undefined)
    throw error
  }
}

interface Bracketed {
  readonly segment: Segment
  readonly head: readonly string[]
  readonly tail: readonly string[]
}

async function sendWhole(context: StepContext, { segment, head, tail }: Bracketed): Promise<number> {
  return send(context, composeMessage(context.script, segment.statements, { before: head, after: tail }))
}

async function sendGuarded(context: StepContext, care: Care, { segment, head, tail }: Bracketed): Promise<number> {
  const { session, script } = context
  let rows = 0
  const sendOne = async ({ statements, text }: Part) => {
    const message = composeMessage(insteadOf(script, statements, text), statements, { before: [], after: [] })
    rows += await send(context, message)
  }
  await sendWatched(care, segment.statements, sendOne, head)
  await session.script(tail.join(';\n'))
  return rows
}

/**
 * What the opposite step left is looked at before anything changes it. A step that goes on did that already, unless it died between its row
 * and this look; then it has no statement, batch or note behind it.
 */
async function beginCarefully(context: StepContext): Promise<void> {
  const began = context.step.cursor > 0 || (context.resumes?.note ?? null) !== null
  const care = began ? null : careOf(context, [], { knowledge: knowNothing(), mode: 'statement-wise' })
  if (care) await inOneTransaction(context, () => care.begin())
}

async function inOneTransaction(context: StepContext, work: () => Promise<unknown>): Promise<void> {
  const { session, held } = context
  await cancellable(context, () =>
    withLockRetries(context, () =>
      withTransaction(session, async () => {
        for (const setting of timeouts(context, 'set local')) await session.script(setting)
        await work()
        await held.fence(session)
      }),
    ),
  )
}

async function runBare(context: StepContext, id: string, segment: Segment): Promise<number> {
  const { session, script } = context
  const [statement] = segment.statements
  if (!statement) return 0
  const prepared = await prepareBare({ ...context, statement })
  if (prepared.action === 'done') {
    await count(context, id, segment.next)
    return 0
  }
  await asOwner(context, () => noteBefore(session, id, prepared.note))
  // What is built concurrently waits without standing in anybody's way, and giving up would throw its work away.
  const waiting = statement.concurrentIndex ? { ...context.waiting, lockTimeoutMs: 0 } : context.waiting
  if (!session.pooled) for (const setting of timeouts({ ...context, waiting }, 'set')) await session.script(setting)
  const message = composeMessage(script, [statement], { before: [], after: [] })
  const rows = await (session.pooled
    ? withTimeLimit(context, limited => send(limited, message, prepared.text))
    : send(context, message, prepared.text))
  await count(context, id, segment.next)
  return rows
}

/** `text` stands in for the message's own where the way to the goal is another one by now. */
async function send(context: StepContext, message: Message, text = message.text): Promise<number> {
  const tally = new StatementTally(context, message, context.clock.now())
  try {
    await cancellable(context, () => context.session.script(text, tally.count))
    return tally.rows
  } catch (error) {
    throw placeFailure(asPlinthError(error), {
      message,
      answered: tally.answered,
      script: context.script,
      file: fileOf(context.step),
    })
  }
}

async function count(context: StepContext, id: string, cursor: number): Promise<void> {
  const { session, script } = context
  await asOwner(context, () => moveCursor(session, id, cursor, prefixHash(script.statements, cursor)))
}

async function asOwner(context: StepContext, work: () => Promise<void>): Promise<void> {
  const { session } = context
  await withTransaction(session, async () => {
    for (const statement of ownRole(context)) await session.script(statement)
    await work()
    await context.held.fence(session)
  })
}

/** A file that takes another role may not be allowed to write the history under it; the file's role returns with the commit. */
function ownRole({ script }: StepContext): string[] {
  return script.statements.some(takesRole)
    ? ['set local session_authorization to default', 'set local role to default']
    : []
}

function takesRole({ tree }: Statement): boolean {
  const [kind, fields] = openNode(tree)
  return kind === 'VariableSetStmt' && /^(role|session_authorization)$/.test(textOf(fields, 'name'))
}

/** Behind a pooler every transaction begins anew, with what the file set before it. */
function settingsBefore({ session, script }: StepContext, segment: Segment): string[] {
  if (!session.pooled) return []
  const first = segment.statements[0]?.index ?? 0
  return script.statements.filter(one => one.setsSession && one.index < first).map(one => one.text)
}

/**
 * What a file sets would stay with whichever server process took it, and a statement outside the file's transactions, or a batch of one, may get
 * another one.
 */
function refuseSettingsOfBare({ session, script, step }: StepContext): void {
  const alone = (one: Statement) => one.bare || (step.directives.batch !== null && isBatchable(one))
  const bare = session.pooled ? script.statements.findLast(alone) : undefined
  const setting = bare && script.statements.find(one => one.setsSession && !one.bare && one.index < bare.index)
  if (!setting) return
  throw new PlinthError(
    'SQL_UNSUPPORTED',
    `"${setting.summary}" cannot hold for "${bare.summary}" behind a connection pooler, which may give it another server process.`,
    {
      at: { file: fileOf(step), line: setting.line, source: script.text },
      hint: 'Qualify the names instead, or give the URL of the server itself.',
    },
  )
}

async function resetSession({ session, reset }: StepContext): Promise<void> {
  if (session.pooled) return
  await session.script(reset.join(';\n'))
}
