/** The audit log is one unbroken chain for each organization, whoever writes at the same time, and shows when it was edited. */
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../support/database.ts'
import { acme, addTwoTenants, asTenant, attempt, beta } from './two-tenants.ts'

const platformChain = null

async function withPlatform(work: (client: pg.Client, url: string) => Promise<void>): Promise<void> {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    await work(client, url)
  })
}

function entry(organizationId: string | null, action = 'keys.rotated'): string {
  return `insert into platform.audit_log_entries (organization_id, actor_kind, actor_id, action, context)
    values (${organizationId ? `'${organizationId}'` : 'null'}, 'service', 'keyring', '${action}', '{"reason": "age", "days": 90.50}')`
}

async function firstBreak(client: pg.Client, organizationId: string | null): Promise<string | null> {
  const { rows } = await client.query<{ at: string | null }>('select platform.verify_audit_chain($1) as at', [
    organizationId,
  ])
  return rows[0]!.at
}

/** Positions of a chain in order, and whether each seal continues the one before. */
async function chain(client: pg.Client, organizationId: string | null): Promise<string[]> {
  const { rows } = await client.query<{ position: string }>(
    `select position from platform.audit_log_seals
     where chain_id = coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
     order by position`,
    [organizationId],
  )
  return rows.map(({ position }) => position)
}

describe('sealing', () => {
  test('gives every organization, and the platform, a chain of its own', async () => {
    await withPlatform(async client => {
      await client.query(entry(acme.organizationId))
      await client.query(entry(platformChain))
      await client.query('begin')
      await client.query(entry(beta.organizationId))
      await client.query(entry(acme.organizationId))
      await client.query('commit')
      expect(await chain(client, acme.organizationId)).toEqual(['1', '2', '3'])
      expect(await chain(client, beta.organizationId)).toEqual(['1', '2'])
      expect(await chain(client, platformChain)).toEqual(['1'])
      for (const organizationId of [acme.organizationId, beta.organizationId, platformChain])
        expect(await firstBreak(client, organizationId)).toBeNull()
    })
  })

  test('happens at commit: what is rolled back leaves neither entry nor gap', async () => {
    await withPlatform(async client => {
      await client.query('begin')
      await client.query(entry(acme.organizationId))
      expect(await chain(client, acme.organizationId)).toEqual(['1'])
      await client.query('savepoint half')
      await client.query(entry(acme.organizationId))
      await client.query('rollback to savepoint half')
      await client.query('commit')
      await client.query('begin')
      await client.query(entry(acme.organizationId))
      await client.query('rollback')
      await client.query(entry(acme.organizationId))
      expect(await chain(client, acme.organizationId)).toEqual(['1', '2', '3'])
      expect(await firstBreak(client, acme.organizationId)).toBeNull()
    })
  })

  test('works for a service, which sees only its tenant’s chain and may not write what the database vouches for', async () => {
    await withPlatform(async client => {
      await asTenant(client, acme.organizationId, async () => {
        await client.query(entry(acme.organizationId))
        await client.query('set constraints all immediate')
        const { rows } = await client.query('select chain_id, position from platform.audit_log_seals order by position')
        expect(rows).toEqual([
          { chain_id: acme.organizationId, position: '1' },
          { chain_id: acme.organizationId, position: '2' },
        ])
        expect(await firstBreak(client, acme.organizationId)).toBeNull()
        const columns = 'organization_id, actor_kind, actor_id, action'
        const values = `'${acme.organizationId}', 'user', 'x', 'a.b'`
        for (const [column, value] of [
          ['recorded_at', 'now()'],
          ['transaction_id', '1'],
        ])
          expect(
            await attempt(
              client,
              `insert into platform.audit_log_entries (${columns}, ${column}) values (${values}, ${value})`,
            ),
            column,
          ).toMatchObject({ refused: '42501' })
      })
    })
  })

  test('forms one chain when many sessions write to the same organizations, in any order, without deadlock', async () => {
    await withPlatform(async (client, url) => {
      const sessions = 6
      const transactions = 12
      const organizations = [acme.organizationId, beta.organizationId, platformChain]
      await Promise.all(
        Array.from({ length: sessions }, (_, session) =>
          withClient(url, async writer => {
            for (let index = 0; index < transactions; index++) {
              const turn = (session + index) % organizations.length
              const order = [...organizations.slice(turn), ...organizations.slice(0, turn)]
              if (session % 2) order.reverse()
              await writer.query('begin')
              for (const organizationId of order) await writer.query(entry(organizationId))
              await writer.query('commit')
            }
          }),
        ),
      )
      for (const organizationId of organizations) {
        const earlier = organizationId ? 1 : 0
        const expected = Array.from({ length: sessions * transactions + earlier }, (_, index) => String(index + 1))
        expect(await chain(client, organizationId)).toEqual(expected)
        expect(await firstBreak(client, organizationId)).toBeNull()
      }
      const unsealed = await client.query(
        `select from platform.audit_log_entries as e
         where not exists (select from platform.audit_log_seals as s where (s.chain_id, s.entry_id) = (e.chain_id, e.id))`,
      )
      expect(unsealed.rowCount).toBe(0)
    })
  })

  test('asks a repeatable-read transaction to run again when the chain grew since its snapshot', async () => {
    await withPlatform(async (client, url) => {
      await withClient(url, async other => {
        await client.query('begin isolation level repeatable read')
        await client.query('select from platform.organizations')
        await other.query(entry(acme.organizationId))
        await client.query(entry(acme.organizationId))
        await expect(client.query('commit')).rejects.toMatchObject({
          code: '40001',
          hint: expect.stringMatching(/again/),
        })
        await client.query('begin isolation level repeatable read')
        await client.query(entry(acme.organizationId))
        await client.query('commit')
      })
      expect(await chain(client, acme.organizationId)).toEqual(['1', '2', '3'])
      expect(await firstBreak(client, acme.organizationId)).toBeNull()
    })
  })

  test('goes on under session_replication_role = replica, and so do the refusals', async () => {
    await withPlatform(async client => {
      await client.query('set session_replication_role = replica')
      await client.query(entry(acme.organizationId))
      expect(await chain(client, acme.organizationId)).toEqual(['1', '2'])
      for (const text of ['delete from platform.audit_log_entries', 'truncate platform.audit_log_seals'])
        await expect(client.query(text)).rejects.toMatchObject({ code: '23001' })
    })
  })
})

