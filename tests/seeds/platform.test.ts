/** The packages of the platform on a real database: what they hold, that they come out the same, and that a rerun mends and adds nothing else. */
import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openKeyring } from '../../src/governance/keyring.ts'
import { listPackages, loadPackage } from '../../src/seeds/load.ts'
import { planSeed } from '../../src/seeds/plan.ts'
import { runSeed, schemasOf } from '../../src/seeds/run.ts'
import type { Fact } from '../../src/telemetry/event.ts'
import { platformDatabase, withClient } from '../support/database.ts'
import { counts, freshKeys, openSession, platformPackages, seed, seedable } from './support.ts'

const ofCi = {
  'platform.model_registry_entries': 6,
  'platform.organizations': 6,
  'platform.users': 27,
  'platform.api_keys': 10,
  'platform.audit_log_entries': 3,
  'platform.usage_events': 2000,
}

describe('a first run', () => {
  test('inserts every row of the package, and a second run changes nothing', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const first = await seed(url, { keys })
    expect(counts(first)).toEqual(
      Object.fromEntries(Object.entries(ofCi).map(([table, rows]) => [table, [rows, 0, 0, 0]])),
    )
    const before = await everything(url)
    const second = await seed(url, { keys })
    expect(counts(second)).toEqual(
      Object.fromEntries(Object.entries(ofCi).map(([table, rows]) => [table, [0, 0, rows, 0]])),
    )
    expect(second.changed).toBe(false)
    expect(second.digest).toBe(first.digest)
    expect(await everything(url)).toEqual(before)
  })

  test('gives one digest on every machine: in two databases, under different keys, in other batches and time zones', async () => {
    const [a, b] = await Promise.all([platformDatabase(), platformDatabase()])
    await withClient(b.url, client => client.query(`alter database ${b.name} set timezone = 'Asia/Kathmandu'`))
    const [first, second] = [await seed(a.url), await seed(b.url, { chunkRows: 777 })]
    expect(second.tables.map(table => [table.table, table.digest])).toEqual(
      first.tables.map(table => [table.table, table.digest]),
    )
    expect(second.digest).toBe(first.digest)
    const ciphertexts = (url: string) =>
      withClient(
        url,
        async client => (await client.query('select email_ciphertext from platform.users order by id')).rows,
      )
    expect(await ciphertexts(a.url)).not.toEqual(await ciphertexts(b.url))
  })

  test('gives the digest of the last release: who changes the data or the generator sees it here', async () => {
    const { url } = await platformDatabase()
    expect((await seed(url)).digest).toMatchInlineSnapshot(
      `"8f61d0309074874a300e0c2f6dac29b03eb9e915972a13ec2e788ef993a99fae"`,
    )
  })
})

