/**
 * `<version>_<slug>.checks.sql`: named queries that must find no row, before or after a step.
 *
 *   -- check: no_orphans before
 *   -- Give every order a customer first: this line is shown when the check fails.
 *   select from orders where customer_id is null;
 *
 *   -- check: all_filled after up
 *   select from orders where amount is null;
 *
 * Without a direction a check belongs to the up. Checks only read, and only the number of rows is told, never a row.
 */
import type { Session } from '../engines/engine.ts'
import { asPlinthError, nearest, PlinthError } from '../errors.ts'
import { lineIndex } from '../sql/positions.ts'
import type { Parse, Statement } from '../sql/parse.ts'
import { openNode, walk } from '../sql/tree.ts'
import type { Direction } from '../telemetry/event.ts'
import { type StepContext, timeouts } from './context.ts'
import { label, type MigrationFile } from './migration.ts'

export interface Check {
  readonly name: string
  readonly moment: 'before' | 'after'
  readonly direction: Direction
  readonly file: string
  readonly line: number
  /** The query, without a semicolon. */
  readonly query: string
  /** What its author says to do when it fails; null when nothing was said. */
  readonly advice: string | null
}

/** A check as plans show it. */
export type PlannedCheck = Pick<Check, 'name' | 'moment' | 'line'>

/** A check as reports and the history keep it. A check that found rows is an error, so those that are here passed. */
export interface CheckReport extends PlannedCheck {
  readonly durationMs: number
}

/** Pure. Throws CHECK_INVALID, and what the parser throws, with file and line. */
export function readChecks({ file, text }: MigrationFile, parse: Parse): Check[] {
  const refuse = refusal(file, text)
  const { statements } = parse(text, file)
  const heads = [...text.matchAll(/^[ \t]*--[ \t]*check\b(.*)$/gm)].map(match => ({
    at: match.index,
    words: match[1] ?? '',
  }))
  const stray = statements.find(statement => firstToken(statement, text) < (heads[0]?.at ?? text.length))
  if (stray) throw refuse(firstToken(stray, text), 'A query stands before the first check.', headHint)
  const seen = new Set<string>()
  return heads.map(({ at, words }, number) => {
    const check = { ...readHead(words, at, refuse), file, line: lineIndex(text)(at).line }
    const key = `${check.name} ${check.moment} ${check.direction}`
    if (seen.has(key)) throw refuse(at, `There are two checks "${key}".`, 'Give one of them another name.')
    seen.add(key)
    const until = heads[number + 1]?.at ?? text.length
    const own = statements.filter(one => firstToken(one, text) > at && firstToken(one, text) < until)
    const [query] = own
    if (!query || own.length > 1)
      throw refuse(
        at,
        `The check "${check.name}" has ${own.length} queries.`,
        'Write exactly one query below each check.',
      )
    if (!onlyReads(query))
      throw refuse(
        firstToken(query, text),
        `The check "${check.name}" is no query.`,
        'A check is a select that must find no row.',
      )
    return {
      ...check,
      query: text.slice(firstToken(query, text), query.end),
      advice: adviceIn(text.slice(at, firstToken(query, text))),
    }
  })
}

/**
 * Runs the step's checks of one moment: in the open transaction, or each in one of its own. Throws CHECK_FAILED, and leaves the transaction to
 * its owner.
 */
export async function runChecks(
  context: StepContext,
  moment: Check['moment'],
  place: 'in the open transaction' | 'in its own transaction',
): Promise<CheckReport[]> {
  const reports: CheckReport[] = []
  for (const check of context.checks) {
    if (check.moment !== moment) continue
    const started = performance.now()
    const found = await (place === 'in the open transaction' ? countInside(context, check) : countAlone(context, check))
    const durationMs = performance.now() - started
    const { name, line } = check
    context.emit({
      type: 'check.finished',
      check: name,
      status: found === 0 ? 'passed' : 'failed',
      failures: found,
      durationMs,
    })
    if (found > 0) throw failed(context, check, found)
    reports.push({ name, moment, line, durationMs })
  }
  return reports
}

