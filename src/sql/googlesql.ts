/** Reads GoogleSQL, BigQuery's dialect, by its tokens: where statements begin and end, what kind each is, where its parameters are. */

export interface StatementText {
  readonly text: string
  /** Where `text` begins in the script, in UTF-16 units. */
  readonly offset: number
}

export interface Token {
  readonly kind: 'blank' | 'word' | 'name' | 'literal' | 'parameter' | 'sign'
  readonly text: string
  readonly offset: number
}

/** Every token of the text, blanks and comments included, so that joined they are the text again. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length; ) {
    const found = patterns.find(([, pattern]) => {
      pattern.lastIndex = at
      return pattern.test(text)
    })
    const kind = found?.[0] ?? 'sign'
    const end = found ? found[1].lastIndex : at + 1
    tokens.push({ kind, text: text.slice(at, end), offset: at })
    at = end
  }
  return tokens
}

/** The statements of a script in order, without their semicolons. A block from `begin` to `end`, and what has blocks in it, is one. */
export function splitStatements(script: string): StatementText[] {
  const statements: StatementText[] = []
  let words: Token[] = []
  let depth = 0
  const finish = () => {
    const [first] = words
    const last = words.at(-1)
    if (first && last)
      statements.push({ text: script.slice(first.offset, last.offset + last.text.length), offset: first.offset })
    words = []
    depth = 0
  }
  const tokens = tokensOf(script).filter(({ kind }) => kind !== 'blank')
  for (const [index, token] of tokens.entries()) {
    if (token.text === ';' && depth <= 0) {
      finish()
      continue
    }
    depth += depthChange(tokens, index, words.length === 0 || tokens[index - 1]?.text === ';')
    words.push(token)
  }
  finish()
  return statements
}

export type StatementKind = 'query' | 'write' | 'begin' | 'commit' | 'rollback' | 'scripting' | 'definition'

/** What a statement does, by its first words. */
export function kindOf(statement: string): StatementKind {
  const [first = '', second = '', third = ''] = leadingWords(statement, 3)
  if (first === 'SELECT' || first === 'WITH' || first === '(' || first === 'FROM') return 'query'
  if (first === 'BEGIN') return second === '' || second === 'TRANSACTION' ? 'begin' : 'scripting'
  if (first === 'COMMIT' || first === 'ROLLBACK') return first === 'COMMIT' ? 'commit' : 'rollback'
  if (['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'TRUNCATE', 'ASSERT'].includes(first)) return 'write'
  const temporary = (word: string) => word === 'TEMP' || word === 'TEMPORARY'
  if (first === 'CREATE' && (temporary(second) || (second === 'OR' && third === 'REPLACE'))) {
    const words = leadingWords(statement, 4)
    return words.some(temporary) ? 'scripting' : 'definition'
  }
  return ['CREATE', 'DROP', 'ALTER', 'GRANT', 'REVOKE', 'EXPORT', 'LOAD'].includes(first) ? 'definition' : 'scripting'
}

/** The first words of a statement in capitals, such as `CREATE TABLE` or `INSERT`. */
export function commandOf(statement: string): string {
  const words = leadingWords(statement, 6)
  const verb = words[0] ?? ''
  if (!['CREATE', 'DROP', 'ALTER'].includes(verb)) return verb === '(' ? 'SELECT' : verb
  const object = words.slice(1).find(word => objects.has(word))
  return object ? `${verb} ${object}` : verb
}

const objects: ReadonlySet<string> = new Set(['TABLE', 'VIEW', 'SCHEMA', 'FUNCTION', 'PROCEDURE', 'INDEX', 'COLUMN'])

// All sticky: each matches at `lastIndex` alone. An unterminated quote runs to the end of the text; BigQuery reports it.
const patterns: readonly (readonly [Token['kind'], RegExp])[] = [
  ['blank', /(?:\s+|--[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$))+/y],
  ['literal', /(?:r|b|rb|br)?(?:'''(?:\\[\s\S]|[\s\S])*?(?:'''|$)|"""(?:\\[\s\S]|[\s\S])*?(?:"""|$))/iy],
  ['literal', /(?:r|b|rb|br)?(?:'(?:\\[\s\S]|[^'\\])*(?:'|$)|"(?:\\[\s\S]|[^"\\])*(?:"|$))/iy],
  ['name', /`(?:\\[\s\S]|[^`\\])*(?:`|$)/y],
  ['parameter', /\$\d+|@@?[A-Za-z_]\w*/y],
  ['literal', /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|0x[0-9a-f]+/iy],
  ['word', /[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*/y],
]

/** `case` ends with `end` as blocks do; a block opens only where a statement begins. */
function depthChange(tokens: readonly Token[], index: number, starts: boolean): number {
  const token = tokens[index]
  if (token?.kind !== 'word') return 0
  const word = token.text.toUpperCase()
  const before = tokens[index - 1]?.text.toUpperCase()
  if (word === 'END') return -1
  if (before === 'END') return 0
  if (word === 'CASE') return 1
  const opens =
    starts || before === 'THEN' || before === 'ELSE' || before === 'DO' || before === 'LOOP' || before === 'BEGIN'
  if (!opens) return 0
  const next = tokens[index + 1]?.text.toUpperCase()
  if (word === 'BEGIN') return next === undefined || next === ';' || next === 'TRANSACTION' ? 0 : 1
  return word === 'LOOP' || word === 'WHILE' || word === 'REPEAT' || word === 'FOR' || (word === 'IF' && next !== '(')
    ? 1
    : 0
}

function leadingWords(statement: string, count: number): string[] {
  const words: string[] = []
  for (const { kind, text } of tokensOf(statement.slice(0, 2000))) {
    if (words.length >= count) break
    if (kind === 'word') words.push(text.toUpperCase())
    else if (kind === 'sign' && text === '(' && words.length === 0) words.push('(')
    else if (kind !== 'blank' && words.length > 0) break
  }
  return words
}
