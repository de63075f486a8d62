/**
 * Cuts a script into its statements by position. DuckDB's own splitter answers prepared statements without positions, but an error must
 * name the line in the file, so the text is cut here. DuckDB's lexer comes from PostgreSQL's: the same strings, quotes and comments.
 */
export interface StatementText {
  readonly text: string
  /** Where `text` begins in the script, in UTF-16 units, so that `script.slice(offset)` starts with it. */
  readonly offset: number
}

/** The statements of a script in order, without their semicolons; stretches of blanks and comments alone are left out. */
export function splitStatements(script: string): StatementText[] {
  const statements: StatementText[] = []
  let start: number | null = null
  let end = 0
  for (let at = 0; at < script.length; ) {
    const token = tokenAt(script, at)
    if (token.kind === 'end') {
      if (start !== null) statements.push({ text: script.slice(start, end), offset: start })
      start = null
    } else if (token.kind === 'word') {
      start ??= at
      end = token.next
    }
    at = token.next
  }
  if (start !== null) statements.push({ text: script.slice(start, end), offset: start })
  return statements
}

/** The first words of a statement in capitals, such as `CREATE TABLE` or `INSERT`: a command tag without names and literals. */
export function commandOf(statement: string): string {
  const words = leadingWords(statement, 6)
  const verb = words[0] ?? ''
  if (!['CREATE', 'DROP', 'ALTER', 'COMMENT'].includes(verb)) return verb
  const object = words.slice(1).find(word => objects.has(word))
  return object ? `${verb} ${object}` : verb
}

const objects: ReadonlySet<string> = new Set([
  'TABLE',
  'VIEW',
  'SCHEMA',
  'INDEX',
  'SEQUENCE',
  'TYPE',
  'MACRO',
  'FUNCTION',
  'COLUMN',
])

interface Token {
  readonly kind: 'blank' | 'word' | 'end'
  readonly next: number
}

/** One token: a blank or comment, a statement's end, or a piece of a statement (quoted pieces whole). */
function tokenAt(script: string, at: number): Token {
  const blank = match(blanks, script, at)
  if (blank) return { kind: 'blank', next: at + blank.length }
  if (script.startsWith('/*', at)) return { kind: 'blank', next: endOfBlockComment(script, at) }
  if (script[at] === ';') return { kind: 'end', next: at + 1 }
  const dollar = match(dollarQuote, script, at)
  if (dollar) {
    const close = script.indexOf(dollar, at + dollar.length)
    return { kind: 'word', next: close < 0 ? script.length : close + dollar.length }
  }
  const piece =
    match(escapedString, script, at) ??
    match(plainString, script, at) ??
    match(quotedName, script, at) ??
    match(word, script, at)
  return { kind: 'word', next: at + (piece?.length ?? 1) }
}

// All sticky: each matches at `lastIndex` alone. An unterminated quote runs to the end of the text; the database reports it.
const blanks = /(?:\s+|--[^\n]*)+/y
const escapedString = /[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/y
const plainString = /'(?:[^']|'')*(?:'|$)/y
const quotedName = /"(?:[^"]|"")*(?:"|$)/y
const dollarQuote = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y
const word = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*/y

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Block comments nest. */
function endOfBlockComment(script: string, at: number): number {
  let depth = 1
  let next = at + 2
  while (next < script.length && depth > 0) {
    if (script.startsWith('/*', next)) [depth, next] = [depth + 1, next + 2]
    else if (script.startsWith('*/', next)) [depth, next] = [depth - 1, next + 2]
    else next += 1
  }
  return next
}

function leadingWords(statement: string, count: number): string[] {
  const words: string[] = []
  for (let at = 0; at < statement.length && words.length < count; ) {
    const token = tokenAt(statement, at)
    const text = statement.slice(at, token.next)
    if (token.kind === 'word' && /^[A-Za-z_]+$/.test(text)) words.push(text.toUpperCase())
    else if (token.kind === 'word' && words.length > 0) break
    at = token.next
  }
  return words
}
