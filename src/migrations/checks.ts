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
import { nearest, PlinthError } from '../errors.ts'
import { lineIndex } from '../sql/positions.ts'
import type { Parse, Statement } from '../sql/parse.ts'
import { openNode, walk } from '../sql/tree.ts'
import type { Direction } from '../telemetry/event.ts'
import type { MigrationFile } from './migration.ts'

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