describe('the data', () => {
  test('tell a platform that is in use: tiers, roles, statuses, budgets, errors, late events and skew', async () => {
    const { url } = await platformDatabase()
    await seed(url)
    await withClient(url, async client => {
      const list = async (text: string) => (await client.query<{ value: string }>(text)).rows.map(row => row.value)
      expect(await list('select distinct plan_tier as value from platform.organizations order by 1')).toEqual([
        'enterprise',
        'growth',
        'starter',
      ])
      expect(await list('select distinct status as value from platform.organizations order by 1')).toEqual([
        'active',
        'closed',
        'suspended',
      ])
      expect(
        await list(`select distinct slug as value from platform.organizations as o where status = 'active' and (
          select count(distinct u.role) + count(distinct u.status) from platform.users as u where u.organization_id = o.id) < 7`),
      ).toEqual([])
      expect(await list('select distinct status as value from platform.api_keys order by 1')).toEqual([
        'active',
        'revoked',
        'rotating',
      ])
      expect(await list('select distinct status as value from platform.usage_events order by 1')).toEqual([
        'error',
        'rate_limited',
        'success',
      ])
      expect(await list('select count(*)::text as value from platform.users where deleted_at is not null')).toEqual([
        '1',
      ])
      expect(
        await list(`select name as value from platform.model_registry_entries group by name having count(*) > 1`),
      ).toEqual(['swift-large'])
      expect(
        Number(
          (
            await list(
              'select count(*)::text as value from platform.model_registry_entries where organization_id is null',
            )
          )[0],
        ),
      ).toBeGreaterThanOrEqual(4)
      const wrong = await client.query(`
        select from platform.usage_events as e join platform.model_registry_entries as m on m.id = e.model_id
         where (e.status = 'success') <> (e.error_code is null)
            or e.cost <> case when e.status = 'success' then round((e.input_tokens + e.output_tokens) * m.cost_per_1k_tokens / 1000, 6) else 0 end
            or e.received_at < e.occurred_at
            or e.occurred_at < '2026-10-18Z' or e.occurred_at >= '2026-11-01Z'`)
      expect(wrong.rowCount).toBe(0)
      const late = await client.query<{ count: number }>(
        `select count(*)::int from platform.usage_events where received_at > occurred_at + interval '1 hour'`,
      )
      expect(late.rows[0]?.count).toBeGreaterThan(10)
      const stray = await client.query('select from only platform.usage_events_default')
      expect(stray.rowCount).toBe(0)
      const { rows: shares } = await client.query<{ share: number }>(
        'select count(*)::float / sum(count(*)) over () as share from platform.usage_events group by organization_id order by 1 desc',
      )
      expect(shares[0]?.share).toBeGreaterThan(0.4)
      const { rows: hours } = await client.query<{ day: number; night: number }>(`
        select count(*) filter (where extract(hour from occurred_at at time zone 'UTC') = 14)::int as day,
               count(*) filter (where extract(hour from occurred_at at time zone 'UTC') = 3)::int as night from platform.usage_events`)
      expect(hours[0]?.day).toBeGreaterThan(4 * (hours[0]?.night ?? 0))
    })
  })

  test('of staging have tenants, people and keys by the dozen, each tenant with its own', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const session = await openSession(url)
    const staging = await loadPackage(platformPackages, 'staging')
    // The full 200,000 events say nothing that 1,000 do not.
    const small = {
      ...staging,
      tables: staging.tables.map(file => (file.table === 'platform.usage_events' ? { ...file, rows: 1000 } : file)),
    }
    const protect = async () => openKeyring({ provider: keys, session })
    const run = () => runSeed(session, small, { environment: seedable, protect, secrets: 'reveal' })
    const first = await run()
    expect(counts(first)).toMatchObject({
      'platform.organizations': [54, 0, 0, 0],
      'platform.users': [27 + 54 * 5, 0, 0, 0],
      'platform.api_keys': [10 + 54 * 2, 0, 0, 0],
      'platform.usage_events': [1000, 0, 0, 0],
    })
    expect(first.secrets).toEqual([])
    const second = await run()
    expect([second.changed, second.digest]).toEqual([false, first.digest])
    const { rows } = await session.query<{ tenants: number }>(
      'select count(distinct organization_id)::int as tenants from platform.usage_events',
    )
    expect(rows[0]?.tenants).toBeGreaterThan(30)
  })

  test('can log in: the hash of an address finds its user, whose envelope opens to the address', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    await seed(url, { keys })
    const session = await openSession(url)
    const keyring = await openKeyring({ provider: keys, session })
    const { rows: organizations } = await session.query<{ id: string }>(
      `select id from platform.organizations where slug = 'acme'`,
    )
    const organizationId = organizations[0]?.id ?? ''
    const hash = keyring.lookupHash(' Olivia.Stone@acme.EXAMPLE.com', {
      table: 'platform.users',
      column: 'email_hash',
      organizationId,
      form: 'email',
    })
    const { rows } = await session.query<{ role: string; email_ciphertext: Uint8Array }>(
      'select role, email_ciphertext from platform.users where organization_id = $1 and email_hash = $2',
      [organizationId, hash],
    )
    expect(rows.map(row => row.role)).toEqual(['owner'])
    expect(
      await keyring.decrypt(rows[0]?.email_ciphertext ?? new Uint8Array(), {
        table: 'platform.users',
        column: 'email_ciphertext',
        organizationId,
      }),
    ).toBe('olivia.stone@acme.example.com')
  })
})

