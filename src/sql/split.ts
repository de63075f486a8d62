/**
 * Splits SQL of any dialect at its top-level semicolons, without a grammar: it knows quotes, dollar quotes and comments. Engines whose
 * text libpg-query cannot parse are read with it.
 */
import { PlinthError } from '../errors.ts'
import { lineIndex } from './positions.ts'

export interface Piece {
  /** String indexes of the first unit and behind the last one; leading and trailing space and comments are left out. */
  readonly start: number
  readonly end: number
}

/** Where each statement is. Throws SQL_SYNTAX at a quote or comment that is never closed. */
export function splitStatements(text: string, file?: string): Piece[] {
  const pieces: Piece[] = []
  let start = -1
  let end = -1
  for (let at = 0; at < text.length; ) {
    const next = skipComment(text, at)
    if (next === undefined) throw unterminated('comment', text, at, file)
    if (next > at) {
      at = next
    } else if (text[at] === ';') {
      if (start !== -1) pieces.push({ start, end })
      start = -1
      at++
    } else if (/\s/.test(text[at] ?? '')) {
      at++
    } else {
      const after = skipToken(text, at)
      if (after === undefined) throw unterminated('quote', text, at, file)
      if (start === -1) start = at
      end = after
      at = after
    }
  }
  if (start !== -1) pieces.push({ start, end })
  return pieces
}

/** The index behind a comment that begins here, the same index when none does, undefined when it never ends. */
function skipComment(text: string, at: number): number | undefined {
  if (text.startsWith('--', at)) {
    const end = text.indexOf('\n', at)
    return end === -1 ? text.length : end + 1
  }
  if (!text.startsWith('/*', at)) return at
  let depth = 0
  const marks = /\/\*|\*\//g
  marks.lastIndex = at
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return undefined
}

/** The index behind the quoted text, word or sign that begins here; undefined when a quote never ends. */
function skipToken(text: string, at: number): number | undefined {
  const sign = text[at] ?? ''
  if (/e/i.test(sign) && text[at + 1] === "'") return matchEnd(/'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'/y, text, at + 1)
  if (sign === "'") return matchEnd(/'[^']*(?:''[^']*)*'/y, text, at)
  if (sign === '"') return matchEnd(/"[^"]*(?:""[^"]*)*"/y, text, at)
  const word = matchEnd(/[\p{L}_][\p{L}\p{N}_$]*/uy, text, at)
  if (word !== undefined) return word
  const tag = sign === '$' ? /\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$/uy : undefined
  const opened = tag && matchEnd(tag, text, at)
  if (opened === undefined) return at + 1
  const closed = text.indexOf(text.slice(at, opened), opened)
  return closed === -1 ? undefined : closed + (opened - at)
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : undefined
}

function unterminated(what: string, text: string, at: number, file: string | undefined): PlinthError {
  return new PlinthError('SQL_SYNTAX', `A ${what} is never closed.`, {
    at: { ...(file === undefined ? {} : { file }), ...lineIndex(text)(at), source: text },
    hint: `Close the ${what} that begins here.`,
  })
}
