/** Names and expressions in generated SQL. */
import { createHash } from 'node:crypto'
import { quotedName } from '../../sql/tree.ts'

/** Plain where PostgreSQL reads it so, else in double quotes. */
export function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : quotedName([name])
}

export function qualifiedName(schema: string, name: string): string {
  return `${identifier(schema)}.${identifier(name)}`
}

/** At most 63 bytes; a longer one ends with a digest of the whole, so that two stay two. */
export function shortName(...parts: readonly string[]): string {
  const whole = parts.join('_')
  if (Buffer.byteLength(whole) <= 63) return whole
  const digest = createHash('sha256').update(whole).digest('hex').slice(0, 8)
  return `${Buffer.from(whole).subarray(0, 54).toString('utf8').replace(/�+$/, '')}_${digest}`
}

/** Puts something in the place of a column's name, outside quoted texts. */
export function replaceColumn(expression: string, column: string, by: string): string {
  return expression.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*/gu, word => {
    const name = word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase()
    return !word.startsWith("'") && name === column ? by : word
  })
}

export function mentions(expression: string, column: string): boolean {
  return replaceColumn(expression, column, '\u0000').includes('\u0000')
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** Key words that PostgreSQL does not take as a name of a column. */
const reserved: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation column concurrently
  constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp current_user default
  deferrable desc distinct do else end except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
  into is isnull join lateral leading left like limit localtime localtimestamp natural new not notnull null offset old on only or order outer
  overlaps placing primary references returning right select session_user similar some symmetric system_user table tablesample then to
  trailing true union unique user using variadic verbose when where window with`.split(/\s+/),
)
