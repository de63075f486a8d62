/** Cuts a template into text and the tokens of its tags. */
import { nearest, type Place, PlinthError } from '../../errors.ts'

export type Token = {
  /** Offset in the source. */
  readonly at: number
  readonly end: number
} & (
  | { readonly type: 'text' | 'name' | 'string' | 'operator' | 'integer' | 'float'; readonly value: string }
  | { readonly type: 'statement' | 'expression' | 'close'; readonly value: string }
)

export function lineCounter(file: string, source: string) {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset: number): Place => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { file, line: low + 1, column: offset - (starts[low] ?? 0) + 1, source }
  }
}

export type PlaceAt = ReturnType<typeof lineCounter>

export function invalid(message: string, at: Place, hint?: string): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', message, { at, hint })
}

const opening = /\{[{%#]/g
const rawEnd = /\{%[-+]?\s*endraw\s*([-+]?)%\}/g
const rawStart = /\{%([-+]?)\s*raw\s*([-+]?)%\}/y

/** Throws TRANSFORM_INVALID for tags that never end and characters that mean nothing. */
export function tokenize(source: string, placeAt: PlaceAt): Token[] {
  const tokens: Token[] = []
  // As the language has it, one line end at the end of a file is not part of it.
  const length = source.endsWith('\n') ? source.length - 1 : source.length
  let isTrimmed = false
  const text = (from: number, until: number, trimsEnd: boolean) => {
    let value = source.slice(from, until)
    let at = from
    if (isTrimmed) {
      const kept = value.trimStart()
      at += value.length - kept.length
      value = kept
    }
    if (trimsEnd) value = value.trimEnd()
    if (value) tokens.push({ type: 'text', value, at, end: at + value.length })
    isTrimmed = false
  }
  for (let at = 0; ; ) {
    opening.lastIndex = at
    const open = opening.exec(source)?.index ?? length
    if (open >= length) {
      text(at, Math.max(at, length), false)
      return tokens
    }
    text(at, open, source[open + 2] === '-')
    if (source[open + 1] === '#') {
      const end = source.indexOf('#}', open + 2)
      if (end < 0) throw unclosed('#}', placeAt(open))
      isTrimmed = source[end - 1] === '-' && end > open + 2
      at = end + 2
      continue
    }
    rawStart.lastIndex = open
    const raw = rawStart.exec(source)
    if (raw) {
      rawEnd.lastIndex = rawStart.lastIndex
      const end = rawEnd.exec(source)
      if (!end) throw invalid('The block "raw" that opens here is never closed.', placeAt(open))
      isTrimmed = raw[2] === '-'
      text(rawStart.lastIndex, end.index, source[end.index + 2] === '-')
      isTrimmed = end[1] === '-'
      at = rawEnd.lastIndex
      continue
    }
    at = tag(source, open, tokens, placeAt)
    isTrimmed = source[at - 3] === '-'
  }
}

function unclosed(closer: string, at: Place): PlinthError {
  return invalid(`The tag that opens here is never closed by "${closer}".`, at)
}

const pieces =
  /(?<space>\s+)|(?<float>\d[\d_]*(?:\.\d[\d_]*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?<integer>0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*)|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<string>'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*")|(?<operator>\/\/|\*\*|==|!=|<=|>=|[-+*/%~<>=.,:|()[\]{}])/uy

/** The tokens of one tag; answers where it ends. */
function tag(source: string, open: number, tokens: Token[], placeAt: PlaceAt): number {
  const kind = source[open + 1] === '%' ? 'statement' : 'expression'
  const closer = kind === 'statement' ? '%}' : '}}'
  let at = open + 2
  if (source[at] === '-' || (source[at] === '+' && kind === 'statement')) at++
  tokens.push({ type: kind, value: source.slice(open, at), at: open, end: at })
  const inner: string[] = []
  while (at < source.length) {
    const modifier = source[at] === '-' || source[at] === '+' ? 1 : 0
    if (inner.length === 0 && source.startsWith(closer, at + modifier)) {
      const end = at + modifier + 2
      tokens.push({ type: 'close', value: closer, at, end })
      return end
    }
    pieces.lastIndex = at
    const found = pieces.exec(source)
    if (!found) throw meaningless(source, at, open, closer, placeAt)
    const value = found[0]
    const groups = found.groups ?? {}
    const type = (['name', 'string', 'operator', 'integer', 'float'] as const).find(one => groups[one] !== undefined)
    if (type === 'operator') bracket(value, inner, placeAt(at))
    if (type) tokens.push({ type, value, at, end: at + value.length })
    at += value.length
  }
  throw unclosed(closer, placeAt(open))
}

const brackets: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' }

/** Brackets are matched here, since `}}` ends a tag and may end two mappings as well. */
function bracket(value: string, open: string[], at: Place): void {
  if ('([{'.includes(value)) open.push(value)
  else if (value in brackets) {
    const last = open.pop()
    if (last === brackets[value]) return
    throw invalid(
      last === undefined
        ? `Unexpected "${value}": it closes nothing.`
        : `Unexpected "${value}": the "${last}" before it is still open.`,
      at,
    )
  }
}

function meaningless(source: string, at: number, open: number, closer: string, placeAt: PlaceAt): PlinthError {
  if (source[at] === "'" || source[at] === '"')
    return invalid(`The text that opens here is never closed by ${source[at]}.`, placeAt(at))
  if (source[at] === '&' || source[at] === '!')
    return invalid(`"${source[at]}" means nothing in a tag.`, placeAt(at), 'Write "and", "or" and "not".')
  return source.indexOf(closer, open) < 0
    ? unclosed(closer, placeAt(open))
    : invalid(`"${source[at]}" means nothing in a tag.`, placeAt(at))
}

export const statements = [
  'if',
  'elif',
  'else',
  'for',
  'set',
  'macro',
  'test',
  'call',
  'filter',
  'with',
  'do',
  'raw',
  'break',
  'continue',
]
export const supportedHint = `Supported statements: ${statements.join(', ')}; comments and expressions as in dbt.`

export function unknownStatement(word: string, at: Place): PlinthError {
  const guess = nearest(word, [...statements, ...Object.keys(endings)])
  return invalid(
    word === '' ? 'This tag says no statement.' : `The statement "${word}" is not supported.`,
    at,
    guess ? `Did you mean "${guess}"?` : supportedHint,
  )
}

/** What an end closes. */
export const endings: Readonly<Record<string, string>> = {
  endif: 'if',
  endfor: 'for',
  endset: 'set',
  endmacro: 'macro',
  endtest: 'test',
  enddata_test: 'test',
  endcall: 'call',
  endfilter: 'filter',
  endwith: 'with',
}
