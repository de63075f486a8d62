/**
 * A digest of what the database holds for a package, over logical values: encrypted columns count by their plain value; secrets and keyed
 * hashes, which depend on keys, do not count; nor do columns that the package does not set. So the digest is the same on every machine, under
 * every key and in every order of rows.
 *
 * A row's text names each column and its value, both preceded by their length in bytes, so that no two rows share a text. Its SHA-256 is read
 * as four numbers of 64 bits, and a table's digest is over their sums (a multiset hash by addition: M. Bellare, D. Micciancio, A New Paradigm
 * for Collision-Free Hashing, 1997), so rows can be hashed where they are, in any order and in pieces. It finds accidents; it is no seal against
 * somebody who forges rows.
 */
import { createHash } from 'node:crypto'
import type { Session } from '../engines/engine.ts'
import { type Protect, placeOfValue } from './protect.ts'
import type { Source, SourceColumn } from './resolve.ts'
import { matches, name, qualifiedName } from './statement.ts'

/** Sums of the lanes and the number of rows. */
export interface Tally {
  readonly rows: number
  readonly lanes: readonly bigint[]
}

export const emptyTally: Tally = { rows: 0, lanes: [0n, 0n, 0n, 0n] }

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    rows: a.rows + b.rows,
    lanes: a.lanes.map((lane, index) => BigInt.asUintN(64, lane + (b.lanes[index] ?? 0n))),
  }
}

export function tableDigest(table: string, tally: Tally): string {
  const lanes = tally.lanes.map(lane => lane.toString(16).padStart(16, '0'))
  return createHash('sha256')
    .update(['plinth table digest 1', table, String(tally.rows), ...lanes].join('\n'))
    .digest('hex')
}

export function packageDigest(tables: readonly { readonly table: string; readonly digest: string }[]): string {
  const lines = tables.map(({ table, digest }) => `${table} ${digest}`).sort()
  return createHash('sha256')
    .update(['plinth package digest 1', ...lines].join('\n'))
    .digest('hex')
}

/** Reads the staged rows back from their table. Runs in the transaction that holds the stage. */
export async function tallyStaged(session: Session, source: Source, protect: Protect | null): Promise<Tally> {
  const encrypted = sorted(source.columns.filter(column => column.protection === 'encrypted'))
  return encrypted.length === 0 || !protect
    ? tallyInDatabase(session, source)
    : tallyHere(session, source, encrypted, protect)
}

async function tallyInDatabase(session: Session, source: Source): Promise<Tally> {
  const lanes = [1, 9, 17, 25].map(
    (start, index) =>
      `sum(('x' || encode(substring(hash from ${start} for 8), 'hex'))::bit(64)::bigint::numeric)::text as lane_${index}`,
  )
  const { rows } = await session.query<Record<string, string | null>>(
    `select count(*) as rows, ${lanes.join(', ')}
       from (select sha256(convert_to(${rowText(source)}, 'UTF8')) as hash from ${joined(source)}) as hashed`,
  )
  const row = rows[0] ?? {}
  return {
    rows: Number(row['rows'] ?? 0),
    lanes: [0, 1, 2, 3].map(index => BigInt.asUintN(64, BigInt(row[`lane_${index}`] ?? 0))),
  }
}

/** For tables with encrypted columns, which only this side can read. */
async function tallyHere(
  session: Session,
  source: Source,
  encrypted: readonly SourceColumn[],
  protect: Protect,
): Promise<Tally> {
  const { rows } = await session.query<{ number: number; text: string } & Record<string, unknown>>(
    `select staged.plinth_row as number, ${rowText(source)} as text,
            ${encrypted.map((column, index) => `target.${name(column.name)} as ${name(`value_${index}`)}`).join(', ')}
       from ${joined(source)}`,
  )
  let tally = emptyTally
  for (const row of rows) {
    const planned = source.rowAt(row.number)
    const hash = createHash('sha256').update(row.text)
    for (const [index, column] of encrypted.entries()) {
      const envelope = row[`value_${index}`]
      const plain =
        envelope instanceof Uint8Array ? await protect.decrypt(envelope, placeOfValue(planned, column, source)) : null
      hash.update(sized(column.name)).update(plain === null ? '-' : sized(plain))
    }
    const bytes = hash.digest()
    tally = addTallies(tally, { rows: 1, lanes: [0, 8, 16, 24].map(offset => bytes.readBigUInt64BE(offset)) })
  }
  return tally
}

function joined(source: Source): string {
  return `plinth_stage as staged join ${qualifiedName(source.table)} as target on ${matches(source.key)}`
}

/** SQL of a row's text, plain columns only, in the order of their names. */
function rowText(source: Source): string {
  const parts = sorted(source.columns.filter(column => column.protection === null)).map(column => {
    const text = canonical(column)
    return `'${sized(column.name)}' || coalesce(octet_length(${text}) || ':' || ${text}, '-')`
  })
  return parts.length === 0 ? `''` : `(${parts.join(' || ')})`
}

/** SQL of a value's text that does not depend on the session's settings. */
function canonical({ name: column, type }: SourceColumn): string {
  const value = `target.${name(column)}`
  if (type.startsWith('timestamp') && type.endsWith('with time zone'))
    return `to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
  if (type.startsWith('timestamp')) return `to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.US')`
  if (type === 'date') return `to_char(${value}, 'YYYY-MM-DD')`
  if (type === 'bytea') return `encode(${value}, 'hex')`
  if (type === 'json') return `(${value}::jsonb)::text`
  if (type.endsWith('[]')) return `array_to_json(${value})::text`
  return `${value}::text`
}

function sorted(columns: readonly SourceColumn[]): readonly SourceColumn[] {
  return [...columns].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function sized(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`
}
