/** How the values of a package become what is stored. The protection itself is lent by the caller, so seeds know no cipher and no key. */
import { randomBytes } from 'node:crypto'
import type { Session } from '../engines/engine.ts'
import { asPlinthError, PlinthError } from '../errors.ts'
import { arrayText, type Datum, inputText, scalarText, Sealed, type SeedRow } from './datum.ts'
import type { Source, SourceColumn } from './source.ts'
import { matches, name, qualifiedName } from './statement.ts'

/** What seeds need from whoever protects values; a keyring of governance fits. */
export interface Protect {
  /** Makes keys ready; called before any transaction begins. */
  prepare(organizationIds: readonly (string | null)[]): Promise<void>
  encrypt(plain: string, place: ProtectedPlace): Promise<Uint8Array>
  /** Throws CIPHER_INVALID. */
  decrypt(envelope: Uint8Array, place: ProtectedPlace): Promise<string>
  lookupHash(value: string, place: ProtectedPlace & { readonly form: 'email' | 'exact' }): Uint8Array
}

export interface ProtectedPlace {
  readonly table: string
  readonly column: string
  readonly organizationId: string | null
}

/** A secret that this run made; its only appearance. */
export interface RevealedSecret {
  readonly table: string
  readonly label: string
  readonly column: string
  readonly secret: string
}

/** Rows as they will be stored: texts that PostgreSQL reads, in the order of the source's columns. */
export interface StoredRows {
  readonly rows: readonly (readonly (string | null)[])[]
  readonly secrets: readonly RevealedSecret[]
}

/**
 * Protects the values of a source's rows. What the database has already is kept when it is the same: a ciphertext that decrypts to the
 * planned value, and every secret's hash, since nobody knows the secret any more. Reads outside of a transaction; the caller holds the lock.
 */
export async function storedRows(
  session: Session,
  source: Source,
  rows: readonly SeedRow[],
  protect: Protect | null,
): Promise<StoredRows> {
  if (!protect || !source.columns.some(column => column.protection)) {
    return { rows: rows.map(row => source.columns.map(column => plainText(row, column, source))), secrets: [] }
  }
  await protect.prepare(rows.map(row => organizationOf(row, source)))
  const existing = await existingValues(session, source, rows, protect)
  const secrets: RevealedSecret[] = []
  const stored = await Promise.all(
    rows.map((row, index) =>
      Promise.all(source.columns.map(column => storedText(row, column, source, existing.get(index), protect, secrets))),
    ),
  )
  return { rows: stored, secrets: secrets.sort((a, b) => a.label.localeCompare(b.label, 'en')) }
}

/** The place that binds a row's value. A secret is looked up before its organization is known, so no organization is part of its hash. */
export function placeOfValue(row: SeedRow, column: SourceColumn, source: Source): ProtectedPlace {
  return {
    table: source.table,
    column: column.name,
    organizationId: column.protection === 'secret' ? null : organizationOf(row, source),
  }
}

async function storedText(
  row: SeedRow,
  column: SourceColumn,
  source: Source,
  existing: ReadonlyMap<string, Uint8Array> | undefined,
  protect: Protect,
  secrets: RevealedSecret[],
): Promise<string | null> {
  const value = row.values.get(column.name) ?? null
  if (!(value instanceof Sealed)) return plainText(row, column, source)
  const place = placeOfValue(row, column, source)
  const present = existing?.get(column.name)
  if (value.protection === 'hashed') {
    return bytesText(protect.lookupHash(value.reveal(), { ...place, form: value.form }))
  }
  if (value.protection === 'secret') {
    if (present) return bytesText(present)
    const secret = `${value.reveal()}_${randomBytes(24).toString('base64url')}`
    secrets.push({ table: source.table, label: row.label, column: column.name, secret })
    return bytesText(protect.lookupHash(secret, { ...place, form: 'exact' }))
  }
  const isSame = present && (await decrypted(present, place, source, row, protect)) === value.reveal()
  return bytesText(isSame ? present : await protect.encrypt(value.reveal(), place))
}

async function decrypted(
  envelope: Uint8Array,
  place: ProtectedPlace,
  source: Source,
  row: SeedRow,
  protect: Protect,
): Promise<string> {
  try {
    return await protect.decrypt(envelope, place)
  } catch (thrown) {
    const error = asPlinthError(thrown)
    throw new PlinthError(error.code, error.message, {
      at: source.placeOf(row, place.column),
      hint: error.hint,
      cause: thrown,
    })
  }
}

/** Ciphertexts and secret hashes that the database has for these rows, by the row's index. */
async function existingValues(
  session: Session,
  source: Source,
  rows: readonly SeedRow[],
  protect: Protect,
): Promise<ReadonlyMap<number, ReadonlyMap<string, Uint8Array>>> {
  const wanted = source.columns.filter(column => column.protection === 'encrypted' || column.protection === 'secret')
  if (wanted.length === 0 || rows.length === 0) return new Map()
  const keys = source.key.map(column =>
    rows.map(row => {
      const value = row.values.get(column.name) ?? null
      if (!(value instanceof Sealed)) return plainText(row, column, source)
      return bytesText(protect.lookupHash(value.reveal(), { ...placeOfValue(row, column, source), form: value.form }))
    }),
  )
  const arrays = source.key.map((column, index) => `$${index + 1}::text[]::${column.type}[]`)
  const { rows: found } = await session.query<{ number: string } & Record<string, unknown>>(
    `select staged.number, ${wanted.map((column, index) => `target.${name(column.name)} as ${name(`value_${index}`)}`).join(', ')}
       from unnest(${arrays.join(', ')}) with ordinality as staged (${source.key.map(column => name(column.name)).join(', ')}, number)
       join ${qualifiedName(source.table)} as target on ${matches(source.key)}`,
    keys.map(values => arrayText(values)),
  )
  return new Map(
    found.map(row => {
      const values = wanted.map((column, index) => [column.name, row[`value_${index}`]] as const)
      return [
        Number(row.number) - 1,
        new Map(values.filter((pair): pair is readonly [string, Uint8Array] => pair[1] instanceof Uint8Array)),
      ] as const
    }),
  )
}

function organizationOf(row: SeedRow, source: Source): string | null {
  const value: Datum = source.tenant === null ? null : (row.values.get(source.tenant) ?? null)
  return value === null ? null : scalarText(value)
}

function plainText(row: SeedRow, column: SourceColumn, source: Source): string | null {
  const text = inputText(row.values.get(column.name) ?? null, column.type)
  if (text !== undefined) return text
  throw new PlinthError(
    'SEED_INVALID',
    `"${column.name}" of ${source.table} is ${column.type}, which cannot hold this value.`,
    {
      at: source.placeOf(row, column.name),
    },
  )
}

function bytesText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`
}
