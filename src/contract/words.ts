/** What the catalog says in SQL, said in words where that is shorter and certain; null where it is not, and SQL is shown instead. */
import { code } from './markdown.ts'
import type { Policy } from '../schema/model.ts'

/** A check's definition, such as `CHECK ((tokens >= 0))`, as Markdown: `` `tokens` is at least 0 ``. */
export function checkInWords(definition: string): string | null {
  const body = /^\s*CHECK\s*(\(.*\))(?:\s+NO INHERIT)?(?:\s+NOT VALID)?\s*$/is.exec(definition)?.[1]
  return body === undefined ? null : disjunction(bare(body))
}

/** What a policy lets its roles do, as Markdown. */
export function policyInWords(policy: Policy): string {
  const everyone = policy.roles.length === 0 || policy.roles.includes('public')
  const roles = everyone ? 'Every role' : policy.roles.map(code).join(', ')
  const seen = condition(policy.using)
  const both = policy.command === 'all' || policy.command === 'update'
  const written = condition(policy.withCheck ?? (both ? policy.using : null))
  const sentence = `${roles} ${everyone || policy.roles.length === 1 ? 'may' : 'may each'} ${verbs(policy.command, seen, written)}`
  return policy.permissive ? `${sentence}.` : `${sentence}, whatever other policies allow.`
}

