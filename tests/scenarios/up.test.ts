/** The main job as a newcomer meets it: a project of one's own, an embedded server of its own, nothing else. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { removeEmbedded } from '../../src/engines/postgres/embedded.ts'
import { platformProject, plinth } from '../support/cli.ts'
import { asUser, platformDatabase, type TestDatabase, withClient } from '../support/database.ts'

test('up makes everything, up again changes nothing, stop ends the server', { timeout: 180_000 }, async () => {
  const cwd = platformProject()
  onTestFinished(() => removeEmbedded({ folder: join(cwd, '.plinth/postgres') }))
  const first = await plinth(['up'], { cwd })
  expect(first.stderr).not.toContain('✗')
  expect(first.status).toBe(0)
  expect(first.stdout).toContain('The foundation is up')
  expect(first.stdout).toMatch(/PGPASSFILE='\.plinth\/postgres\/pgpass' psql -h 127\.0\.0\.1 -p \d+ -U postgres plinth/)
  expect(first.stdout).toMatch(/0 differences between source and warehouse in [\d,]+ cells/)
  const secrets = first.stdout.match(/plk_[\w-]{32}/g) ?? []
  expect(secrets.length).toBeGreaterThan(0)

  const second = await plinth(['up'], { cwd })
  expect(second.status).toBe(0)
  expect(second.stdout).toContain('Everything was up to date; nothing was changed')
  expect(second.stdout).not.toMatch(/plk_/)

  const everything = first.stderr + second.stdout + second.stderr
  for (const secret of secrets) expect(everything).not.toContain(secret)
  expect(everything).not.toContain(readFileSync(join(cwd, '.plinth/postgres/password'), 'utf8').trim())

  expect(await plinth(['status'], { cwd })).toMatchObject({ status: 0 })
  expect(await plinth(['docs', 'check'], { cwd })).toMatchObject({ status: 0 })
  // What rollups make in the warehouse is not of the migrations, and no drift.
  expect(await plinth(['drift'], { cwd })).toMatchObject({ status: 0 })
  expect((await plinth(['stop'], { cwd })).stdout).toContain('was stopped')
  expect((await plinth(['stop'], { cwd })).stdout).toContain('No embedded PostgreSQL')
})

test('late, moved and deleted events arrive, also from a transaction that was open during a run', {
  timeout: 180_000,
}, async () => {
  const { url, at, run, hourly } = await flow()
  expect(await run('rollup', 'run')).toMatchObject({ status: 0 })
  expect(await hourly()).toEqual(await expected(url))
  const before = (await hourly()).length

  await withClient(url, async open => {
    await open.query('begin')
    await open.query(insertEvent('00000000-0000-4000-8000-00000000aaaa', "'2026-10-02T07:30:00Z'"))
    await withClient(url, async client => {
      await client.query(insertEvent('00000000-0000-4000-8000-00000000bbbb', "'2026-09-10T03:15:00Z'"))
      const { rows } = await client.query<{ event_id: string }>(
        'select event_id from platform.usage_events order by occurred_at, event_id limit 2',
      )
      await client.query(
        "update platform.usage_events set occurred_at = occurred_at + interval '3 days 5 hours' where event_id = $1",
        [rows[0]?.event_id],
      )
      await client.query('delete from platform.usage_events where event_id = $1', [rows[1]?.event_id])
    })
    expect(await run('rollup', 'run')).toMatchObject({ status: 0 })
    expect(await hourly()).toEqual(await expected(url))
    await open.query('commit')
  })
  expect(await hourly()).not.toEqual(await expected(url))
  expect(await run('rollup', 'run')).toMatchObject({ status: 0 })
  expect(await hourly()).toEqual(await expected(url))
  expect((await hourly()).length).toBeGreaterThan(before)

  const reconciled = await run('reconcile', '--json')
  expect(reconciled).toMatchObject({ status: 0, json: { data: { status: 'equal' } } })
  await withSession(duckdb, at, {}, session =>
    session.query(
      'update analytics.usage_hourly set requests = requests + 7 where bucket_hour = (select min(bucket_hour) from analytics.usage_hourly)',
    ),
  )
  await withSession(duckdb, at, {}, session =>
    session.query('delete from raw.usage_events where bucket_hour = (select max(bucket_hour) from raw.usage_events)'),
  )
  expect(await run('reconcile', '--dry-run')).toMatchObject({ status: 3 })
  expect(await hourly()).not.toEqual(await expected(url))
  expect(await run('reconcile', '--json')).toMatchObject({ status: 3, json: { data: { status: 'repaired' } } })
  expect(await hourly()).toEqual(await expected(url))
  expect(await run('reconcile')).toMatchObject({ status: 0 })
  expect(await run('check')).toMatchObject({ status: 0 })
})

test.each(['a superuser', 'an ordinary owner'] as const)(
  'everything rolls back to nothing and comes back with every row, by a role that is %s',
  {
    timeout: 180_000,
  },
  async role => {
    const { run } = await flow(role)
    const digest = async () =>
      (await run('seed', '--package', 'ci', '--json')).json.data as { digest: string; changed: boolean }
    const { digest: before } = await digest()
    expect(await run('rollback', '--track', 'operational', '--to', '0', '--yes')).toMatchObject({ status: 0 })
    expect(await run('status', '--track', 'operational')).toMatchObject({ status: 3 })
    expect(await run('apply')).toMatchObject({ status: 0 })
    expect(await run('status')).toMatchObject({ status: 0 })
    expect(await digest()).toMatchObject({ digest: before, changed: false })
    expect(await run('rollup', 'run', '--rebase')).toMatchObject({ status: 0 })
    expect(await run('reconcile')).toMatchObject({ status: 0 })
  },
)

/** The platform's project against a database of its own, seeded with the package for CI. */
async function flow(role: 'a superuser' | 'an ordinary owner' = 'a superuser') {
  const cwd = platformProject()
  const database = await platformDatabase()
  const url = role === 'a superuser' ? database.url : await ownedBy(database)
  const at = `duckdb:${join(cwd, 'warehouse.duckdb')}`
  // The template has the tables without a history, as a bare clone of a database would.
  await withClient(database.url, client => client.query('drop schema platform cascade'))
  const run = (...args: string[]) => plinth(args, { cwd, env: { DATABASE_URL: url, WAREHOUSE_URL: at } })
  expect(await run('apply')).toMatchObject({ status: 0 })
  expect(await run('seed', '--package', 'ci')).toMatchObject({ status: 0 })
  const hourly = async () =>
    withSession(duckdb, at, {}, async session => {
      const { rows } = await session.query(
        'select epoch(bucket_hour)::bigint::varchar as hour, organization_id::varchar as organization, model_id::varchar as model, requests::varchar as requests, input_tokens::varchar as input_tokens, errors::varchar as errors, cost::decimal(38,6)::varchar as cost from analytics.usage_hourly order by 1, 2, 3',
      )
      return rows
    })
  return { url, at, run, hourly }
}

