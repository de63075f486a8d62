/**
 * The keyring lends the data key of an organization to the cipher. Data keys are random, one active key an organization, and are stored
 * wrapped by the master key in `plinth.data_keys`, whose owner is this file. Destroying an organization's wrapped keys makes its
 * protected values unreadable everywhere at once, backups of the platform's tables included.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Session } from '../engines/engine.ts'
import { ownSchema } from '../engines/postgres/own-schema.ts'
import { PlinthError } from '../errors.ts'
import {
  type DataKey,
  frame,
  keyBytes,
  keyIdOf,
  type LookupForm,
  lookupHash,
  open,
  seal,
  type ValuePlace,
} from './cipher.ts'
import type { KeyProvider } from './key-provider.ts'

export interface Keyring {
  /**
   * Makes the data keys of these organizations ready, creating those that are missing, in two round trips however many they are. Call it
   * before a batch and before a transaction begins: a data key is never created inside a transaction, since a rollback would lose it while
   * values sealed under it may live on.
   */
  prepare(organizationIds: readonly (string | null)[]): Promise<void>
  /** An envelope, see cipher.ts. */
  encrypt(plain: string, place: ValuePlace): Promise<Uint8Array>
  /** Throws CIPHER_INVALID. */
  decrypt(envelope: Uint8Array, place: ValuePlace): Promise<string>
  /** 32 bytes, the same for equal normalised values of one place under one index key. */
  lookupHash(value: string, place: ValuePlace & { readonly form: LookupForm }): Uint8Array
}

/**
 * Opens the keyring of a database. Keys that were unwrapped stay in the memory of this keyring only.
 *
 *     const keyring = await openKeyring({ provider: findKeys({ variables: process.env }), session })
 *     const place = { table: 'platform.users', column: 'email_ciphertext', organizationId }
 *     const envelope = await keyring.encrypt('ada@example.com', place)
 */
export async function openKeyring(options: {
  readonly provider: KeyProvider
  readonly session: Session
}): Promise<Keyring> {
  const { provider, session } = options
  const indexKey = await provider.indexKey()
  await ensureTable(session)
  /** By key id: also retired keys, which still open what they sealed. */
  const opened = new Map<string, DataKey & { readonly owner: string }>()
  /** By owner: the key that seals. */
  const active = new Map<string, DataKey>()

  async function admit(rows: readonly StoredKey[]): Promise<void> {
    for (const row of rows) {
      const key = { id: row.key_id, secret: await unwrap(row, provider), owner: row.owner_id }
      opened.set(key.id, key)
      if (row.status === 'active') active.set(row.owner_id, key)
    }
  }

  async function prepare(organizationIds: readonly (string | null)[]): Promise<void> {
    const missing = [...new Set(organizationIds.map(ownerOf))].filter(owner => !active.has(owner))
    if (missing.length === 0) return
    await admit(await activeKeys(session, missing))
    const absent = missing.filter(owner => !active.has(owner))
    if (absent.length === 0) return
    await createKeys(session, provider, absent)
    await admit(await activeKeys(session, absent))
  }

  async function sealingKey(place: ValuePlace): Promise<DataKey> {
    const owner = ownerOf(place.organizationId)
    if (!active.has(owner)) await prepare([place.organizationId])
    const key = active.get(owner)
    if (!key)
      throw new PlinthError('INTERNAL', 'A data key was created but cannot be read back.', {
        at: { object: 'plinth.data_keys' },
      })
    return key
  }

  async function openingKey(envelope: Uint8Array, place: ValuePlace): Promise<DataKey> {
    const id = keyIdOf(envelope, place)
    if (!opened.has(id)) await admit(await keysById(session, id))
    const key = opened.get(id)
    if (key?.owner === ownerOf(place.organizationId)) return key
    throw new PlinthError(
      'CIPHER_INVALID',
      `A value of ${place.table}.${place.column} cannot be decrypted: ${key ? 'it belongs to another organization' : 'its data key is unknown or was destroyed'}.`,
      {
        at: { object: `${place.table}.${place.column}` },
        hint: key
          ? 'Find out how the value came into this row.'
          : 'If the organization was erased this is final; else check that this is the right database.',
      },
    )
  }

  return {
    prepare,
    encrypt: async (plain, place) => seal(plain, await sealingKey(place), place),
    decrypt: async (envelope, place) => open(envelope, await openingKey(envelope, place), place),
    lookupHash: (value, place) => lookupHash(value, indexKey, place, place.form),
  }
}

interface StoredKey {
  readonly key_id: string
  readonly owner_id: string
  readonly master_key_id: string
  readonly wrapped_key: Uint8Array
  readonly status: 'active' | 'retired'
}

/** Values of no organization are sealed under a key whose owner is the nil UUID (RFC 9562, section 5.9). */
const nobody = '00000000-0000-0000-0000-000000000000'