/** A condition without outer parentheses, casts of literals and the subselects that only keep a function from being called for each row. */
export function bare(sql: string): string {
  let short = sql
    .replace(/\(\s*SELECT\s+([\w."]+\([^()]*\))\s+AS\s+\w+\s*\)/gi, '$1')
    .replace(/('(?:[^']|'')*')::[a-z][a-z ]*(?:\[\])?/gi, '$1')
    .replace(/\((-?\d+(?:\.\d+)?)\)::[a-z]+(?: precision)?/gi, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  while (wrapped(short)) short = short.slice(1, -1).trim()
  return short
}

/** A condition in Markdown, or one of the words `all` and `none`. */
type Seen = string

function verbs(command: Policy['command'], seen: Seen, written: Seen): string {
  const rows = (which: Seen): string =>
    which === 'all' ? 'all rows' : which === 'none' ? 'no rows' : `only rows where ${which}`
  if (command === 'select') return `read ${rows(seen)}`
  if (command === 'insert') return `add ${rows(written)}`
  if (command === 'delete') return `delete ${rows(seen)}`
  if (seen === written) return `${command === 'all' ? 'read and write' : 'change'} ${rows(seen)}`
  return `${command === 'all' ? 'read, change and delete' : 'change'} ${rows(seen)} and leave ${rows(written)} behind`
}

function condition(sql: string | null): Seen {
  if (sql === null) return 'all'
  const short = bare(sql)
  return short === 'true' ? 'all' : short === 'false' ? 'none' : code(short)
}

function disjunction(sql: string): string | null {
  const parts = splitTop(sql, 'OR').map(part => conjunction(bare(part)))
  return parts.every(part => part !== null) ? parts.join(', or ') : null
}

function conjunction(sql: string): string | null {
  const parts = splitTop(sql, 'AND').map(part => bare(part))
  if (parts.length === 1) return comparison(sql)
  const words = ranged(parts.flatMap(part => splitTop(part, 'AND')).map(bare)).map(comparison)
  return words.every(part => part !== null) ? words.join(' and ') : null
}

/** A lower and an upper bound on the same thing, joined to `x BETWEEN a AND b`, which `comparison` reads. */
function ranged(parts: readonly string[]): readonly string[] {
  const [first, second, ...rest] = parts
  if (first === undefined || second === undefined) return parts
  const low = /^(.+) >= (\d+)$/.exec(first)
  const high = /^(.+) <= (\d+)$/.exec(second)
  if (low && high && low[1] === high[1]) return [`${low[1]} BETWEEN ${low[2]} AND ${high[2]}`, ...ranged(rest)]
  return [first, ...ranged([second, ...rest])]
}

const name = String.raw`"?[A-Za-z_][\w$]*"?`
const literal = String.raw`'(?:[^']|'')*'|-?\d+(?:\.\d+)?`

function comparison(sql: string): string | null {
  const among =
    new RegExp(`^(${name})\\)? = ANY \\(+ARRAY\\[((?:${literal})(?:, (?:${literal}))*)\\]\\)+$`).exec(sql) ??
    new RegExp(`^(${name}) IN \\(((?:${literal})(?:, (?:${literal}))*)\\)$`, 'i').exec(sql)
  if (among) return `${code(unquoted(among[1]))} is one of ${values(among[2] ?? '')}`
  const pattern = new RegExp(`^(${name}) ~ ('(?:[^']|'')*')$`).exec(sql)
  if (pattern) return `${code(unquoted(pattern[1]))} matches ${code(unquoted(pattern[2]))}`
  const presence = new RegExp(`^(${name}) IS (NOT )?NULL$`, 'i').exec(sql)
  if (presence) return `${code(unquoted(presence[1]))} is ${presence[2] ? 'given' : 'null'}`
  const between = new RegExp(
    `^(?:(octet_length|char_length|length|cardinality)\\((${name})\\)|(${name})) BETWEEN (\\d+) AND (\\d+)$`,
  ).exec(sql)
  if (between)
    return `${code(unquoted(between[2] ?? between[3]))} ${between[1] ? 'has' : 'is'} ${between[4]} to ${between[5]}${between[1] ? ` ${units[between[1]]}` : ''}`
  const measured = new RegExp(
    `^(octet_length|char_length|length|cardinality)\\((${name})\\) (=|>=|<=|>|<) (\\d+)$`,
  ).exec(sql)
  if (measured)
    return `${code(unquoted(measured[2]))} has ${amounts[measured[3] ?? '']} ${measured[4]} ${units[measured[1] ?? '']}`.replace(
      /  +/g,
      ' ',
    )
  const compared = new RegExp(`^(${name}) (=|>=|<=|>|<|<>) (${name}|${literal})$`).exec(sql)
  if (!compared || /^(true|false|null|current_\w+)$/i.test(compared[3] ?? '')) return null
  return `${code(unquoted(compared[1]))} is ${comparisons[compared[2] ?? '']} ${/^-?\d/.test(compared[3] ?? '') ? compared[3] : code(unquoted(compared[3]))}`.replace(
    /  +/g,
    ' ',
  )
}

const comparisons: Readonly<Record<string, string>> = {
  '=': 'equal to',
  '>=': 'at least',
  '<=': 'at most',
  '>': 'greater than',
  '<': 'less than',
  '<>': 'not',
}
const amounts: Readonly<Record<string, string>> = {
  '=': '',
  '>=': 'at least',
  '<=': 'at most',
  '>': 'more than',
  '<': 'fewer than',
}
const units: Readonly<Record<string, string>> = {
  octet_length: 'bytes',
  char_length: 'characters',
  length: 'characters',
  cardinality: 'elements',
}

function values(list: string): string {
  return (list.match(new RegExp(literal, 'g')) ?? []).map(value => code(unquoted(value))).join(', ')
}

function unquoted(token: string | undefined): string {
  if (token?.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'")
  return token?.startsWith('"') ? token.slice(1, -1) : (token ?? '')
}

/** Splits at a word that stands outside of parentheses, brackets and literals. */
function splitTop(sql: string, word: 'AND' | 'OR'): readonly string[] {
  const parts: string[] = []
  let [depth, start] = [0, 0]
  for (const token of sql.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()[\]]|\b(?:AND|OR)\b/g)) {
    if (token[0] === '(' || token[0] === '[') depth++
    else if (token[0] === ')' || token[0] === ']') depth--
    else if (token[0] === word && depth === 0) {
      parts.push(sql.slice(start, token.index))
      start = token.index + word.length
    }
  }
  return [...parts, sql.slice(start)].map(part => part.trim())
}

/** True when the first parenthesis closes at the very end. */
function wrapped(sql: string): boolean {
  if (!sql.startsWith('(') || !sql.endsWith(')')) return false
  let depth = 0
  for (const token of sql.matchAll(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]/g)) {
    if (token[0] === '(') depth++
    if (token[0] === ')') depth--
    if (depth === 0) return token.index === sql.length - 1
  }
  return false
}