/** The URL of a role that owns the database and is nobody otherwise: row security that is forced holds for it as well. */
async function ownedBy({ url, name }: TestDatabase): Promise<string> {
  const owner = `owner_of_${name}`
  await withClient(url, async client => {
    await client.query(`create role ${owner} login in role plinth_migrator`)
    await client.query(`alter database ${name} owner to ${owner}`)
  })
  onTestFinished(async () => {
    await withClient(url, async client => {
      await client.query(`reassign owned by ${owner} to current_user`)
      await client.query(`drop owned by ${owner} cascade`)
      await client.query(`drop role ${owner}`)
    })
  })
  return asUser(url, owner)
}

/** The rollup computed from the source by hand. */
async function expected(url: string): Promise<unknown[]> {
  return withClient(url, async client => {
    const { rows } = await client.query<Record<string, unknown>>(`
      select extract(epoch from date_trunc('hour', occurred_at, 'UTC'))::bigint::text as hour, organization_id::text as organization, model_id::text as model,
        count(*)::text as requests, sum(input_tokens)::text as input_tokens, (count(*) filter (where status = 'error'))::text as errors, sum(cost)::numeric(38, 6)::text as cost
      from platform.usage_events group by 1, 2, 3 order by 1, 2, 3`)
    return rows
  })
}

function insertEvent(id: string, occurredAt: string): string {
  return `insert into platform.usage_events (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, region, cost)
    select organization_id, '${id}', ${occurredAt}, api_key_id, model_id, 11, 22, 33, 'success', region, 0.000123 from platform.usage_events limit 1`
}