function ownerOf(organizationId: string | null): string {
  return organizationId === null ? nobody : organizationId.toLowerCase()
}

/** A wrapped key is bound to its id and owner, so it cannot be passed off as another organization's. */
function bindingOf(keyId: string, owner: string): Buffer {
  return frame(['plinth data key 1', keyId, owner])
}

async function unwrap(row: StoredKey, provider: KeyProvider): Promise<Uint8Array> {
  const secret = await provider.unwrap(row.wrapped_key, bindingOf(row.key_id, row.owner_id))
  if (secret?.length === keyBytes) return secret
  const other = row.master_key_id !== provider.masterKeyId
  throw new PlinthError(
    'CIPHER_INVALID',
    other
      ? `A data key was wrapped by master key ${row.master_key_id}, but the present one is ${provider.masterKeyId}.`
      : 'A wrapped data key was altered.',
    {
      at: { object: 'plinth.data_keys' },
      hint: other
        ? 'Set the master key that this database was protected with.'
        : 'Restore plinth.data_keys from a backup.',
    },
  )
}

async function activeKeys(session: Session, owners: readonly string[]): Promise<StoredKey[]> {
  const { rows } = await session.query<StoredKey>(
    `select key_id, owner_id, master_key_id, wrapped_key, status
       from plinth.data_keys
      where status = 'active' and owner_id = any ($1::text[]::uuid[])`,
    [owners],
  )
  return rows
}

async function keysById(session: Session, id: string): Promise<StoredKey[]> {
  const { rows } = await session.query<StoredKey>(
    `select key_id, owner_id, master_key_id, wrapped_key, status
       from plinth.data_keys
      where key_id = $1::text::uuid and status <> 'destroyed'`,
    [id],
  )
  return rows
}

/** Several processes may create the key of one owner at once: the unique index lets one win, and all read the winner's afterwards. */
async function createKeys(session: Session, provider: KeyProvider, owners: readonly string[]): Promise<void> {
  await refuseTransaction(session)
  const made = await Promise.all(
    owners.map(async owner => {
      const id = randomUUID()
      const wrapped = await provider.wrap(randomBytes(keyBytes), bindingOf(id, owner))
      return { id, owner, wrapped: Buffer.from(wrapped).toString('hex') }
    }),
  )
  await session.query(
    `insert into plinth.data_keys (key_id, owner_id, master_key_id, wrapped_key, status)
     select key_id, owner_id, $4, decode(wrapped, 'hex'), 'active'
       from unnest($1::text[]::uuid[], $2::text[]::uuid[], $3::text[]) as made (key_id, owner_id, wrapped)
     on conflict (owner_id) where status = 'active' do nothing`,
    [made.map(key => key.id), made.map(key => key.owner), made.map(key => key.wrapped), provider.masterKeyId],
  )
}

/** A setting that is local to a transaction is gone by the next statement, unless a transaction is open. */
async function refuseTransaction(session: Session): Promise<void> {
  const probe = randomUUID()
  await session.query(`select set_config('plinth.transaction_probe', $1, true)`, [probe])
  const { rows } = await session.query<{ open: boolean }>(
    `select coalesce(current_setting('plinth.transaction_probe', true) = $1, false) as open`,
    [probe],
  )
  if (rows[0]?.open) {
    throw new PlinthError(
      'INTERNAL',
      'A data key would be created inside a transaction, whose rollback would lose it.',
      {
        at: { object: 'plinth.data_keys' },
        hint: 'Call prepare() before the transaction begins, or give the keyring a session of its own.',
      },
    )
  }
}

/**
 * Two first users may create the table at once, so they take turns: the lock lasts as long as this one short transaction.
 */
async function ensureTable(session: Session): Promise<void> {
  const { rows } = await session.query<{ found: boolean }>(
    `select to_regclass('plinth.data_keys') is not null as found`,
  )
  if (rows[0]?.found) return
  await session.script(`
    select pg_advisory_xact_lock(hashtextextended('plinth.data_keys', 0));
    ${ownSchema};
    create table if not exists plinth.data_keys (
      key_id        uuid primary key,
      owner_id      uuid not null,
      master_key_id text not null,
      wrapped_key   bytea,
      status        text not null check (status in ('active', 'retired', 'destroyed')),
      created_at    timestamptz not null default now(),
      retired_at    timestamptz,
      destroyed_at  timestamptz,
      constraint data_keys_destroyed check ((status = 'destroyed') = (wrapped_key is null))
    );
    create unique index if not exists data_keys_active on plinth.data_keys (owner_id) where status = 'active';
    comment on table plinth.data_keys is
      'Data keys of organizations, wrapped by the master key. The nil owner seals values of no organization.';`)
}
