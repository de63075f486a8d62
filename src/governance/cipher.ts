/**
 * Protected values: how one value is sealed, and how it can be looked up without being opened. Pure functions over keys that the
 * keyring lends; nothing here reads a database, a file or a clock.
 *
 * A sealed value is an envelope:
 *
 *     offset  bytes  field
 *     0       1      version, 1
 *     1       16     id of the data key, a UUID
 *     17      12     nonce, random (96 bits)
 *     29      n      ciphertext
 *     29 + n  16     authentication tag (128 bits)
 *
 * The cipher is AES-256 in Galois/Counter Mode (NIST SP 800-38D). Nonces are random, for which section 8.3 allows 2^32 values under one
 * key: each organization has a data key of its own, and rotation makes a new one long before. The associated data is the envelope's
 * version and key id, followed by where the value lives, so an envelope that is moved to another column, table or organization does not
 * open.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { PlinthError } from '../errors.ts'

/** Where a protected value lives. */
export interface ValuePlace {
  /** Qualified, such as `platform.users`. */
  readonly table: string
  readonly column: string
  /** Lower-case UUID; null for a value that belongs to no organization. */
  readonly organizationId: string | null
}

/** How a value is normalised before it is hashed: `email` trims, composes (NFC) and lowers the case; `exact` takes it as it is. */
export type LookupForm = 'email' | 'exact'

export interface DataKey {
  /** Lower-case UUID. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array
}

export const keyBytes = 32

/** Seals a text. The nonce is random, so the same text never gives the same envelope twice. */
export function seal(plain: string, key: DataKey, place: ValuePlace): Uint8Array {
  const header = envelopeHeader(key.id)
  return Buffer.concat([header, sealBytes(Buffer.from(plain, 'utf8'), key.secret, associatedData(header, place))])
}

/** Opens an envelope. Throws CIPHER_INVALID when it was altered, belongs elsewhere, or was sealed under another key. */
export function open(envelope: Uint8Array, key: DataKey, place: ValuePlace): string {
  if (keyIdOf(envelope, place) !== key.id) throw unreadable(place, 'it names another data key')
  const header = envelope.subarray(0, headerBytes)
  const opened = openBytes(envelope.subarray(headerBytes), key.secret, associatedData(header, place))
  if (!opened) throw unreadable(place, 'its authentication tag does not match')
  return opened.toString('utf8')
}

/** The id of the data key that an envelope names. Throws CIPHER_INVALID when it is not an envelope. */
export function keyIdOf(envelope: Uint8Array, place: ValuePlace): string {
  if (envelope.length < headerBytes + nonceBytes + tagBytes)
    throw unreadable(place, 'it is too short to be an envelope')
  if (envelope[0] !== envelopeVersion) throw unreadable(place, `its version is not ${envelopeVersion}`)
  const hex = Buffer.from(envelope.subarray(1, headerBytes)).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * Nonce, ciphertext and tag of some bytes: the envelope without its header. Data keys are wrapped with it as well.
 * NIST SP 800-38D, sections 7.1 and 8.2.2.
 */
export function sealBytes(plain: Uint8Array, secret: Uint8Array, associated: Uint8Array): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes })
  cipher.setAAD(associated)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The opposite of sealBytes; null when the tag does not match. NIST SP 800-38D, section 7.2. */
export function openBytes(sealed: Uint8Array, secret: Uint8Array, associated: Uint8Array): Buffer | null {
  if (sealed.length < nonceBytes + tagBytes) return null
  const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(associated)
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes)), decipher.final()])
  } catch {
    return null
  }
}

/**
 * A keyed hash by which a protected value can be found and kept unique: HMAC-SHA256 (FIPS 198-1, RFC 2104) under the index key, over the
 * place and the normalised value. Equal values of two organizations, or of two columns, have unrelated hashes. It is not reversible
 * without the index key, but it shows which rows of one column are equal, so it does not suit columns with few distinct values.
 */
export function lookupHash(value: string, indexKey: Uint8Array, place: ValuePlace, form: LookupForm): Uint8Array {
  const message = frame(['plinth lookup 1', form, ...placeParts(place), normalise(value, form)])
  return createHmac('sha256', indexKey).update(message).digest()
}

export function normalise(value: string, form: LookupForm): string {
  return form === 'email' ? value.trim().normalize('NFC').toLowerCase().normalize('NFC') : value
}

/**
 * Joins texts so that no two lists give the same bytes: each part is preceded by its length as four bytes, most significant first.
 * Without lengths, ("ab", "c") and ("a", "bc") would be the same message.
 */
export function frame(parts: readonly string[]): Buffer {
  return Buffer.concat(
    parts.flatMap(part => {
      const bytes = Buffer.from(part, 'utf8')
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return [length, bytes]
    }),
  )
}

const envelopeVersion = 1
const headerBytes = 17
const nonceBytes = 12
const tagBytes = 16

function envelopeHeader(keyId: string): Buffer {
  return Buffer.concat([Buffer.of(envelopeVersion), Buffer.from(keyId.replaceAll('-', ''), 'hex')])
}

function associatedData(header: Uint8Array, place: ValuePlace): Buffer {
  return Buffer.concat([header, frame(['plinth value 1', ...placeParts(place)])])
}

/** An absent organization and an empty text differ, because the first part says which it is. */
function placeParts(place: ValuePlace): string[] {
  const organization =
    place.organizationId === null ? ['none', ''] : ['organization', place.organizationId.toLowerCase()]
  return [place.table, place.column, ...organization]
}

function unreadable(place: ValuePlace, why: string): PlinthError {
  return new PlinthError('CIPHER_INVALID', `A value of ${place.table}.${place.column} cannot be decrypted: ${why}.`, {
    at: { object: `${place.table}.${place.column}` },
    hint: 'Check that the value was not altered or moved from another row, column or organization.',
  })
}
