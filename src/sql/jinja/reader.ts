/** Reads tokens one after another. */
import { invalid, type PlaceAt, type Token } from './tokens.ts'

/** The tokens of a template and how far they are read. */
export interface Reader {
  readonly tokens: readonly Token[]
  readonly placeAt: PlaceAt
  position: number
}

export function peek({ tokens, position }: Reader, ahead = 0): Token | undefined {
  return tokens[position + ahead]
}

export function next(reader: Reader): Token {
  const token = reader.tokens[reader.position]
  if (!token) throw invalid('The template ends too early.', reader.placeAt(reader.tokens.at(-1)?.at ?? 0))
  reader.position++
  return token
}

export function isAt(reader: Reader, type: Token['type'], value?: string, ahead = 0): boolean {
  const token = peek(reader, ahead)
  return token?.type === type && (value === undefined || token.value === value)
}

/** Reads on when the token is that one. */
export function takes(reader: Reader, type: Token['type'], value: string): boolean {
  if (!isAt(reader, type, value)) return false
  reader.position++
  return true
}

export function expected(reader: Reader, type: Token['type'], value?: string): Token {
  if (isAt(reader, type, value)) return next(reader)
  throw unexpected(reader, value ?? `a ${type}`)
}

export function unexpected(reader: Reader, wanted?: string) {
  const token = peek(reader) ?? reader.tokens.at(-1)
  const before = wanted === undefined ? '' : `, where ${wanted.startsWith('a ') ? wanted : `"${wanted}"`} is expected`
  const what = token?.type === 'close' ? `The tag ends too early${before}.` : `Unexpected "${token?.value}"${before}.`
  return invalid(what, reader.placeAt(token?.at ?? 0))
}
