/**
 * A tenant's role can neither read nor write another tenant's rows, in any table. Each table is tried twice: with the privileges
 * that services have, and with every privilege and no trigger, so that row security alone stands between the tenants.
 */
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { platformDatabase, withClient } from '../support/database.ts'
import {
  acme,
  addTwoTenants,
  asTenant,
  attempt,
  beta,
  envelope,
  globalModelId,
  hoursLater,
  type Tenant,
} from './two-tenants.ts'

interface TenantTable {
  readonly tenantColumn: string
  /** A row that would be valid if the tenant wrote it himself: columns and SQL expressions. */
  readonly row: (tenant: Tenant) => Readonly<Record<string, string>>
}

const tenantTables: Readonly<Record<string, TenantTable>> = {
  organizations: {
    tenantColumn: 'id',
    row: tenant => ({ id: `'${tenant.organizationId}'`, slug: `'other-slug'`, display_name: `'Other'` }),
  },
  users: {
    tenantColumn: 'organization_id',
    row: tenant => ({
      organization_id: `'${tenant.organizationId}'`,
      email_ciphertext: envelope,
      email_hash: `sha256('new')`,
    }),
  },
  api_keys: {
    tenantColumn: 'organization_id',
    row: tenant => ({ organization_id: `'${tenant.organizationId}'`, name: `'second'`, secret_hash: `sha256('new')` }),
  },
  model_registry_entries: {
    tenantColumn: 'organization_id',
    row: tenant => ({
      organization_id: `'${tenant.organizationId}'`,
      name: `'own'`,
      revision: '2',
      target: `'managed'`,
      cost_per_1k_tokens: '1',
    }),
  },
  usage_events: {
    tenantColumn: 'organization_id',
    row: tenant => ({
      organization_id: `'${tenant.organizationId}'`,
      event_id: 'gen_random_uuid()',
      occurred_at: `'${hoursLater(0)}'`,
      api_key_id: `'${tenant.apiKeyId}'`,
      model_id: `'${globalModelId}'`,
      region: `'eu-west-1'`,
    }),
  },
  audit_log_entries: {
    tenantColumn: 'organization_id',
    row: tenant => ({
      organization_id: `'${tenant.organizationId}'`,
      actor_kind: `'user'`,
      actor_id: `'somebody'`,
      action: `'users.invited'`,
    }),
  },
  audit_log_seals: {
    tenantColumn: 'chain_id',
    row: tenant => ({
      chain_id: `'${tenant.organizationId}'`,
      position: '2',
      entry_id: '1',
      previous_hash: `sha256('a')`,
      hash: `sha256('b')`,
    }),
  },
}

/** Tables that hold no tenant's rows, or all tenants' without saying whose: tenants have nothing to do with them. */
const internalTables = ['partition_settings', 'usage_event_marks', 'usage_event_retirements', 'usage_event_seals']

const grants = ['as granted', 'with every privilege and no trigger'] as const

async function twoTenants(granted: (typeof grants)[number], work: (client: pg.Client) => Promise<void>): Promise<void> {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    await addTwoTenants(client)
    if (granted !== 'as granted') {
      await client.query('grant all on all tables in schema platform to plinth_app')
      const tables = [...Object.keys(tenantTables), ...(await partitions(client))]
      for (const table of tables) await client.query(`alter table platform.${table} disable trigger user`)
    }
    await work(client)
  })
}

