/** Keys: where they come from, how they are kept, and what happens when they are wrong, missing or asked for at once. */
import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession, withTransaction } from '../../src/engines/brackets.ts'
import type { Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import {
  ensureLocalKeys,
  fileKeys,
  findKeys,
  type KeyProvider,
  localKeyFile,
  memoryKeys,
} from '../../src/governance/key-provider.ts'
import { openKeyring } from '../../src/governance/keyring.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const place = (organizationId: string | null) => ({
  table: 'platform.users',
  column: 'email_ciphertext',
  organizationId,
})

describe('a keyring', () => {
  test('opens what it sealed, also after it was opened anew', async () => {
    const { url } = await emptyDatabase()
    const provider = freshKeys()
    const [first, second] = [randomUUID(), randomUUID()]
    const envelopes = await withKeyring(url, provider, async keyring => {
      await keyring.prepare([first, second, null])
      return Promise.all([first, second, null].map(id => keyring.encrypt(`value of ${id}`, place(id))))
    })
    await withKeyring(url, provider, async keyring => {
      for (const [index, id] of [first, second, null].entries()) {
        expect(await keyring.decrypt(envelopes[index] ?? new Uint8Array(), place(id))).toBe(`value of ${id}`)
      }
    })
  })

  test('has one active key an organization, and stores it wrapped only', async () => {
    const { url } = await emptyDatabase()
    const seen: string[] = []
    const provider = freshKeys()
    const watched: KeyProvider = {
      ...provider,
      wrap: (secret, binding) => {
        seen.push(Buffer.from(secret).toString('hex'))
        return provider.wrap(secret, binding)
      },
    }
    const organizations = [randomUUID(), randomUUID()]
    await withKeyring(url, watched, async keyring => {
      for (const id of [...organizations, ...organizations]) await keyring.encrypt('x', place(id))
    })
    const rows = await withClient(
      url,
      async client => (await client.query('select owner_id, status, wrapped_key from plinth.data_keys')).rows,
    )
    expect(rows.map(row => `${row.owner_id} ${row.status}`).sort()).toEqual(
      organizations.map(id => `${id} active`).sort(),
    )
    expect(seen).toHaveLength(2)
    for (const row of rows) for (const secret of seen) expect(row.wrapped_key.toString('hex')).not.toContain(secret)
  })

  test('makes one key when eight processes ask for the first one at once, table included', async () => {
    const { url } = await emptyDatabase()
    const provider = freshKeys()
    const id = randomUUID()
    const envelopes = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        withKeyring(url, provider, keyring => keyring.encrypt(`from ${index}`, place(id))),
      ),
    )
    await withKeyring(url, provider, async keyring => {
      for (const [index, envelope] of envelopes.entries())
        expect(await keyring.decrypt(envelope, place(id))).toBe(`from ${index}`)
    })
    const { rowCount } = await withClient(url, client => client.query('select from plinth.data_keys'))
    expect(rowCount).toBe(1)
  })

  test('refuses an envelope of another organization', async () => {
    const { url } = await emptyDatabase()
    const [mine, theirs] = [randomUUID(), randomUUID()]
    await withKeyring(url, freshKeys(), async keyring => {
      const envelope = await keyring.encrypt('ada@example.com', place(theirs))
      await keyring.prepare([mine])
      await expect(keyring.decrypt(envelope, place(mine))).rejects.toMatchObject({ code: 'CIPHER_INVALID' })
    })
  })

  test('says which master key is missing when it is another one', async () => {
    const { url } = await emptyDatabase()
    const [right, wrong] = [freshKeys(), freshKeys()]
    const id = randomUUID()
    const envelope = await withKeyring(url, right, keyring => keyring.encrypt('ada@example.com', place(id)))
    await withKeyring(url, wrong, async keyring => {
      const failure = expect.objectContaining({
        code: 'CIPHER_INVALID',
        message: expect.stringContaining(right.masterKeyId),
      })
      await expect(keyring.decrypt(envelope, place(id))).rejects.toEqual(failure)
      await expect(keyring.encrypt('new', place(id))).rejects.toEqual(failure)
    })
  })

  test('does not take a wrapped key that was moved to another organization', async () => {
    const { url } = await emptyDatabase()
    const provider = freshKeys()
    const [mine, theirs] = [randomUUID(), randomUUID()]
    await withKeyring(url, provider, keyring => keyring.encrypt('x', place(theirs)))
    await withClient(url, client => client.query('update plinth.data_keys set owner_id = $1', [mine]))
    await withKeyring(url, provider, async keyring => {
      await expect(keyring.encrypt('y', place(mine))).rejects.toMatchObject({ code: 'CIPHER_INVALID' })
    })
  })

  test('cannot open what was sealed under a destroyed key, and seals under a new one', async () => {
    const { url } = await emptyDatabase()
    const provider = freshKeys()
    const id = randomUUID()
    const envelope = await withKeyring(url, provider, keyring => keyring.encrypt('ada@example.com', place(id)))
    await withClient(url, client =>
      client.query(`update plinth.data_keys set status = 'destroyed', wrapped_key = null, destroyed_at = now()`),
    )
    await withKeyring(url, provider, async keyring => {
      await expect(keyring.decrypt(envelope, place(id))).rejects.toMatchObject({ code: 'CIPHER_INVALID' })
      expect(await keyring.decrypt(await keyring.encrypt('again', place(id)), place(id))).toBe('again')
    })
  })

  test('never creates a key inside a transaction, whose rollback would lose it', async () => {
    const { url } = await emptyDatabase()
    const id = randomUUID()
    await withKeyring(url, freshKeys(), async (keyring, session) => {
      await expect(withTransaction(session, () => keyring.encrypt('x', place(id)))).rejects.toMatchObject({
        code: 'INTERNAL',
      })
      await keyring.prepare([id])
      const envelope = await withTransaction(session, () => keyring.encrypt('x', place(id)))
      expect(await keyring.decrypt(envelope, place(id))).toBe('x')
    })
  })

  test('answers the same look-up hash in every database under one index key, and another under another', async () => {
    const [a, b] = [await emptyDatabase(), await emptyDatabase()]
    const [provider, other] = [freshKeys(), freshKeys()]
    const at = { ...place(randomUUID()), form: 'email' as const }
    const hash = (url: string, keys: KeyProvider) =>
      withKeyring(url, keys, async keyring => Buffer.from(keyring.lookupHash('Ada@example.com', at)).toString('hex'))
    expect(await hash(a.url, provider)).toBe(await hash(b.url, provider))
    expect(await hash(a.url, other)).not.toBe(await hash(a.url, provider))
  })
})

