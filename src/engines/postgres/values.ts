/** How PostgreSQL's text form becomes JavaScript without loss. Types that are not named here stay text, which is lossless too. */

/** For `types` of a client: parsers of one connection, never of the whole process. */
export const parsers = {
  getTypeParser(oid: number, format?: string): Parser {
    if (format === 'binary') return asIs
    const element = elementOfArray[oid]
    if (element !== undefined) {
      const parse = scalars[element] ?? asIs
      return text => arrayOf(text, parse)
    }
    return scalars[oid] ?? asIs
  },
}

type Parser = (text: string) => unknown

const asIs: Parser = text => text

const scalars: Readonly<Record<number, Parser>> = {
  16: text => text === 't',
  17: bytes,
  21: Number,
  23: Number,
  26: Number,
  114: text => JSON.parse(text) as unknown,
  700: Number,
  701: Number,
  1114: timestamp,
  1184: timestamp,
  3802: text => JSON.parse(text) as unknown,
}

/** Array types of the catalog and their elements; a type of the user's own stays text. */
const elementOfArray: Readonly<Record<number, number>> = {
  199: 114,
  1000: 16,
  1001: 17,
  1002: 18,
  1003: 19,
  1005: 21,
  1007: 23,
  1009: 25,
  1014: 1042,
  1015: 1043,
  1016: 20,
  1021: 700,
  1022: 701,
  1028: 26,
  1115: 1114,
  1182: 1082,
  1183: 1083,
  1185: 1184,
  1187: 1186,
  1231: 1700,
  2951: 2950,
  3807: 3802,
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
}

/**
 * `2026-01-31 12:00:00.5+00` becomes `2026-01-31T12:00:00.500000Z`; a timestamp without time zone has no `Z`. Years before Christ and
 * infinity, which ISO 8601 cannot say plainly, stay as the server writes them.
 */
function timestamp(text: string): string {
  const match = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?([+-][\d:]+)?$/.exec(text)
  if (!match) return text
  const [, date = '', time = '', fraction = '', offset] = match
  const micros = fraction.padEnd(6, '0')
  if (offset === undefined) return `${date}T${time}.${micros}`
  const seconds = offsetSeconds(offset)
  if (seconds === 0) return `${date}T${time}.${micros}Z`
  // Somebody set another time zone in the session; offsets of old local times even have seconds.
  const shifted = new Date(Date.parse(`${date}T${time}Z`) - seconds * 1000).toISOString()
  return `${shifted.slice(0, -5)}.${micros}Z`
}

function offsetSeconds(offset: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = offset.slice(1).split(':').map(Number)
  return (offset.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds)
}

/** `{1,NULL,"a \"b\""}`, also nested and with bounds in front (`[0:1]={…}`). */
function arrayOf(text: string, parse: Parser): unknown[] {
  const root: unknown[] = []
  const open: unknown[][] = [root]
  const body = text.slice(text.indexOf('{'))
  for (const [, brace, quoted, plain] of body.matchAll(/([{}])|"((?:\\.|[^"\\])*)"|([^{},"]+)/gs)) {
    const inner = open.at(-1) ?? root
    if (brace === '{') {
      const next: unknown[] = []
      inner.push(next)
      open.push(next)
    } else if (brace === '}') open.pop()
    else if (quoted !== undefined) inner.push(parse(quoted.replace(/\\(.)/gs, '$1')))
    else if (plain !== undefined) inner.push(plain === 'NULL' ? null : parse(plain))
  }
  return (root[0] as unknown[] | undefined) ?? []
}
