/** The plan: what will run, as JSON that holds no SQL, no literal and no secret. The same plan serves people, approval, telemetry and tests. */
import { PlinthError } from '../errors.ts'
import type { Parse, Script, ScriptMode } from '../sql/parse.ts'
import type { Finding } from '../schema/finding.ts'
import type { Direction } from '../telemetry/event.ts'
import { arrangeAsDirected } from './arrange.ts'
import { readCursor } from './backfill/cursor.ts'
import { type Check, type PlannedCheck, readChecks } from './checks.ts'
import { type Directives, readDirectives } from './directives.ts'
import { prefixHash } from './history.ts'
import type { Forecast } from './rehearse/forecast.ts'
import { judgeScript, type LossClass, lossless, mayLose, worse } from './preserve/class.ts'
import { type Attempt, isRepeatable, label, versionKey } from './migration.ts'
import type { Choice, Selection } from './select.ts'

export interface Plan {
  readonly format: 1
  readonly track: string
  readonly direction: Direction
  /** Newest applied version before and after; null when there is none. */
  readonly from: string | null
  readonly to: string | null
  readonly steps: readonly Step[]
  readonly notices: readonly string[]
  /** What lint has to say about the steps; absent where nobody asked it. */
  readonly findings?: readonly Finding[] | undefined
  /** What the steps did on a rehearsal server; null where there is none at hand, absent where nobody asked. */
  readonly forecast?: Forecast | null | undefined
  /** Why there is no forecast, one sentence. */
  readonly forecastReason?: string | null | undefined
}

/** One migration in one direction. */
export interface Step {
  readonly version: string
  readonly slug: string
  readonly direction: Direction
  /** Null when the SQL comes from the history. */
  readonly file: string | null
  readonly source: 'file' | 'stored'
  readonly upChecksum: string | null
  readonly downChecksum: string | null
  readonly mode: ScriptMode
  /** Why it runs statement by statement; null for a transactional one. */
  readonly reason: string | null
  /** Statements that an earlier attempt did; the step goes on behind them. */
  readonly cursor: number
  /** That attempt. */
  readonly resumes: string | null
  /** What the head of its file asks for. */
  readonly directives: Directives
  /** Queries that must find no row before or after it. */
  readonly checks: readonly PlannedCheck[]
  /** How much the migration can lose in its worse direction; null where nobody judges. */
  readonly lossClass: LossClass | null
  /** Why it is not lossless, one sentence each. */
  readonly losses: readonly string[]
  readonly statements: readonly StepStatement[]
  readonly tables: readonly string[]
}

export interface StepStatement {
  readonly index: number
  readonly line: number
  readonly summary: string
  /** It runs outside any transaction. */
  readonly bare: boolean
}

/** What a step sends, beside the plan, since a plan holds no SQL. */
export interface StepScript {
  readonly script: Script
  readonly checks: readonly Check[]
  readonly upSql: string | null
  readonly downSql: string | null
  /** The attempt that the step goes on from. */
  readonly resumes: Attempt | null
}

export interface Planned {
  readonly plan: Plan
  /** By version. */
  readonly scripts: ReadonlyMap<string, StepScript>
}

/**
 * Reads the SQL of the chosen steps. `stored` holds the kept SQL by attempt id. Pure. Throws SQL_SYNTAX and SQL_UNSUPPORTED with their place,
 * and STEP_INTERRUPTED when the part that an earlier attempt did was edited since.
 */
export function planMigrations(
  selection: Selection,
  parse: Parse,
  stored: ReadonlyMap<string, string> = new Map(),
): Planned {
  const scripts = new Map<string, StepScript>()
  const notices = [...selection.notices]
  const steps = selection.choices.map(choice => {
    const sql = sqlOf(choice, stored)
    const file = fileOf(choice) ?? label(choice)
    const directives = asLaidOut(choice, readDirectives(sql, file))
    refuseMisdirectedDown(choice)
    refuseRepeatedVersion(choice, directives, sql)
    const script = arrangeAsDirected(parse(sql, file), directives, file)
    const checks = checksOf(choice, parse)
    const { lossClass, reasons } = judge(choice, script, parse)
    const step = { ...describeStep(choice, script, directives), checks: checks.map(shown), lossClass, losses: reasons }
    if (script.statements.length === 0 && !isRepeatable(choice.version))
      notices.push(
        `${label(choice)} has nothing to run ${choice.direction === 'up' ? 'upwards' : 'downwards'}: its file is empty.`,
      )
    scripts.set(step.version, {
      checks,
      script: step.mode === 'statement-wise' ? { ...script, mode: 'statement-wise' } : script,
      upSql: choice.migration?.up.text ?? null,
      downSql: choice.migration?.down?.text ?? null,
      resumes: choice.resumes,
    })
    return step
  })
  const { track, direction, from, to } = selection
  return { plan: { format: 1, track, direction, from, to, steps, notices }, scripts }
}

/** Both directions count, since what one destroys the other has to bring back. Only PostgreSQL's text has a tree to judge by. */
function judge(
  choice: Choice,
  script: Script,
  parse: Parse,
): { readonly lossClass: LossClass | null; readonly reasons: readonly string[] } {
  const { migration, direction } = choice
  if (script.statements.some(statement => statement.tree === null)) return { lossClass: null, reasons: [] }
  const other = direction === 'up' ? migration?.down : migration?.up
  const opposite = other && mayLose(other.text) ? judgeScript(parse(other.text, other.file)) : lossless
  return worse(judgeScript(script), opposite)
}

