/** The tags of a template and where they stand. The engine's own messages carry no lines, so everything that can be known here is said here. */
import { nearest, type Place, PlinthError } from '../errors.ts'

export interface Token {
  readonly type: string
  readonly value: string
}

export type Tokenize = (source: string, options: object) => readonly Token[]

const supported = ['if', 'elif', 'else', 'for', 'set', 'macro', 'test', 'call', 'filter', 'do', 'break', 'continue']
export const supportedHint = `Supported statements: ${supported.join(', ')}; comments and expressions as in dbt.`

export interface Tag {
  readonly kind: 'statement' | 'expression' | 'comment'
  readonly start: number
  readonly end: number
  readonly place: Place
  /** The statement's first word, else empty. A `set` with a body is `set-block`. */
  readonly block: string
  /** The second word: a macro's name. */
  readonly name: string
}

export function invalid(message: string, at: Place, hint?: string): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', message, { at, hint })
}

export function lineCounter(file: string, source: string) {
  const starts = [0]
  for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineOf = (offset: number): number => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return low + 1
  }
  const place = (offset: number): Place => {
    const line = lineOf(offset)
    return { file, line, column: offset - (starts[line - 1] ?? 0) + 1, source }
  }
  return { place, lineOf }
}

export type Lines = ReturnType<typeof lineCounter>

const closers = { statement: '%}', expression: '}}', comment: '#}' } as const

