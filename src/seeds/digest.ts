/**
 * A digest of what the database holds for a package, over logical values: encrypted columns count by their plain value; secrets and keyed
 * hashes, which depend on keys, do not count; nor do columns that the package does not set. So the digest is the same on every machine, under
 * every key and in every order of rows.
 *
 * A row's text is a JSON array of the names of its columns and their values, so that no two rows share a text. Its SHA-256 is read as four
 * numbers of 64 bits, and a table's digest is over their sums (a multiset hash by addition: M. Bellare, D. Micciancio, A New Paradigm for
 * Collision-Free Hashing, 1997), so rows can be hashed where they are, in any order and in pieces. It finds accidents; it is no seal against
 * somebody who forges rows.
 */
import { createHash } from 'node:crypto'
import type { Session } from '../engines/engine.ts'
import { type Protect, placeOfValue } from './protect.ts'
import type { Source, SourceColumn } from './source.ts'
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
  const lanes = laneOffsets.map(
    offset => `sum(('x' || substr(hash, ${2 * offset + 1}, 16))::bit(64)::bigint)::text as lane_${offset}`,
  )
  const { rows } = await session.query<Record<string, string | null>>(
    `with hashed as materialized (
       select encode(sha256(convert_to(${rowText(source)}, 'UTF8')), 'hex') as hash from ${joined(source)}
     )
     select count(*) as rows, ${lanes.join(', ')} from hashed`,
  )
  const row = rows[0] ?? {}
  return {
    rows: Number(row['rows'] ?? 0),
    lanes: laneOffsets.map(offset => BigInt.asUintN(64, BigInt(row[`lane_${offset}`] ?? 0))),
  }
}

/** For tables with encrypted columns, which only this side can read: their values follow the text of the plain ones. */
async function tallyHere(
  session: Session,
  source: Source,
  encrypted: readonly SourceColumn[],
  protect: Protect,
): Promise<Tally> {
  const values = encrypted.map((column, index) => `target.${name(column.name)} as ${name(`value_${index}`)}`)
  const { rows } = await session.query<{ number: number; text: string } & Record<string, unknown>>(
    `select staged.plinth_row as number, ${rowText(source)} as text, ${values.join(', ')} from ${joined(source)}`,
  )
  let tally = emptyTally
  for (const row of rows) {
    const planned = source.rowAt(row.number)
    const plains: (string | null)[] = []
    for (const [index, column] of encrypted.entries()) {
      const envelope = row[`value_${index}`]
      const isSet = envelope instanceof Uint8Array
      plains.push(isSet ? await protect.decrypt(envelope, placeOfValue(planned, column, source)) : null)
    }
    const names = encrypted.map(column => column.name)
    const hash = createHash('sha256')
      .update(`${row.text}${JSON.stringify([names, ...plains])}`)
      .digest()
    tally = addTallies(tally, { rows: 1, lanes: laneOffsets.map(offset => hash.readBigUInt64BE(offset)) })
  }
  return tally
}

/** Where the four numbers begin in a hash of 32 bytes. */
const laneOffsets = [0, 8, 16, 24] as const

function joined(source: Source): string {
  return `plinth_stage as staged join ${qualifiedName(source.table)} as target on ${matches(source.key)}`
}

/**
 * SQL of a row's text, plain columns only, in the order of their names. JSON writes times in ISO 8601, whatever the session's date style; the
 * transaction has set the time zone to UTC.
 */
function rowText(source: Source): string {
  const columns = sorted(source.columns.filter(column => column.protection === null))
  const names = columns.map(column => column.name).join(',')
  return `json_build_array('${names}'${columns.map(column => `, ${canonical(column)}`).join('')})::text`
}

function canonical({ name: column, type }: SourceColumn): string {
  const value = `target.${name(column)}`
  if (type === 'bytea') return `encode(${value}, 'hex')`
  // The type json keeps the blanks and the order of keys that it was given; its binary form has none of its own.
  if (type === 'json') return `${value}::jsonb`
  return value
}

function sorted(columns: readonly SourceColumn[]): readonly SourceColumn[] {
  return [...columns].sort((a, b) => (a.name < b.name ? -1 : 1))
}