describe('a rerun', () => {
  test('restores rows that were edited, brings back those that were deleted, and leaves strangers alone', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const first = await seed(url, { keys })
    await withClient(url, async client => {
      await client.query(
        `update platform.organizations set display_name = 'Edited', monthly_token_budget = 1 where slug = 'acme'`,
      )
      await client.query(
        `update platform.users set email_ciphertext = (select email_ciphertext from platform.users where email_ciphertext is not null and role = 'billing' and organization_id = u.organization_id limit 1) from platform.organizations as o, platform.users as u where o.slug = 'borealis' and u.organization_id = o.id and u.role = 'owner' and platform.users.id = u.id`,
      )
      await client.query(
        'update platform.usage_events set cost = cost + 1, latency_ms = 1 where event_id in (select event_id from platform.usage_events order by event_id limit 3)',
      )
      await client.query(
        'delete from platform.usage_events where event_id in (select event_id from platform.usage_events order by event_id desc limit 5)',
      )
      await client.query(`insert into platform.organizations (slug, display_name) values ('stranger', 'Somebody else')`)
    })
    const second = await seed(url, { keys })
    expect(counts(second)).toMatchObject({
      'platform.organizations': [0, 1, 5, 1],
      'platform.users': [0, 1, 26, 0],
      'platform.usage_events': [5, 3, 1992, 0],
    })
    expect(second.digest).toBe(first.digest)
    await withClient(url, async client => {
      expect(
        (
          await client.query(
            `select display_name from platform.organizations where slug in ('acme', 'stranger') order by slug`,
          )
        ).rows,
      ).toEqual([{ display_name: 'Acme Robotics' }, { display_name: 'Somebody else' }])
    })
  })

  test('finishes a run that was killed in the middle of the events', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const untouched = await platformDatabase()
    const expected = await seed(untouched.url)
    const session = await openSession(url)
    const killed = runSeed(session, await loadPackage(platformPackages, 'ci'), {
      environment: seedable,
      protect: async () => openKeyring({ provider: keys, session }),
      secrets: 'discard',
      chunkRows: 250,
      emit: fact => {
        if (fact.type === 'progress' && fact.done === 1000)
          void withClient(url, client => client.query('select pg_terminate_backend($1)', [session.backendId]))
      },
    })
    await expect(killed).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    const left = await withClient(url, async client =>
      Number((await client.query('select count(*) from platform.usage_events')).rows[0].count),
    )
    expect(left).toBeGreaterThanOrEqual(1000)
    expect(left).toBeLessThan(2000)
    const second = await seed(url, { keys })
    expect(counts(second)['platform.usage_events']).toEqual([2000 - left, 0, left, 0])
    expect(second.digest).toBe(expected.digest)
  })

  test('that is asked to stop says so, and the next one finishes', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const controller = new AbortController()
    const emit = (fact: Fact): void => {
      if (fact.type === 'progress') controller.abort()
    }
    await expect(seed(url, { keys, chunkRows: 500, emit, signal: controller.signal })).rejects.toMatchObject({
      code: 'INTERRUPTED',
    })
    expect(counts(await seed(url, { keys }))['platform.usage_events']).toEqual([1500, 0, 500, 0])
  })

  test('two at once take turns: one inserts, the other finds nothing to do', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const reports = await Promise.all([seed(url, { keys }), seed(url, { keys })])
    const inserted = reports
      .map(report => report.tables.reduce((sum, table) => sum + table.inserted, 0))
      .sort((a, b) => a - b)
    expect(inserted).toEqual([0, Object.values(ofCi).reduce((sum, rows) => sum + rows, 0)])
    expect(reports[0]?.digest).toBe(reports[1]?.digest)
  })

  test('under another master key ends with the place of the value that it cannot read', async () => {
    const { url } = await platformDatabase()
    await seed(url)
    await expect(seed(url)).rejects.toMatchObject({
      code: 'CIPHER_INVALID',
      hint: expect.stringContaining('master key'),
    })
  })

  test('of another package leaves what they share unchanged', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    await seed(url, { keys, name: 'ci' })
    expect(counts(await seed(url, { keys, name: 'local-dev' }))).toMatchObject({
      'platform.organizations': [0, 0, 6, 0],
      'platform.users': [0, 0, 27, 0],
      'platform.api_keys': [0, 0, 10, 0],
      'platform.usage_events': [30_000, 0, 0, 2000],
    })
  })
})