/** Finds the tags as the engine will, minding strings and, in expressions, nested braces. */
export function findTags(source: string, lines: Lines): Tag[] {
  const tags: Tag[] = []
  for (let at = 0; at < source.length; ) {
    const start = source.slice(at).search(/\{[{%#]/)
    if (start < 0) break
    const open = at + start
    const kind = source[open + 1] === '%' ? 'statement' : source[open + 1] === '{' ? 'expression' : 'comment'
    const end = endOfTag(source, open + 2, kind)
    if (end === undefined)
      throw invalid(`The tag that opens here is never closed by "${closers[kind]}".`, lines.place(open))
    const inner = source.slice(open + 2, end - 2).replace(/^-|-$/g, '')
    const [, block = '', name = ''] = kind === 'statement' ? (/^\s*(\w+)\s*(\w*)/.exec(inner) ?? []) : []
    const isBody = block === 'set' && !/^\s*set\s[^=]*=/.test(inner)
    const kindOfBlock = isBody ? 'set-block' : block === 'data_test' ? 'test' : block
    tags.push({ kind, start: open, end, place: lines.place(open), block: kindOfBlock, name })
    at = end
  }
  return tags
}

function endOfTag(source: string, from: number, kind: Tag['kind']): number | undefined {
  if (kind === 'comment') {
    const end = source.indexOf('#}', from)
    return end < 0 ? undefined : end + 2
  }
  let depth = 0
  for (let at = from; at < source.length; at++) {
    const char = source[at]
    if (char === "'" || char === '"') {
      for (at++; at < source.length && source[at] !== char; at++) if (source[at] === '\\') at++
    } else if (source.startsWith(closers[kind], at) && (kind === 'statement' || depth === 0)) return at + 2
    else if (char === '{') depth++
    else if (char === '}') depth--
  }
  return undefined
}

const endings: Readonly<Record<string, string>> = {
  endif: 'if',
  endfor: 'for',
  endset: 'set-block',
  endmacro: 'macro',
  endtest: 'test',
  enddata_test: 'test',
  endcall: 'call',
  endfilter: 'filter',
}

/** The engine does not say which block lacks its end, so blocks are matched here first. */
export function checkBlocks(tags: readonly Tag[]): void {
  const open: Tag[] = []
  const openers = new Set(Object.values(endings))
  for (const tag of tags) {
    if (tag.kind !== 'statement') continue
    const ends = endings[tag.block]
    if (openers.has(tag.block)) open.push(tag)
    else if (ends !== undefined) {
      const last = open.pop()
      if (last?.block !== ends) {
        const expected = last
          ? `The block "${word(last.block)}" of line ${last.place.line} is still open.`
          : 'No block is open.'
        throw invalid(`"${tag.block}" closes nothing here. ${expected}`, tag.place)
      }
    } else if (!supported.includes(tag.block)) {
      const guess = nearest(tag.block, [...supported, ...Object.keys(endings)])
      throw invalid(
        `The statement "${tag.block}" is not supported.`,
        tag.place,
        guess ? `Did you mean "${guess}"?` : supportedHint,
      )
    }
  }
  const last = open.pop()
  if (last) throw invalid(`The block "${word(last.block)}" that opens here is never closed.`, last.place)
}

function word(block: string): string {
  return block === 'set-block' ? 'set' : block
}

/** Tokens of the whole; when that fails, tokens of one tag after another tell which one is wrong. */
export function tokenizeTags(
  tokenizeAll: Tokenize,
  source: string,
  tags: readonly Tag[],
  lines: Lines,
): readonly Token[] {
  try {
    return tokenizeAll(source, {})
  } catch (error) {
    for (const tag of tags) {
      try {
        tokenizeAll(source.slice(tag.start, tag.end), {})
      } catch (tagError) {
        throw malformed(tagError, tag.place)
      }
    }
    throw malformed(error, lines.place(0))
  }
}

export interface Marked {
  readonly tokens: Token[]
  readonly marks: readonly Place[]
  /** For each token the tag that it is in or follows. */
  readonly tokenTags: readonly number[]
}

/**
 * Puts a mark before every tag and every line of text. A mark is a comment token, which may stand wherever a tag may. Inside macros and
 * captured blocks marks stay out of the text, since that text can be compared and filtered; there they only say where we are.
 */
export function mark(tokens: readonly Token[], source: string, tags: readonly Tag[], lines: Lines): Marked {
  const out: Token[] = []
  const marks: Place[] = []
  const tokenTags: number[] = []
  let tagIndex = -1
  let captured = 0
  const push = (token: Token) => {
    out.push(token)
    tokenTags.push(Math.max(tagIndex, 0))
  }
  const place = (at: Place) => push({ type: 'Comment', value: `${captured > 0 ? 'q' : 'm'}${marks.push(at) - 1}` })
  for (const [index, token] of tokens.entries()) {
    if (token.type === 'Text') {
      const from = tags[tagIndex]?.end ?? 0
      const start = source.indexOf(token.value, from)
      pushText(token.value, Math.max(start, from))
    } else if (token.type === 'Comment') tagIndex++
    else if (token.type === 'OpenStatement' || token.type === 'OpenExpression') {
      tagIndex++
      const tag = tags[tagIndex]
      if (!tag) continue
      // The mark of an end still stands inside its block.
      place(tag.place)
      if (isCaptured(endings[tag.block] ?? '')) captured--
      if (isCaptured(tag.block)) captured++
      push(token)
    } else if (token.type === 'Identifier' && token.value === 'do' && tokens[index - 1]?.type === 'OpenStatement') {
      // `do` evaluates an expression and prints nothing, which is what a `set` to a name that nobody reads does.
      for (const part of [
        ['Identifier', 'set'],
        ['Identifier', '__discarded'],
        ['Equals', '='],
      ] as const)
        push({ type: part[0], value: part[1] })
    } else push(asMacro(token, tokens[index - 1], tokens[index - 2]))
  }
  return { tokens: out, marks, tokenTags }

  function pushText(text: string, offset: number): void {
    let at = offset
    for (const line of captured > 0 ? [text] : text.split(/(?<=\n)/)) {
      place(lines.place(at))
      push({ type: 'Text', value: line })
      at += line.length
    }
  }
}

/** dbt's `test` is a macro whose name begins with `test_`. */
function asMacro(token: Token, before: Token | undefined, twoBefore: Token | undefined): Token {
  if (token.type !== 'Identifier') return token
  const isTest = (word: Token | undefined) => word?.value === 'test' || word?.value === 'data_test'
  if (before?.type === 'OpenStatement') {
    if (isTest(token)) return { type: 'Identifier', value: 'macro' }
    if (token.value === 'endtest' || token.value === 'enddata_test') return { type: 'Identifier', value: 'endmacro' }
  }
  if (twoBefore?.type === 'OpenStatement' && isTest(before)) return { type: 'Identifier', value: `test_${token.value}` }
  return token
}

function isCaptured(block: string): boolean {
  return block === 'macro' || block === 'test' || block === 'set-block' || block === 'call' || block === 'filter'
}

/** What the engine threw, in words of ours and with a place. */
export function malformed(error: unknown, at: Place, hint?: string): PlinthError {
  return invalid(parserMessage(error), at, hint)
}

function parserMessage(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof TypeError) return 'The tag ends too early.'
  return `${message
    .replace(/^Parser Error: /, '')
    .replace(/\. \w+ !== \w+\.$/, '')
    .replace(/\.$/, '')}.`
}