describe('keys', () => {
  const valid = {
    PLINTH_MASTER_KEY: randomBytes(32).toString('base64'),
    PLINTH_INDEX_KEY: randomBytes(32).toString('base64'),
  }

  test('come from the environment first', async () => {
    const folder = temporaryFolder()
    ensureLocalKeys(folder)
    const provider = findKeys({ variables: valid, file: localKeyFile(folder) })
    expect(Buffer.from(await provider.indexKey()).toString('base64')).toBe(valid.PLINTH_INDEX_KEY)
  })

  test.each([
    ['neither is set', {}],
    ['only one is set', { PLINTH_MASTER_KEY: valid.PLINTH_MASTER_KEY }],
    ['one is too short', { ...valid, PLINTH_MASTER_KEY: randomBytes(16).toString('base64') }],
    ['one is no base64', { ...valid, PLINTH_INDEX_KEY: 'certainly not a key!' }],
    ['one is empty', { ...valid, PLINTH_INDEX_KEY: '' }],
    ['both are the same', { ...valid, PLINTH_INDEX_KEY: valid.PLINTH_MASTER_KEY }],
  ])('are missing when %s', (_, variables) => {
    try {
      findKeys({ variables, file: join(temporaryFolder(), 'keys.env') })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'KEY_MISSING', hint: expect.stringMatching(/openssl|different/) })
      for (const secret of Object.values(variables).filter(Boolean)) expect(String(error)).not.toContain(secret)
    }
  })

  test('are never made unless asked for', () => {
    const folder = temporaryFolder()
    expect(() => findKeys({ variables: {}, file: localKeyFile(folder) })).toThrow(
      expect.objectContaining({ code: 'KEY_MISSING' }),
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('for local use are made once, for their owner only, and are the same afterwards', async () => {
    const folder = join(temporaryFolder(), 'state')
    const first = ensureLocalKeys(folder)
    const text = readFileSync(localKeyFile(folder), 'utf8')
    const second = ensureLocalKeys(folder)
    expect(second.masterKeyId).toBe(first.masterKeyId)
    expect(readFileSync(localKeyFile(folder), 'utf8')).toBe(text)
    expect(statSync(localKeyFile(folder)).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['keys.env'])
  })

  test('in a file that others may read are not used', () => {
    const folder = temporaryFolder()
    ensureLocalKeys(folder)
    chmodSync(localKeyFile(folder), 0o644)
    expect(() => fileKeys(localKeyFile(folder))).toThrow(
      expect.objectContaining({ code: 'KEY_MISSING', hint: expect.stringContaining('chmod 600') }),
    )
  })

  test('in a broken file are missing, and the file is left as it is', () => {
    const folder = temporaryFolder()
    writeFileSync(localKeyFile(folder), 'half a', { mode: 0o600 })
    expect(() => ensureLocalKeys(folder)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
    expect(readFileSync(localKeyFile(folder), 'utf8')).toBe('half a')
  })
})

function freshKeys(): KeyProvider {
  return memoryKeys({ master: randomBytes(32), index: randomBytes(32) })
}

async function withKeyring<T>(
  url: string,
  provider: KeyProvider,
  work: (keyring: Awaited<ReturnType<typeof openKeyring>>, session: Session) => Promise<T>,
): Promise<T> {
  return withSession(await engineOf(url), url, {}, async session =>
    work(await openKeyring({ provider, session }), session),
  )
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-keys-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
