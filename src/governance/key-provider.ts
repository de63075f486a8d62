/**
 * Where the two keys of an installation come from: the master key, which wraps the data keys of organizations, and the index key, under
 * which look-up hashes are made. The interface is asynchronous and never hands out the master key, so that a cloud key service fits it.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PlinthError } from '../errors.ts'
import { keyBytes, openBytes, sealBytes } from './cipher.ts'

export interface KeyProvider {
  /** Names the master key without telling it, so that a wrong one is recognised; stored beside what it wrapped. */
  readonly masterKeyId: string
  /** Wraps a data key. `binding` must be given again to unwrap it (associated data, or the encryption context of a key service). */
  wrap(secret: Uint8Array, binding: Uint8Array): Promise<Uint8Array>
  /** Null when the key was wrapped by another master key or under another binding, or was altered. */
  unwrap(wrapped: Uint8Array, binding: Uint8Array): Promise<Uint8Array | null>
  /** 32 bytes. */
  indexKey(): Promise<Uint8Array>
}

/** The names under which keys are looked for in the environment, and in a key file. */
export const keyVariables = { master: 'PLINTH_MASTER_KEY', index: 'PLINTH_INDEX_KEY' } as const

/**
 * The provider of this process: the two environment variables (base64, 32 bytes each), else the key file. Throws KEY_MISSING when
 * neither is there; it never makes a key, because a key made unasked hides that the right one was lost.
 *
 *     const provider = findKeys({ variables: process.env, file: localKeyFile('.plinth') })
 */
export function findKeys(sources: {
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly file?: string | undefined
}): KeyProvider {
  const { variables, file } = sources
  if (variables[keyVariables.master] !== undefined || variables[keyVariables.index] !== undefined) {
    return providerFrom(variables, 'the environment')
  }
  if (file !== undefined && fileExists(file)) return fileKeys(file)
  throw new PlinthError('KEY_MISSING', 'No master key and no index key are set.', {
    ...(file === undefined ? {} : { at: { file } }),
    hint: `Set ${keyVariables.master} and ${keyVariables.index} to 32 random bytes each in base64 (openssl rand -base64 32), or run \`plinth up\` to make local ones.`,
  })
}

/** The provider of a key file: lines `NAME=base64`. Throws KEY_MISSING when it is absent, malformed, or readable by others. */
export function fileKeys(file: string): KeyProvider {
  if (!fileExists(file)) {
    throw new PlinthError('KEY_MISSING', 'The key file does not exist.', {
      at: { file },
      hint: 'Name the right file, or run `plinth up` to make local keys.',
    })
  }
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new PlinthError('KEY_MISSING', 'The key file can be read by other users, so it is not used.', {
      at: { file },
      hint: `Run: chmod 600 ${file}`,
    })
  }
  return providerFrom(parseKeyFile(readFileSync(file, 'utf8')), 'the key file', file)
}

/** Where `ensureLocalKeys` puts the keys of a local state folder. */
export function localKeyFile(folder: string): string {
  return join(folder, 'keys.env')
}

/**
 * Makes random keys for local use if the folder has none, and answers their provider. For local environments only: callers ask for it
 * explicitly. When two processes ask at once, both get the keys of the one that was first.
 */
export function ensureLocalKeys(folder: string): KeyProvider {
  const file = localKeyFile(folder)
  if (!fileExists(file)) {
    mkdirSync(folder, { recursive: true })
    const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
    const lines = Object.values(keyVariables).map(name => `${name}=${randomBytes(keyBytes).toString('base64')}\n`)
    writeFileSync(
      draft,
      [
        '# Keys for local use only. Without them, protected values of the local database cannot be read.\n',
        ...lines,
      ].join(''),
      { mode: 0o600, flag: 'wx' },
    )
    chmodSync(draft, 0o600)
    try {
      // A link appears whole or not at all and never replaces a file, so no reader sees half a key and no key is overwritten.
      linkSync(draft, file)
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error
    } finally {
      rmSync(draft, { force: true })
    }
  }
  return fileKeys(file)
}

/** A provider over keys that are in memory. Both must be 32 bytes. */
export function memoryKeys(keys: { readonly master: Uint8Array; readonly index: Uint8Array }): KeyProvider {
  const { master, index } = keys
  return {
    masterKeyId: createHash('sha256').update('plinth master key id 1').update(master).digest('hex').slice(0, 16),
    wrap: async (secret, binding) => sealBytes(secret, master, binding),
    unwrap: async (wrapped, binding) => openBytes(wrapped, master, binding),
    indexKey: async () => index,
  }
}

function providerFrom(
  variables: Readonly<Record<string, string | undefined>>,
  where: string,
  file?: string,
): KeyProvider {
  const master = decodeKey(variables[keyVariables.master], keyVariables.master, where, file)
  const index = decodeKey(variables[keyVariables.index], keyVariables.index, where, file)
  if (Buffer.from(master).equals(index)) {
    throw new PlinthError('KEY_MISSING', `${keyVariables.master} and ${keyVariables.index} are the same key.`, {
      at: file === undefined ? { object: where } : { file },
      hint: 'Set two different keys: whoever may look values up must not be able to decrypt them.',
    })
  }
  return memoryKeys({ master, index })
}

function decodeKey(text: string | undefined, name: string, where: string, file: string | undefined): Uint8Array {
  const at = file === undefined ? { object: name } : { file, object: name }
  const hint = `Set ${name} to 32 random bytes in base64: openssl rand -base64 32`
  if (text === undefined || text.trim() === '')
    throw new PlinthError('KEY_MISSING', `${name} is not set in ${where}.`, { at, hint })
  const bytes = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text.trim()) ? Buffer.from(text.trim(), 'base64') : Buffer.alloc(0)
  if (bytes.length !== keyBytes)
    throw new PlinthError('KEY_MISSING', `${name} in ${where} is not 32 bytes in base64.`, { at, hint })
  return bytes
}

function parseKeyFile(text: string): Record<string, string> {
  const pairs = text
    .split(/\r?\n/)
    .map(line => /^\s*([A-Z_]+)\s*=\s*(\S+)\s*$/.exec(line))
    .flatMap(match => (match?.[1] && match[2] ? [[match[1], match[2]] as const] : []))
  return Object.fromEntries(pairs)
}

function fileExists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