/** A subtransaction that only reads, and takes its own settings with it when it goes. */
async function countInside(context: StepContext, check: Check): Promise<number> {
  const { session } = context
  if (!session.engine.can.postgresSyntax) return count(session, check)
  await session.script(
    ['savepoint plinth_check', 'set transaction read only', ...timeouts(context, 'set local')].join(';\n'),
  )
  const found = await count(session, check)
  await session.script('rollback to savepoint plinth_check;\nrelease savepoint plinth_check')
  return found
}

async function countAlone(context: StepContext, check: Check): Promise<number> {
  const { session } = context
  const begin = session.engine.can.postgresSyntax ? 'begin read only' : 'begin'
  try {
    await session.script([begin, ...timeouts(context, 'set local')].join(';\n'))
    return await count(session, check)
  } finally {
    await session.query('rollback').catch(() => undefined)
  }
}

async function count(session: Session, check: Check): Promise<number> {
  try {
    const { rows } = await session.query<{ found: string | number }>(
      `select count(*) as found from (\n${check.query}\n) as plinth_check`,
    )
    return Number(rows[0]?.found ?? 0)
  } catch (thrown) {
    const { code, message, hint, sqlState, details } = asPlinthError(thrown)
    const at = { file: check.file, line: check.line, object: `check ${check.name}` }
    throw new PlinthError(code, message, { at, hint, sqlState, details, cause: thrown })
  }
}

function failed({ step }: StepContext, { name, moment, file, line, advice }: Check, rows: number): PlinthError {
  const what = `${step.direction === 'up' ? '' : 'the rollback of '}${label(step)}`
  return new PlinthError(
    'CHECK_FAILED',
    `The check "${name}" ${moment} ${what} found ${rows} ${rows === 1 ? 'row' : 'rows'}.`,
    {
      at: { file, line },
      hint: advice ?? 'Run its query to see them; once it finds none, run the command again.',
      details: { check: name, moment, rows, version: step.version, direction: step.direction },
    },
  )
}

type Refuse = (at: number, message: string, hint: string) => PlinthError

function refusal(file: string, source: string): Refuse {
  const place = lineIndex(source)
  return (at, message, hint) => new PlinthError('CHECK_INVALID', message, { at: { file, ...place(at), source }, hint })
}

const headHint = 'Each check is a line "-- check: <name> before|after [up|down]" and one query below it.'

function readHead(words: string, at: number, refuse: Refuse): Pick<Check, 'name' | 'moment' | 'direction'> {
  const [, name, moment, direction = 'up', rest] =
    /^\s*:\s*([\w-]+)\s+(\S+)(?:\s+(\S+))?(.*)$/.exec(words.trimEnd()) ?? []
  if (name === undefined || moment === undefined || rest?.trim())
    throw refuse(at, 'The head of a check cannot be read.', headHint)
  if (moment !== 'before' && moment !== 'after')
    throw refuse(at, `A check runs before or after, not "${moment}".`, guess(moment, ['before', 'after']))
  if (direction !== 'up' && direction !== 'down')
    throw refuse(at, `A check belongs to up or down, not to "${direction}".`, guess(direction, ['up', 'down']))
  return { name, moment, direction }
}

function guess(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near ? `Did you mean "${near}"?` : headHint
}

/** The parser counts the space and the comments before a statement to it. */
function firstToken({ start }: Statement, text: string): number {
  return start + (/^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text.slice(start))?.[0].length ?? 0)
}

function onlyReads({ kind, text, tree }: Statement): boolean {
  if (tree === null) return /^\s*(select|with|from|values)\b/i.test(text)
  let writes = openNode(tree)[1]['intoClause'] !== undefined
  walk(tree, inner => {
    if (/^(Insert|Update|Delete|Merge)Stmt$/.test(inner)) writes = true
  })
  return kind === 'SelectStmt' && !writes
}

/** The comment lines between the head and the query. */
function adviceIn(between: string): string | null {
  const lines = between
    .split('\n')
    .slice(1)
    .flatMap(row => /^\s*--\s?(.*)$/.exec(row.trimEnd())?.[1]?.trim() ?? [])
  return lines.join(' ').trim() || null
}