/** The attempts whose kept SQL the plan needs. */
export function storedNeeded(selection: Selection): string[] {
  return selection.choices.flatMap(choice => (choice.source === 'stored' ? (keptBy(choice)?.id ?? []) : []))
}

/** The layout of another tool may have words of its own for what our head of a file says. */
function asLaidOut(choice: Choice, directives: Directives): Directives {
  const file = choice.direction === 'up' ? choice.migration?.up : choice.migration?.down
  const none = choice.source === 'file' && file?.transaction === 'none' && directives.transaction === 'auto'
  return none ? { ...directives, transaction: 'none', laidOut: true } : directives
}

function checksOf({ direction, migration }: Choice, parse: Parse): Check[] {
  const checks = migration?.checks ? readChecks(migration.checks, parse) : []
  return checks.filter(check => check.direction === direction)
}

function shown({ name, moment, line }: Check): PlannedCheck {
  return { name, moment, line }
}

function describeStep(
  choice: Choice,
  script: Script,
  directives: Directives,
): Omit<Step, 'checks' | 'lossClass' | 'losses'> {
  const cursor = choice.resumes?.cursor ?? 0
  if (choice.resumes && cursor > 0) refuseEditedPrefix(choice, choice.resumes, script)
  if (choice.resumes) refuseEditedBatches(choice, choice.resumes, { script, directives })
  const kept = keptBy(choice)
  return {
    version: choice.version,
    slug: choice.slug,
    direction: choice.direction,
    file: fileOf(choice),
    source: choice.source,
    upChecksum: choice.migration?.up.checksum ?? kept?.upChecksum ?? null,
    downChecksum: (choice.source === 'file' ? choice.migration?.down?.checksum : kept?.downChecksum) ?? null,
    // What began statement by statement ends so, even if the statement that asked for it is gone by now.
    mode: cursor > 0 ? 'statement-wise' : script.mode,
    reason: cursor > 0 ? (script.reason ?? 'an earlier attempt did a part of it') : script.reason,
    cursor,
    resumes: choice.resumes?.id ?? null,
    directives,
    statements: script.statements.map(({ index, line, summary, bare }) => ({ index, line, summary, bare })),
    tables: [...new Set(script.statements.flatMap(statement => statement.tables))].sort(),
  }
}

/** The way back is read before the way there is taken, so that it does not fail on a word when it is needed. */
function refuseMisdirectedDown({ direction, migration }: Choice): void {
  if (direction === 'up' && migration?.down) readDirectives(migration.down.text, migration.down.file)
}

/** A version runs once, whatever it asks for. */
function refuseRepeatedVersion(choice: Choice, { repeat }: Directives, sql: string): void {
  if (repeat === null || isRepeatable(choice.version)) return
  const file = fileOf(choice) ?? label(choice)
  throw new PlinthError('DIRECTIVE_INVALID', `${label(choice)} is a version, and runs once.`, {
    at: { file, line: sql.split('\n').findIndex(line => /\brepeat=/.test(line)) + 1, source: sql },
    hint: `Call the file R__${choice.slug || 'name'}.sql where it shall run again.`,
  })
}

function refuseEditedPrefix(choice: Choice, attempt: Attempt, script: Script): void {
  if (
    script.statements.length >= attempt.cursor &&
    prefixHash(script.statements, attempt.cursor) === attempt.prefixHash
  )
    return
  throw new PlinthError(
    'STEP_INTERRUPTED',
    `${label(choice)} stopped after ${attempt.cursor} statements, and those were edited since.`,
    {
      at: { file: fileOf(choice) ?? label(choice), line: script.statements[0]?.line ?? 1 },
      hint: `Restore the first ${attempt.cursor} statements as they ran; what follows them may be edited.`,
      details: { version: choice.version, cursor: attempt.cursor, startedAt: attempt.startedAt },
    },
  )
}

/** Rows of the first batches were changed by the statement as it was; another one in its place would change only the rest. */
function refuseEditedBatches(
  choice: Choice,
  attempt: Attempt,
  { script, directives }: { readonly script: Script; readonly directives: Directives },
): void {
  const kept = readCursor(attempt.note)
  if (!kept || kept.batches === 0 || kept.statement < attempt.cursor) return
  const statement = script.statements[kept.statement]
  if (statement && directives.batch !== null && prefixHash([statement], 1) === kept.fingerprint) return
  throw new PlinthError(
    'STEP_INTERRUPTED',
    `${label(choice)} stopped after ${kept.batches} batches of a statement, which was edited since.`,
    {
      at: { file: fileOf(choice) ?? label(choice), line: statement?.line ?? 1 },
      hint: 'Restore the statement and its "batch"; or take the step back first: plinth rollback --steps 1.',
      details: { version: choice.version, batches: kept.batches, startedAt: attempt.startedAt },
    },
  )
}

function fileOf(choice: Choice): string | null {
  if (choice.source === 'stored') return null
  return (choice.direction === 'up' ? choice.migration?.up.file : choice.migration?.down?.file) ?? null
}

function sqlOf(choice: Choice, stored: ReadonlyMap<string, string>): string {
  const text =
    choice.source === 'stored'
      ? stored.get(keptBy(choice)?.id ?? '')
      : choice.direction === 'up'
        ? choice.migration?.up.text
        : choice.migration?.down?.text
  if (text !== undefined) return text
  throw new PlinthError('FILE_GONE', `The SQL of ${label(choice)} is neither in the folder nor in the history.`, {
    at: { object: versionKey(choice.version) },
    hint: 'Restore the file from version control.',
  })
}

function keptBy(choice: Choice): Attempt | null {
  return choice.history?.applied ?? choice.history?.unfinished ?? null
}