describe('protection', () => {
  test('no address and no secret is anywhere in the database, in facts, in the plan or in the report of ci', async () => {
    const { url } = await platformDatabase()
    const facts: Fact[] = []
    const told: string[] = []
    const report = await seed(url, {
      name: 'local-dev',
      secrets: 'reveal',
      emit: fact => facts.push(fact),
      onSecrets: secrets => told.push(...secrets.map(one => one.secret)),
    })
    const secrets = report.secrets.map(one => one.secret)
    expect(told).toEqual(secrets)
    expect(new Set(secrets).size).toBe(10)
    for (const secret of secrets) expect(secret).toMatch(/^plk_[\w-]{32}$/)
    const session = await openSession(url)
    const plan = planSeed({
      package: await loadPackage(platformPackages, 'local-dev'),
      schema: await session.introspect({ schemas: ['platform'] }),
    })
    const stored = await everyText(url)
    expect(stored).toContain('acme')
    for (const text of [stored, JSON.stringify(facts), JSON.stringify(plan)]) {
      expect(text).not.toMatch(/example\.com/i)
      expect(text).not.toContain(Buffer.from('example.com').toString('hex'))
      for (const secret of secrets) {
        expect(text).not.toContain(secret)
        expect(text).not.toContain(Buffer.from(secret).toString('hex'))
      }
    }
  }, 120_000)

  test('a secret is told once, works, and is kept by the rerun', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const options = { name: 'local-dev', keys, secrets: 'reveal' } as const
    const first = await seed(url, options)
    const second = await seed(url, options)
    expect(second.secrets).toEqual([])
    const production = first.secrets.find(secret => secret.label === 'acme-production')
    const session = await openSession(url)
    const keyring = await openKeyring({ provider: keys, session })
    const hash = keyring.lookupHash(production?.secret ?? '', {
      table: 'platform.api_keys',
      column: 'secret_hash',
      organizationId: null,
      form: 'exact',
    })
    const { rows } = await session.query<{ status: string }>('select status from platform.find_api_key($1)', [hash])
    expect(rows).toEqual([{ status: 'active' }])
    const plain = createHmac('sha256', 'no key')
      .update(production?.secret ?? '')
      .digest()
    expect(Buffer.from(hash).equals(plain)).toBe(false)
  }, 120_000)

  test('packages that discard secrets never tell them, whoever asks', async () => {
    const { url } = await platformDatabase()
    const told: unknown[] = []
    const report = await seed(url, { name: 'ci', secrets: 'reveal', onSecrets: secrets => told.push(...secrets) })
    expect([report.secrets, told]).toEqual([[], []])
  })

  test('works for plinth_migrator, whom row-level security holds', async () => {
    const { url } = await platformDatabase()
    const keys = freshKeys()
    const owner = await openSession(url)
    const keyring = await openKeyring({ provider: keys, session: owner })
    const session = await openSession(url)
    await session.query('set role plinth_migrator')
    const run = async () =>
      runSeed(session, await loadPackage(platformPackages, 'ci'), {
        environment: seedable,
        protect: async () => keyring,
        secrets: 'discard',
      })
    const first = await run()
    expect(counts(first)['platform.usage_events']).toEqual([2000, 0, 0, 0])
    expect((await run()).digest).toBe(first.digest)
  })

  test('is refused where no demonstration data may go, before anything is written', async () => {
    const { url } = await platformDatabase()
    const refused = seed(url, { environment: { name: 'production', seedable: false } })
    await expect(refused).rejects.toMatchObject({
      code: 'SEED_REFUSED',
      hint: expect.stringContaining('environments.production.seedable'),
    })
    expect(
      await withClient(url, async client => (await client.query('select from platform.organizations')).rowCount),
    ).toBe(0)
  })
})

describe('packages', () => {
  test('are listed with what they are for', async () => {
    const packages = await listPackages(platformPackages)
    expect(packages.map(({ name, weeks }) => [name, weeks])).toEqual([
      ['ci', 2],
      ['local-dev', 8],
      ['staging', 13],
    ])
  })

  test('have a plan that is plain data without rows', async () => {
    const { url } = await platformDatabase()
    const session = await openSession(url)
    const seedPackage = await loadPackage(platformPackages, 'staging')
    const plan = planSeed({
      package: seedPackage,
      schema: await session.introspect({ schemas: schemasOf(seedPackage) }),
    })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
    expect(plan.window).toEqual({ from: '2026-08-02T00:00:00.000Z', to: '2026-11-01T00:00:00.000Z' })
    const rows = new Map<string, number>()
    for (const table of plan.tables) rows.set(table.table, (rows.get(table.table) ?? 0) + table.rows)
    expect(Object.fromEntries(rows)).toMatchObject({ 'platform.organizations': 54, 'platform.usage_events': 200_000 })
    const users = plan.tables.find(table => table.table === 'platform.users')
    expect(users?.columns.filter(column => column.protection)).toEqual([
      { name: 'email_ciphertext', protection: 'encrypted' },
      { name: 'email_hash', protection: 'hashed' },
    ])
    expect(
      await withClient(url, async client => (await client.query('select from platform.organizations')).rowCount),
    ).toBe(0)
  })
})

/** Every row of the platform's tables as text. */
async function everything(url: string): Promise<Record<string, string>> {
  return withClient(url, async client => {
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('platform', 'plinth') order by 1`,
    )
    const found: Record<string, string> = {}
    for (const { name } of rows) {
      const { rows: content } = await client.query<{ text: string }>(
        `select coalesce(string_agg(t::text, e'\\n' order by t::text), '') as text from ${name} as t`,
      )
      found[name] = content[0]?.text ?? ''
    }
    return found
  })
}

async function everyText(url: string): Promise<string> {
  return JSON.stringify(await everything(url))
}
