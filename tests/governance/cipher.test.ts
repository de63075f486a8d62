/** Sealed values: what opens them, what does not, and the same bytes computed another way. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  frame,
  lookupHash,
  normalise,
  open,
  openBytes,
  seal,
  sealBytes,
  type ValuePlace,
} from '../../src/governance/cipher.ts'

const organizationId = '6f1c8a52-0d5e-8b43-9a77-4a1e3f0b2c19'
const place: ValuePlace = { table: 'platform.users', column: 'email_ciphertext', organizationId }
const key = { id: '0193d7a0-5b1c-4f6e-8a39-1c2d3e4f5a6b', secret: randomBytes(32) }

describe('an envelope', () => {
  test('opens to what was sealed, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(open(seal(text, key, place), key, place)).toBe(text)
      }),
    )
  })

  test('has the documented layout, and opens by hand', () => {
    const envelope = Buffer.from(seal('ada@example.com', key, place))
    expect(envelope.length).toBe(1 + 16 + 12 + 'ada@example.com'.length + 16)
    expect(envelope[0]).toBe(1)
    expect(envelope.subarray(1, 17).toString('hex')).toBe(key.id.replaceAll('-', ''))
    const decipher = createDecipheriv('aes-256-gcm', key.secret, envelope.subarray(17, 29))
    decipher.setAAD(
      Buffer.concat([
        envelope.subarray(0, 17),
        byHand('plinth value 1', 'platform.users', 'email_ciphertext', 'organization', organizationId),
      ]),
    )
    decipher.setAuthTag(envelope.subarray(-16))
    expect(Buffer.concat([decipher.update(envelope.subarray(29, -16)), decipher.final()]).toString()).toBe(
      'ada@example.com',
    )
  })

  test('that was sealed by hand opens too', () => {
    const header = Buffer.concat([Buffer.of(1), Buffer.from(key.id.replaceAll('-', ''), 'hex')])
    const nonce = Buffer.alloc(12, 7)
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce)
    cipher.setAAD(Buffer.concat([header, byHand('plinth value 1', 'platform.users', 'email_ciphertext', 'none', '')]))
    const body = Buffer.concat([cipher.update('grüße'), cipher.final()])
    const envelope = Buffer.concat([header, nonce, body, cipher.getAuthTag()])
    expect(open(envelope, key, { ...place, organizationId: null })).toBe('grüße')
  })

  test('is never the same twice', () => {
    const all = Array.from({ length: 200 }, () => Buffer.from(seal('same', key, place)).toString('hex'))
    expect(new Set(all).size).toBe(200)
  })

  test('does not open when any bit of it was altered', () => {
    const envelope = seal('ada@example.com', key, place)
    for (let bit = 0; bit < envelope.length * 8; bit++) {
      const altered = Buffer.from(envelope)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => open(altered, key, place), `bit ${bit}`).toThrow(expect.objectContaining({ code: 'CIPHER_INVALID' }))
    }
  })

  test('does not open when it was cut short or lengthened', () => {
    const envelope = Buffer.from(seal('ada@example.com', key, place))
    for (let length = 0; length < envelope.length; length++) {
      expect(() => open(envelope.subarray(0, length), key, place)).toThrow(
        expect.objectContaining({ code: 'CIPHER_INVALID' }),
      )
    }
    expect(() => open(Buffer.concat([envelope, Buffer.of(0)]), key, place)).toThrow(
      expect.objectContaining({ code: 'CIPHER_INVALID' }),
    )
  })

  test.each([
    ['another table', { ...place, table: 'platform.api_keys' }],
    ['another column', { ...place, column: 'email' }],
    ['another organization', { ...place, organizationId: '6f1c8a52-0d5e-8b43-9a77-4a1e3f0b2c18' }],
    ['no organization', { ...place, organizationId: null }],
    ['parts that join to the same text', { ...place, table: 'platform.user', column: 'semail_ciphertext' }],
  ])('does not open in %s', (_, elsewhere) => {
    expect(() => open(seal('ada@example.com', key, place), key, elsewhere)).toThrow(
      expect.objectContaining({ code: 'CIPHER_INVALID' }),
    )
  })

  test('does not open under another key, even one of the same id', () => {
    const envelope = seal('ada@example.com', key, place)
    expect(() => open(envelope, { ...key, secret: randomBytes(32) }, place)).toThrow(
      expect.objectContaining({ code: 'CIPHER_INVALID' }),
    )
    expect(() => open(envelope, { ...key, id: '0193d7a0-5b1c-4f6e-8a39-1c2d3e4f5a6c' }, place)).toThrow(
      expect.objectContaining({ code: 'CIPHER_INVALID' }),
    )
  })

  test('that is refused tells nothing of the value or the key', () => {
    const envelope = seal('ada@example.com', key, place)
    try {
      open(envelope, { ...key, secret: randomBytes(32) }, place)
      expect.unreachable()
    } catch (error) {
      const told = JSON.stringify({ ...(error as object), message: (error as Error).message })
      expect(told).not.toContain('ada@example.com')
      expect(told).not.toContain(key.secret.toString('hex'))
    }
  })
})

describe('sealed bytes', () => {
  // Test case 14 of the Galois/Counter Mode specification (D. McGrew, J. Viega): key, nonce and plain text of zeros.
  test('open the published vector', () => {
    const sealed = Buffer.from(
      ['00'.repeat(12), 'cea7403d4d606b6e074ec5d3baf39d18', 'd0d1c8a799996bf0265b98b5d48ab919'].join(''),
      'hex',
    )
    expect(openBytes(sealed, Buffer.alloc(32), Buffer.alloc(0))?.toString('hex')).toBe('00'.repeat(16))
  })

  test('do not open with other associated data', () => {
    const sealed = sealBytes(Buffer.from('secret'), key.secret, Buffer.from('a'))
    expect(openBytes(sealed, key.secret, Buffer.from('a'))?.toString()).toBe('secret')
    expect(openBytes(sealed, key.secret, Buffer.from('b'))).toBeNull()
  })
})

describe('a look-up hash', () => {
  const indexKey = Buffer.alloc(32, 9)
  const hash = (value: string, at: ValuePlace = place, form: 'email' | 'exact' = 'email'): string =>
    Buffer.from(lookupHash(value, indexKey, at, form)).toString('hex')

  test('is the HMAC of its parts, computed by hand', () => {
    const message = byHand(
      'plinth lookup 1',
      'email',
      'platform.users',
      'email_ciphertext',
      'organization',
      organizationId,
      'ada@example.com',
    )
    expect(hash(' Ada@Example.com ')).toBe(createHmac('sha256', indexKey).update(message).digest('hex'))
  })

  test('stays as it is from release to release: rows of old would not be found any more', () => {
    expect(hash('ada@example.com')).toMatchInlineSnapshot(
      `"3ab4ff86896f17bf6cf7fb09e7bdb61d492e053c2b7a0d226b54e92c5c42a4e4"`,
    )
  })

  test('is equal for spellings of one address', () => {
    expect(hash(' ADA@example.COM\n')).toBe(hash('ada@example.com'))
    expect(hash('zoe\u0308@example.com')).toBe(hash('zo\u00eb@example.com'))
  })

  test('of an exact value heeds every character', () => {
    expect(hash('Plk_x', place, 'exact')).not.toBe(hash('plk_x', place, 'exact'))
    expect(hash('plk_x ', place, 'exact')).not.toBe(hash('plk_x', place, 'exact'))
  })

  test('differs by table, column, organization, form and key', () => {
    const all = [
      hash('v'),
      hash('v', { ...place, table: 'platform.other' }),
      hash('v', { ...place, column: 'other' }),
      hash('v', { ...place, organizationId: null }),
      hash('v', place, 'exact'),
      Buffer.from(lookupHash('v', Buffer.alloc(32, 8), place, 'email')).toString('hex'),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  test('normalising twice changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(normalise(normalise(text, 'email'), 'email')).toBe(normalise(text, 'email'))
      }),
    )
  })
})

test('framed parts never join to the same bytes', () => {
  const parts = fc.array(fc.string(), { maxLength: 4 })
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      expect(frame(a).equals(frame(b))).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
  )
  expect(frame(['ab', 'c']).equals(frame(['a', 'bc']))).toBe(false)
})

/** Parts with their lengths in four bytes, written out again for the test. */
function byHand(...parts: string[]): Buffer {
  return Buffer.concat(
    parts.map(part => {
      const bytes = Buffer.from(part)
      return Buffer.concat([Buffer.from(bytes.length.toString(16).padStart(8, '0'), 'hex'), bytes])
    }),
  )
}
