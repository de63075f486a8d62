/**
 * Plinth's own statements in GoogleSQL. What keeps the history of migrations and rollups speaks of the schema `plinth` alone, in the small
 * SQL that every engine understands; what a user writes is never touched.
 */
import { type Token, tokensOf } from '../../sql/googlesql.ts'
import { quoteName } from './values.ts'

/** Whether a statement is one of Plinth's own: it names a table of the schema `plinth`. */
export function isOwn(text: string): boolean {
  const tokens = tokensOf(text).filter(({ kind }) => kind !== 'blank')
  return (
    tokens.some(({ text: word }, index) => /^"?plinth"?$/i.test(word) && tokens[index + 1]?.text === '.') ||
    tokens.some(({ text: word }, index) => /^schema$/i.test(word) && tokens.at(-1)?.text === 'plinth' && index < 3)
  )
}

/** A portable statement as BigQuery understands it; its parameters stay. */
export function spell(text: string): string {
  const plain = withStandardQuotes(text)
  const tokens = plain.filter(({ kind }) => kind !== 'blank')
  if (/^create$/i.test(tokens[0]?.text ?? '') && /^table$/i.test(tokens[1]?.text ?? '')) return createTable(tokens)
  const typed = /^alter$/i.test(tokens[0]?.text ?? '') ? plain.map(addedType) : plain
  return join(casts(typed.map(token => ({ ...token, text: word(token, plain) }))))
}

/** The word behind the name of an added column is its type. */
function addedType(token: Token, index: number, all: readonly Token[]): Token {
  const before = all.slice(0, index).filter(({ kind }) => kind !== 'blank')
  const isType = token.kind === 'word' && before.length > 1 && /^column$/i.test(before.at(-2)?.text ?? '')
  return isType ? { ...token, text: types[token.text.toLowerCase()] ?? token.text } : token
}

const types: Readonly<Record<string, string>> = {
  text: 'string',
  varchar: 'string',
  integer: 'int64',
  bigint: 'int64',
  smallint: 'int64',
  double: 'float64',
  boolean: 'bool',
  timestamptz: 'timestamp',
  json: 'json',
  bytea: 'bytes',
  numeric: 'numeric',
  date: 'date',
}

/** Words that GoogleSQL keeps for itself, and that are names in our tables. */
const reserved: ReadonlySet<string> = new Set(['rows', 'hash'])

/** The portable SQL has its names in double quotes. */
function withStandardQuotes(text: string): Token[] {
  return tokensOf(text).map(token => {
    if (token.kind === 'literal' && token.text.startsWith('"'))
      return { ...token, kind: 'name' as const, text: quoteName(token.text.slice(1, -1)) }
    return token
  })
}

function word({ kind, text }: Token, all: readonly Token[]): string {
  if (kind !== 'word') return text
  if (reserved.has(text.toLowerCase())) return quoteName(text.toLowerCase())
  if (text.toLowerCase() === 'now' && all.some(({ text: other }) => other === '(')) return 'current_timestamp'
  return text
}

/** `x::integer` becomes `cast(x as int64)`, where x is one token. */
function casts(tokens: readonly Token[]): Token[] {
  const done: Token[] = []
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]
    if (!token) break
    if (token.text !== ':' || tokens[at + 1]?.text !== ':') {
      done.push(token)
      continue
    }
    const operand = done.pop()
    const type = (tokens[at + 2]?.text ?? '').toLowerCase()
    at += 2
    // `double precision` is one type.
    if (type === 'double') at += 2
    const value = operand?.text ?? 'null'
    done.push({ ...token, kind: 'sign', text: castOf(value, types[type] ?? type) })
  }
  return done
}

function castOf(value: string, type: string): string {
  return type === 'json' ? `parse_json(${value})` : `cast(${value} as ${type})`
}

/** Names and types of the columns, with their nullability; keys and checks are not enforced by BigQuery, so they are left out. */
function createTable(tokens: readonly Token[]): string {
  const open = tokens.findIndex(({ text }) => text === '(')
  const head = tokens.slice(0, open).map(({ text }) => text)
  const name = head.slice(head.findIndex(text => /^plinth$/i.test(text))).join('')
  const columns = partsOf(
    tokens.slice(
      open + 1,
      tokens.findLastIndex(({ text }) => text === ')'),
    ),
  )
    .filter(([first]) => !/^(primary|unique|check|foreign|constraint)$/i.test(first?.text ?? ''))
    .map(columnOf)
  return `create table if not exists ${name} (${columns.join(', ')})`
}

function columnOf(tokens: readonly Token[]): string {
  const [name, type] = tokens
  const rest = tokens.map(({ text }) => text.toLowerCase())
  const required = rest.includes('primary') || rest.some((text, at) => text === 'not' && rest[at + 1] === 'null')
  return `${quoteName(name?.text ?? '')} ${types[type?.text.toLowerCase() ?? ''] ?? type?.text}${required ? ' not null' : ''}`
}

/** Cuts at the commas outside parentheses. */
function partsOf(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (token.text === '(') depth++
    if (token.text === ')') depth--
    if (token.text === ',' && depth === 0) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts
}

function join(tokens: readonly Token[]): string {
  return tokens.map(({ text }) => text).join('')
}