async function partitions(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'platform'::regnamespace and relispartition and relkind in ('r', 'p')`,
  )
  return rows.map(({ name }) => name)
}

async function digest(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ digest: string }>(
    `select count(*) || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0) as digest from platform.${table} as t`,
  )
  return rows[0]!.digest
}

function insertInto(table: string, row: Readonly<Record<string, string>>): string {
  return `insert into platform.${table} (${Object.keys(row).join(', ')}) values (${Object.values(row).join(', ')})`
}

test('every table of the platform has its place in these tests', async () => {
  const { url } = await platformDatabase()
  await withClient(url, async client => {
    const { rows } = await client.query<{ name: string }>(
      `select relname as name
       from pg_class
       where relnamespace = 'platform'::regnamespace and relkind in ('r', 'p') and not relispartition
       order by relname`,
    )
    expect(rows.map(({ name }) => name)).toEqual([...Object.keys(tenantTables), ...internalTables].sort())
  })
})

describe.each(grants)('a tenant, %s,', granted => {
  test.each(Object.entries(tenantTables))(
    'keeps out of the other tenant’s %s',
    async (table, { tenantColumn, row }) => {
      await twoTenants(granted, async client => {
        const before = await digest(client, table)
        const theirs = `${tenantColumn} = '${beta.organizationId}'`
        const mine = `${tenantColumn} = '${acme.organizationId}'`
        await asTenant(client, acme.organizationId, async () => {
          const read = await client.query<{ mine: string; theirs: string }>(
            `select count(*) filter (where ${mine}) as mine, count(*) filter (where ${theirs}) as theirs from platform.${table}`,
          )
          expect(read.rows[0], 'rows that he sees').toEqual({ mine: '1', theirs: '0' })

          const insert = await attempt(client, insertInto(table, row(beta)))
          expect(insert.refused, 'insert for the other').toBe('42501')

          const upsert = await attempt(client, `${insertInto(table, row(beta))} on conflict do nothing`)
          expect(upsert.refused, 'insert on conflict for the other').toBe('42501')

          for (const [what, text] of [
            ['update of theirs', `update platform.${table} set ${tenantColumn} = ${tenantColumn} where ${theirs}`],
            ['delete of theirs', `delete from platform.${table} where ${theirs}`],
          ] as const) {
            const { refused, rowCount } = await attempt(client, text)
            expect(rowCount, what).toBe(0)
            expect([null, '42501', '23001'], what).toContain(refused)
            if (granted !== 'as granted') expect(refused, what).toBeNull()
          }

          const move = await attempt(
            client,
            `update platform.${table} set ${tenantColumn} = '${beta.organizationId}' where ${mine}`,
          )
          if (granted !== 'as granted' && table === 'audit_log_seals')
            expect(move, 'not even his own').toMatchObject({ refused: null, rowCount: 0 })
          else expect(['42501', '23514', '23001'], 'move to the other').toContain(move.refused)

          await client.query('commit')
          await client.query('begin')
        })
        expect(await digest(client, table), 'nothing changed').toBe(before)
      })
    },
  )

  test.each([
    ['no tenant', null],
    ['an empty tenant', ''],
    ['a tenant that is no uuid', `x' or true --`],
    ['the nil uuid', '00000000-0000-0000-0000-000000000000'],
    ['a tenant that does not exist', 'ffffffff-ffff-4fff-8fff-ffffffffffff'],
  ])('with %s sees no tenant’s row and writes none', async (_title, setting) => {
    await twoTenants(granted, async client => {
      for (const [table, { tenantColumn, row }] of Object.entries(tenantTables)) {
        await asTenant(client, setting, async () => {
          const { rows } = await client.query<{ seen: string }>(
            `select count(*) as seen from platform.${table} where ${tenantColumn} is not null`,
          )
          expect(rows[0]?.seen, `rows of ${table}`).toBe('0')
          const insert = await attempt(client, insertInto(table, row(acme)))
          expect(insert.refused, `insert into ${table}`).toBe('42501')
          expect(insert.error?.message).not.toContain(`true --`)
        })
      }
    })
  })

  test('has nothing to do with internal tables, views and partitions', async () => {
    await twoTenants(granted, async client => {
      const closed = [...internalTables, ...(await partitions(client))]
      for (const table of closed) {
        await asTenant(client, acme.organizationId, async () => {
          const read = await attempt(client, `select from platform.${table}`)
          expect(read.rowCount, table).toBe(0)
          if (granted === 'as granted') expect(read.refused, table).toBe('42501')
          const remove = await attempt(client, `delete from platform.${table}`)
          expect(remove.rowCount, table).toBe(0)
        })
      }
      await asTenant(client, acme.organizationId, async () => {
        const row = tenantTables['usage_events']!.row(acme)
        const insert = await attempt(client, insertInto('usage_events_default', row))
        expect(insert.refused, 'insert into a partition').toBe('42501')
        if (granted !== 'as granted') return
        const view = await attempt(client, 'select * from platform.usage_event_default_rows')
        expect(view.refused, 'view').toBe('42501')
      })
    })
  })
})

test('a tenant who asks for no row security gets an error instead of rows', async () => {
  await twoTenants('as granted', async client => {
    for (const table of Object.keys(tenantTables)) {
      await asTenant(client, acme.organizationId, async () => {
        await client.query('set local row_security = off')
        expect((await attempt(client, `select from platform.${table}`)).refused, table).toBe('42501')
      })
    }
  })
})

test('a tenant writes his own rows in every table that services write', async () => {
  await twoTenants('as granted', async client => {
    for (const [table, { row }] of Object.entries(tenantTables)) {
      if (table === 'organizations' || table === 'audit_log_seals') continue
      await asTenant(client, acme.organizationId, async () => {
        const insert = await attempt(client, insertInto(table, row(acme)))
        expect(insert, table).toMatchObject({ refused: null, rowCount: 1 })
        await client.query('set constraints all immediate')
      })
    }
    const fresh = '10000000-0000-4000-8000-000000000003'
    await asTenant(client, fresh, async () => {
      const signUp = await attempt(
        client,
        insertInto('organizations', { id: `'${fresh}'`, slug: `'gamma'`, display_name: `'Gamma'` }),
      )
      expect(signUp).toMatchObject({ refused: null, rowCount: 1 })
    })
  })
})

