/** Statements and blocks. */
import { parseArguments, parseExpression, parseFilter, parseOr, parseTuple } from './parse-expression.ts'
import { expected, isAt, next, peek, type Reader, takes } from './reader.ts'
import type { BlockFilter, Body, Expression, Macro, Parameter, Statement, Target } from './syntax.ts'
import { parseTarget } from './targets.ts'
import { endings, invalid, lineCounter, statements, tokenize, unknownStatement } from './tokens.ts'

/** Throws TRANSFORM_INVALID with file and line. */
export function parse(file: string, source: string): Body {
  const placeAt = lineCounter(file, source)
  const reader: Reader = { tokens: tokenize(source, placeAt), placeAt, position: 0 }
  return parseBody(reader, [], [])
}

interface Open {
  readonly word: string
  readonly at: number
}

/** Everything up to one of the words that end the innermost open block, which is left for the caller to read. */
function parseBody(reader: Reader, open: readonly Open[], until: readonly string[]): Body {
  const body: Statement[] = []
  for (let token = peek(reader); token; token = peek(reader)) {
    if (token.type === 'text') {
      body.push({ type: 'text', at: token.at, text: next(reader).value })
    } else if (token.type === 'expression') {
      reader.position++
      const expression = parseTuple(reader)
      expected(reader, 'close', '}}')
      body.push({ type: 'print', at: token.at, expression })
    } else {
      const word = isAt(reader, 'name', undefined, 1) ? (peek(reader, 1)?.value ?? '') : ''
      if (until.includes(word)) return body
      reader.position += word === '' ? 1 : 2
      body.push(parseStatement(reader, word, token.at, open))
    }
  }
  const last = open.at(-1)
  if (last) throw invalid(`The block "${last.word}" that opens here is never closed.`, reader.placeAt(last.at))
  return body
}

/** After its first word. */
function parseStatement(reader: Reader, word: string, at: number, open: readonly Open[]): Statement {
  const inside = (...until: string[]) => parseBody(reader, [...open, { word: blockOf(word), at }], until)
  const close = () => expected(reader, 'close', '%}')
  const end = (...words: string[]) => {
    reader.position += 1
    const { value } = next(reader)
    // dbt lets an end repeat the name of what it ends.
    if (isAt(reader, 'name') && words.includes(value)) reader.position++
    close()
  }
  const block = (...words: string[]): Body => {
    close()
    const body = inside(...words)
    end(...words)
    return body
  }
  switch (word) {
    case 'if':
      return parseIf(reader, at, inside, end)
    case 'for':
      return parseFor(reader, at, inside, end)
    case 'set':
      return parseSet(reader, at, () => block('endset'))
    case 'macro': {
      const name = expected(reader, 'name').value
      return { type: 'macro', at, name, parameters: parseParameters(reader), body: block('endmacro') }
    }
    case 'test':
    case 'data_test': {
      const name = `test_${expected(reader, 'name').value}`
      return { type: 'macro', at, name, parameters: parseParameters(reader), body: block('endtest', 'enddata_test') }
    }
    case 'call':
      return parseCall(reader, at, () => block('endcall'))
    case 'filter':
      return { type: 'filter', at, filters: parseFilters(reader), body: block('endfilter') }
    case 'with':
      return { type: 'with', at, set: parseWith(reader), body: block('endwith') }
    case 'do': {
      const expression = parseTuple(reader)
      close()
      return { type: 'do', at, expression }
    }
    case 'break':
    case 'continue':
      close()
      return { type: word, at }
    default:
      throw misplaced(reader, word, at, open)
  }
}

function blockOf(word: string): string {
  return word === 'data_test' ? 'test' : word
}

function misplaced(reader: Reader, word: string, at: number, open: readonly Open[]) {
  const place = reader.placeAt(at)
  if (!(word in endings) && !statements.includes(word)) return unknownStatement(word, place)
  const last = open.at(-1)
  const still = last
    ? `The block "${last.word}" of line ${reader.placeAt(last.at).line} is still open.`
    : 'No block is open.'
  return invalid(`"${word}" closes nothing here. ${still}`, place)
}

type Inside = (...until: string[]) => Body
type End = (...words: string[]) => void

function parseIf(reader: Reader, at: number, inside: Inside, end: End): Statement {
  const branches: (readonly [Expression, Body])[] = []
  for (;;) {
    const condition = parseTuple(reader, parseExpression)
    expected(reader, 'close', '%}')
    branches.push([condition, inside('elif', 'else', 'endif')])
    if (!isAt(reader, 'name', 'elif', 1)) break
    reader.position += 2
  }
  const otherwise = parseElse(reader, () => inside('endif'))
  end('endif')
  return { type: 'if', at, branches, otherwise }
}

function parseElse(reader: Reader, body: () => Body): Body {
  if (!isAt(reader, 'name', 'else', 1)) return []
  reader.position += 2
  expected(reader, 'close', '%}')
  return body()
}

function parseFor(reader: Reader, at: number, inside: Inside, end: End): Statement {
  const target = parseTarget(reader)
  expected(reader, 'name', 'in')
  const many = parseTuple(reader, parseOr)
  const condition = takes(reader, 'name', 'if') ? parseExpression(reader) : null
  const isRecursive = takes(reader, 'name', 'recursive')
  expected(reader, 'close', '%}')
  const body = inside('else', 'endfor')
  const otherwise = parseElse(reader, () => inside('endfor'))
  end('endfor')
  return { type: 'for', at, target, many, condition, isRecursive, body, otherwise }
}

function parseSet(reader: Reader, at: number, block: () => Body): Statement {
  const target = parseTarget(reader)
  if (takes(reader, 'operator', '=')) {
    const value = parseTuple(reader)
    expected(reader, 'close', '%}')
    return { type: 'set', at, target, value }
  }
  const filters: BlockFilter[] = []
  while (isAt(reader, 'operator', '|')) filters.push(parseFilter(reader))
  return { type: 'set-block', at, target, filters, body: block() }
}

function parseParameters(reader: Reader): Parameter[] {
  expected(reader, 'operator', '(')
  const parameters: Parameter[] = []
  while (!takes(reader, 'operator', ')')) {
    const { value: name } = expected(reader, 'name')
    parameters.push({ name, fallback: takes(reader, 'operator', '=') ? parseExpression(reader) : null })
    if (takes(reader, 'operator', ',')) continue
    expected(reader, 'operator', ')')
    break
  }
  return parameters
}

function parseCall(reader: Reader, at: number, block: () => Body): Statement {
  const parameters = isAt(reader, 'operator', '(') ? parseParameters(reader) : []
  const call = parseExpression(reader)
  if (call.type !== 'call') throw invalid('"call" is followed by the call of a macro.', reader.placeAt(call.at))
  const caller: Macro = { type: 'macro', at, name: 'caller', parameters, body: block() }
  return { type: 'call', at, call, caller }
}

function parseFilters(reader: Reader): BlockFilter[] {
  const { at, value: name } = expected(reader, 'name')
  const filters: BlockFilter[] = [{ at, name, given: takes(reader, 'operator', '(') ? parseArguments(reader) : [] }]
  while (isAt(reader, 'operator', '|')) filters.push(parseFilter(reader))
  return filters
}

function parseWith(reader: Reader): (readonly [Target, Expression])[] {
  const set: (readonly [Target, Expression])[] = []
  while (!isAt(reader, 'close')) {
    const { at, value: name } = expected(reader, 'name')
    expected(reader, 'operator', '=')
    set.push([{ type: 'name', at, name }, parseExpression(reader)])
    if (!takes(reader, 'operator', ',')) break
  }
  return set
}