describe('verification', () => {
  /** Acme's chain gets positions 2 to 5; then somebody with every right switches the triggers off and does `harm`. */
  async function tamper(client: pg.Client, harm: string): Promise<void> {
    for (let count = 0; count < 4; count++) await client.query(entry(acme.organizationId, `keys.rotated_${count}`))
    await client.query('set session_replication_role = replica')
    await client.query('alter table platform.audit_log_entries disable trigger user')
    await client.query('alter table platform.audit_log_seals disable trigger user')
    await client.query(harm)
    await client.query('set session_replication_role = default')
  }

  const at = (position: number) =>
    `chain_id = '${acme.organizationId}' and id = (
       select entry_id from platform.audit_log_seals where chain_id = '${acme.organizationId}' and position = ${position})`

  test.each<{ harm: string; sql: string; breaks: string; reason: string }>([
    {
      harm: 'another context',
      sql: `update platform.audit_log_entries set context = '{"reason": "age", "days": 90.5}' where ${at(3)}`,
      breaks: '3',
      reason: 'the entry was altered',
    },
    {
      harm: 'another actor',
      sql: `update platform.audit_log_entries set actor_id = 'somebody' where ${at(2)}`,
      breaks: '2',
      reason: 'the entry was altered',
    },
    {
      harm: 'another time, by a microsecond',
      sql: `update platform.audit_log_entries set occurred_at = occurred_at + interval '1 microsecond' where ${at(5)}`,
      breaks: '5',
      reason: 'the entry was altered',
    },
    {
      harm: 'an entry that is gone',
      sql: `delete from platform.audit_log_entries where ${at(4)}`,
      breaks: '4',
      reason: 'the entry is missing',
    },
    {
      harm: 'a seal that is gone',
      sql: `delete from platform.audit_log_seals where chain_id = '${acme.organizationId}' and position = 3`,
      breaks: '3',
      reason: 'a seal is missing',
    },
    {
      harm: 'an entry and its seal that are gone',
      sql: `delete from platform.audit_log_entries where ${at(2)};
            delete from platform.audit_log_seals where chain_id = '${acme.organizationId}' and position = 2`,
      breaks: '2',
      reason: 'a seal is missing',
    },
    {
      harm: 'an entry that is gone, with the chain closed up and hashed again from there, but not to its end',
      sql: `delete from platform.audit_log_entries where ${at(3)};
            delete from platform.audit_log_seals where chain_id = '${acme.organizationId}' and position = 3;
            update platform.audit_log_seals as seal
            set position = 3,
                previous_hash = before.hash,
                hash = platform.audit_seal_hash(before.hash, 3, entry)
            from platform.audit_log_seals as before, platform.audit_log_entries as entry
            where seal.chain_id = '${acme.organizationId}' and seal.position = 4
              and before.chain_id = seal.chain_id and before.position = 2
              and entry.chain_id = seal.chain_id and entry.id = seal.entry_id;
            update platform.audit_log_seals set position = 4 where chain_id = '${acme.organizationId}' and position = 5`,
      breaks: '4',
      reason: 'the seal does not continue the one before',
    },
    {
      harm: 'an entry that was slipped in',
      sql: entry(acme.organizationId, 'keys.forged'),
      breaks: '6',
      reason: 'the entry has no seal',
    },
    {
      harm: 'a first seal that was replaced',
      sql: `update platform.audit_log_seals set previous_hash = sha256('x') where chain_id = '${acme.organizationId}' and position = 1`,
      breaks: '1',
      reason: 'the seal does not continue the one before',
    },
  ])('finds $harm', async ({ sql, breaks, reason }) => {
    await withPlatform(async client => {
      await tamper(client, sql)
      expect(await firstBreak(client, acme.organizationId)).toBe(breaks)
      const { rows } = await client.query('select seal_position, reason from platform.audit_chain_breaks($1)', [
        acme.organizationId,
      ])
      expect(rows[0]).toEqual({ seal_position: breaks, reason })
      expect(await firstBreak(client, beta.organizationId), 'another chain').toBeNull()
    })
  })

  test('tells an end that was cut off by the head that somebody kept', async () => {
    await withPlatform(async client => {
      for (let count = 0; count < 3; count++) await client.query(entry(acme.organizationId))
      const head = await client.query<{ seal_position: string; hash: Buffer }>(
        'select * from platform.audit_chain_head($1)',
        [acme.organizationId],
      )
      await tamper(
        client,
        `delete from platform.audit_log_seals where chain_id = '${acme.organizationId}' and position >= 3;
         delete from platform.audit_log_entries as e
         where chain_id = '${acme.organizationId}'
           and not exists (select from platform.audit_log_seals as s where s.entry_id = e.id)`,
      )
      expect(await firstBreak(client, acme.organizationId), 'the rest is whole').toBeNull()
      const kept = head.rows[0]!
      const found = await client.query(
        'select from platform.audit_log_seals where chain_id = $1 and position = $2 and hash = $3',
        [acme.organizationId, kept.seal_position, kept.hash],
      )
      expect(found.rowCount, 'the head is gone').toBe(0)
    })
  })

  test('does not depend on the session’s time zone, date style or float digits', async () => {
    await withPlatform(async client => {
      await client.query(`set timezone = 'Asia/Kathmandu'; set datestyle = 'SQL, DMY'; set bytea_output = 'escape'`)
      await client.query(entry(acme.organizationId))
      await client.query('reset all')
      expect(await firstBreak(client, acme.organizationId)).toBeNull()
      await client.query(`set timezone = 'America/St_Johns'; set bytea_output = 'escape'; set extra_float_digits = 0`)
      expect(await firstBreak(client, acme.organizationId)).toBeNull()
    })
  })

  test('a second seal on the same predecessor is refused even with every trigger off', async () => {
    await withPlatform(async client => {
      await client.query(entry(acme.organizationId))
      await client.query('alter table platform.audit_log_entries disable trigger user')
      await client.query(entry(acme.organizationId))
      const fork = client.query(
        `insert into platform.audit_log_seals (chain_id, position, entry_id, previous_hash, hash)
         select
           chain_id,
           3,
           (select max(id) from platform.audit_log_entries),
           previous_hash,
           sha256('fork')
         from platform.audit_log_seals
         where chain_id = '${acme.organizationId}' and position = 2`,
      )
      await expect(fork).rejects.toMatchObject({ code: '23505', constraint: 'audit_log_seals_previous_hash_key' })
    })
  })
})