test('a global model is read by every tenant and written by none', async () => {
  await twoTenants('with every privilege and no trigger', async client => {
    for (const tenant of [acme, beta]) {
      await asTenant(client, tenant.organizationId, async () => {
        const { rows } = await client.query<{ id: string }>(
          'select id from platform.model_registry_entries order by id',
        )
        expect(rows.map(({ id }) => id)).toEqual([tenant.modelId, globalModelId].sort())
        const values = `(name, target, cost_per_1k_tokens) values ('mine', 'managed', 0)`
        expect(await attempt(client, `insert into platform.model_registry_entries ${values}`)).toMatchObject({
          refused: '42501',
        })
        for (const text of [
          `update platform.model_registry_entries set cost_per_1k_tokens = 0 where organization_id is null`,
          `delete from platform.model_registry_entries where organization_id is null`,
        ])
          expect(await attempt(client, text)).toMatchObject({ refused: null, rowCount: 0 })
      })
    }
    await asTenant(client, null, async () => {
      const { rowCount } = await client.query('select from platform.model_registry_entries')
      expect(rowCount, 'without a tenant').toBe(0)
    })
  })
})

test('a service learns whom a request is for by slug or by the hash of a key, and nothing more', async () => {
  await twoTenants('as granted', async client => {
    await asTenant(client, null, async () => {
      const organizations = await client.query(`select * from platform.find_organization('acme')`)
      expect(organizations.rows).toEqual([{ organization_id: acme.organizationId, status: 'active' }])
      const keys = await client.query(`select * from platform.find_api_key(sha256('beta'))`)
      expect(keys.rows).toEqual([
        { organization_id: beta.organizationId, api_key_id: beta.apiKeyId, status: 'active', scopes: ['usage:write'] },
      ])
      for (const text of [
        `select from platform.find_organization('%')`,
        `select from platform.find_organization(null)`,
        `select from platform.find_api_key(sha256('unknown'))`,
        `select from platform.find_api_key(null)`,
      ])
        expect((await client.query(text)).rowCount, text).toBe(0)
    })
    for (const change of [
      `update platform.api_keys set status = 'revoked'`,
      `update platform.api_keys set deleted_at = now()`,
      `update platform.organizations set status = 'suspended'`,
      `update platform.organizations set deleted_at = now()`,
    ]) {
      await client.query('begin')
      await client.query(change)
      const { rowCount } = await client.query(`select from platform.find_api_key(sha256('beta'))`)
      await client.query('rollback')
      expect(rowCount, change).toBe(0)
    }
  })
})

describe('analytics', () => {
  test('reads usage of every tenant, without e-mails, secrets or the audit log', async () => {
    await twoTenants('as granted', async client => {
      await client.query('set role plinth_analytics')
      const counts = await client.query<{ organizations: string; events: string; models: string; marks: string }>(
        `select
           (select count(*) from platform.organizations) as organizations,
           (select count(*) from platform.usage_events) as events,
           (select count(*) from platform.model_registry_entries) as models,
           (select count(distinct shard) from platform.usage_event_marks) as marks`,
      )
      expect(counts.rows[0]).toEqual({ organizations: '2', events: '2', models: '3', marks: '2' })
      expect((await client.query('select organization_id, role, status from platform.users')).rowCount).toBe(2)
      expect((await client.query('select name, scopes from platform.api_keys')).rowCount).toBe(2)
      expect((await client.query('select row_count from platform.usage_event_default_rows')).rows).toEqual([
        { row_count: '0' },
      ])
      for (const [table, column] of [
        ['users', 'email_ciphertext'],
        ['users', 'email_hash'],
        ['users', '*'],
        ['api_keys', 'secret_hash'],
        ['audit_log_entries', 'id'],
        ['audit_log_seals', 'hash'],
      ])
        await expect(
          client.query(`select ${column} from platform.${table}`),
          `${table}.${column}`,
        ).rejects.toMatchObject({ code: '42501' })
    })
  })

  test('writes nowhere', async () => {
    const { url } = await platformDatabase()
    await withClient(url, async client => {
      const { rows } = await client.query<{ writable: string }>(
        `select relname || ' ' || privilege as writable
         from pg_class
         cross join unnest(array['insert', 'update', 'delete', 'truncate', 'trigger', 'references']) as privilege
         where relnamespace = 'platform'::regnamespace
           and relkind in ('r', 'p', 'v')
           and has_table_privilege('plinth_analytics', oid, privilege)`,
      )
      expect(rows).toEqual([])
    })
  })
})

test('the migrator works on every tenant’s rows without being the owner', async () => {
  await twoTenants('as granted', async client => {
    await client.query('set role plinth_migrator')
    for (const [table, { tenantColumn }] of Object.entries(tenantTables)) {
      const { rowCount } = await client.query(`select from platform.${table} where ${tenantColumn} is not null`)
      expect(rowCount, table).toBe(2)
    }
    const moved = await client.query(`update platform.usage_events set latency_ms = 1`)
    expect(moved.rowCount).toBe(2)
  })
})
