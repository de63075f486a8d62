/** How a step asks for care: whether it needs any, and again with what the first try learned. */
import type { Script, Statement } from '../../sql/parse.ts'
import { hasChanged } from '../checksum.ts'
import type { StepContext } from '../context.ts'
import type { MigrationFile } from '../migration.ts'
import type { Step } from '../plan.ts'
import {
  type Care,
  type Knowledge,
  knowNothing,
  LearnedMore,
  lossNotAccepted,
  mayDestroy,
  needsRoom,
  openCare,
  type Preserved,
  writesRows,
} from './care.ts'
import { type LossClass, needsAcceptance, worse } from './class.ts'
import { isAccepted, type PreserveRequest } from './options.ts'

/** Before a run begins. Throws LOSS_NOT_ACCEPTED for the first step that would lose for good and was not accepted by name. */
export function refuseLoss(steps: readonly Step[], request: PreserveRequest | 'off' = {}): void {
  if (request === 'off') return
  for (const step of steps) {
    const { lossClass, losses, version } = step
    if (lossClass === null || !needsAcceptance({ lossClass, reasons: losses })) continue
    if (!isAccepted(request.acceptLoss ?? [], version)) throw lossNotAccepted(step, losses, lossClass)
  }
}

/** Null when the step changes no data that was there and nothing waits for it. */
export function careOf(
  context: StepContext,
  statements: readonly Statement[],
  { knowledge, mode }: { readonly knowledge: Knowledge; readonly mode: 'transactional' | 'statement-wise' },
): Care | null {
  const { preserve, step, origin, session, clock, newId } = context
  if (!preserve) return null
  const opposite = step.direction === 'up' ? 'down' : 'up'
  if (!mayDestroy(context.script.statements) && !preserve.owed.has(`${step.version}:${opposite}`)) return null
  const { track, runId } = origin
  return openCare(
    session,
    {
      track,
      version: step.version,
      slug: step.slug,
      direction: step.direction,
      runId,
      resumed: mode === 'statement-wise',
    },
    {
      statements,
      knowledge,
      options: {
        policy: step.directives.policy ?? preserve.policy,
        lossAccepted: isAccepted(preserve.acceptLoss, step.version),
        tenantColumn: preserve.tenantColumn,
        owed: preserve.owed.has(`${step.version}:${opposite}`) ? 'something' : 'nothing',
        archiveBytesMax: preserve.archiveBytesMax,
        restore: step.directives.restore ?? 'auto',
        redundant: step.directives.redundant,
        hasChanged: checksum => context.upSql !== null && hasChanged(upFile(context), checksum),
        writes: writesRows(context.script.statements) ? 'rows' : 'nothing',
        newId,
        now: () => new Date(clock.now()).toISOString(),
      },
    },
  )
}

function upFile({ step, upSql }: StepContext): MigrationFile {
  return { file: step.file ?? '', text: upSql ?? '', checksum: step.upChecksum ?? '' }
}

/** Statements that are sent together, and those that the catalog is asked before. */
export function partsOf(statements: readonly Statement[]): (readonly Statement[])[] {
  const parts: Statement[][] = []
  let together: Statement[] | null = null
  for (const statement of statements) {
    if (needsRoom(statement)) {
      parts.push([statement])
      together = null
    } else if (together) together.push(statement)
    else parts.push((together = [statement]))
  }
  return parts
}

/** Repeats a transaction that learned what it destroys, with that knowledge. The transaction is rolled back in between. */
export async function learning<T>(context: StepContext, work: (knowledge: Knowledge) => Promise<T>): Promise<T> {
  const knowledge = knowNothing()
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      return await work(knowledge)
    } catch (thrown) {
      if (!(thrown instanceof LearnedMore)) throw thrown
      await context.session.query('rollback').catch(() => undefined)
    }
  }
  throw lossNotAccepted(context.step, ['what its statements destroy is another thing each time they run'], 'unproven')
}

const triesMax = 6

/** What goes in one message, and a text that stands in for it. */
export interface Part {
  readonly statements: readonly Statement[]
  readonly before?: readonly string[]
  readonly after?: readonly string[]
  readonly text?: string | undefined
}

/** A whole step in one transaction. */
export async function sendCarefully(
  care: Care,
  statements: readonly Statement[],
  send: (part: Part) => Promise<void>,
  opening: readonly string[] = [],
): Promise<Preserved> {
  const rest = await care.begin(opening)
  await sendBetween(care, statements, send, rest).catch((error: unknown) => {
    throw care.failedBy(error)
  })
  return care.complete()
}

/** One transaction of a step. `opening` are statements that come first, such as its begin. */
export async function sendWatched(
  care: Care,
  statements: readonly Statement[],
  send: (part: Part) => Promise<void>,
  opening: readonly string[] = [],
): Promise<void> {
  await sendBetween(care, statements, send, opening)
  await care.close()
}

async function sendBetween(
  care: Care,
  statements: readonly Statement[],
  send: (part: Part) => Promise<void>,
  opening: readonly string[],
): Promise<void> {
  await care.open(opening)
  for (const part of partsOf(statements)) {
    const [only] = part
    if (part.length === 1 && only && needsRoom(only)) await care.around(only, text => send({ statements: part, text }))
    else await send({ statements: part })
  }
}

/** The script with another text in the place of one statement. */
export function insteadOf(script: Script, statements: readonly Statement[], text: string | undefined): Script {
  const [only] = statements
  if (text === undefined || !only) return script
  return { ...script, body: script.body.slice(0, only.start) + text + script.body.slice(only.end) }
}

/** The class of the migration, and what running it showed. */
export function classAfter({ lossClass }: Pick<Step, 'lossClass'>, preserved: Preserved | null): LossClass | null {
  if (lossClass === null) return null
  return worse({ lossClass, reasons: [] }, { lossClass: preserved?.lossClass ?? 'lossless', reasons: [] }).lossClass
}
