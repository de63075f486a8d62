/** Nothing is lost on the way down or up: stories of the command line, and of the platform's own migrations with its own data. */
import { expect, test } from 'vitest'
import { plinth, platformProject, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

async function story(files: Readonly<Record<string, string>>) {
  const cwd = temporaryFolder(files)
  const { url } = await emptyDatabase()
  const flags = ['--dir', 'm', '--database', url]
  return {
    run: (...args: string[]) => plinth([...args, ...flags], { cwd }),
    sql: (text: string) => withClient(url, async client => (await client.query(text)).rows as unknown[]),
  }
}

const base = {
  'm/1_people.up.sql': 'create table people (id int primary key, name text, city text);\n',
  'm/1_people.down.sql': 'drop table people;\n',
  'm/2_no_city.up.sql': 'alter table people drop column city;\n',
  'm/2_no_city.down.sql': 'alter table people add column city text;\n',
}

test('data written after an up survives down and up again, and the command says so', async () => {
  const { run, sql } = await story(base)
  await run('apply', '--to', '1')
  await sql("insert into people values (1, 'Ada', 'Rome'), (2, 'Bo', 'Oslo')")
  const plan = await run('plan', '--json')
  expect(plan.json.data.tracks[0].plan.steps[0]).toMatchObject({ lossClass: 'lossless-with-policy' })
  expect((await run('plan')).stdout).toContain('columns of people are dropped')
  const applied = await run('apply')
  expect(applied.stdout).toMatch(/kept what it destroyed in archive [0-9a-f-]{36}/)
  await sql("insert into people values (3, 'Cy')")
  const list = await run('archive', 'list')
  expect(list.stdout).toMatch(/no_city +up +kept/)
  const back = await run('rollback', '--steps', '1', '--yes')
  expect(back.stdout).toContain('public.people: 2 rows restored, 1 defaulted')
  expect(await sql('select city from people order by id')).toEqual([{ city: 'Rome' }, { city: 'Oslo' }, { city: null }])
  await run('rollback', '--to', '0', '--yes')
  await run('apply', '--to', '1')
  expect(await sql('select id, name, city from people order by id')).toEqual([
    { id: 1, name: 'Ada', city: 'Rome' },
    { id: 2, name: 'Bo', city: 'Oslo' },
    { id: 3, name: 'Cy', city: null },
  ])
  const id = /^([0-9a-f]{8}) +2/m.exec((await run('archive', 'list')).stdout)?.[1] ?? ''
  expect((await run('archive', 'show', id)).stdout).toContain('2 restored, 0 kept, 1 defaulted')
})

test('a loss is refused with its reason until it is accepted by version', async () => {
  const { run } = await story({
    'm/1_object.up.sql': 'create table t (id int);\nselect lo_unlink(lo_create(0));\n',
    'm/1_object.down.sql': 'drop table t;\n',
  })
  const refused = await run('apply', '--json')
  expect(refused).toMatchObject({ status: 5, json: { error: { code: 'LOSS_NOT_ACCEPTED' } } })
  expect(refused.json.error?.message).toContain('Line 2: a large object is changed by lo_unlink')
  expect(refused.json.error?.hint).toContain('--accept-loss 1')
  expect((await run('apply', '--accept-loss', 'one')).status).toBe(2)
  expect((await run('apply', '--accept-loss', '1')).status).toBe(0)
  expect((await run('rollback', '--to', '0', '--yes')).status).toBe(5)
  expect((await run('rollback', '--to', '0', '--yes', '--accept-loss', 'all')).status).toBe(0)
})

test('archives are purged when nobody needs them, by version when somebody does, and by tenant always', async () => {
  const { run, sql } = await story({
    'm/1_base.up.sql':
      'create table t (id int primary key, organization_id int);\ncreate table u (id int primary key, v int);\n',
    'm/1_base.down.sql': 'drop table t;\ndrop table u;\n',
    'm/2_drop.up.sql': 'drop table t;\nalter table u drop column v;\n',
    'm/2_drop.down.sql': 'create table t (id int primary key, organization_id int);\nalter table u add column v int;\n',
  })
  await run('apply', '--to', '1')
  await sql('insert into t values (1, 7), (2, 8); insert into u values (1, 1)')
  await run('apply')
  expect((await run('archive', 'purge')).status).toBe(5)
  const erased = await run('archive', 'purge', '--tenant', '7', '--yes')
  expect(erased.stdout).toContain('1 row of the tenant erased')
  expect(erased.stdout).toContain('rows of public.u that name no tenant')
  const kept = await run('archive', 'purge', '--older-than', '1', '--yes', '--json')
  expect(kept.json.data.tracks[0].purge).toMatchObject({ purged: [], needed: [] })
  await run('rollback', '--steps', '1', '--yes')
  expect(await sql('select id from t')).toEqual([{ id: 2 }])
  await run('apply')
  expect((await run('archive', 'purge', '--version-of', '2', '--yes')).stdout).toMatch(/purged/)
  const refused = await run('rollback', '--steps', '1', '--yes', '--json')
  expect(refused).toMatchObject({ status: 5, json: { error: { code: 'LOSS_NOT_ACCEPTED' } } })
  expect((await run('archive', 'show', 'ffffffff', '--json')).json.error?.code).toBe('ARCHIVE_UNKNOWN')
})

test('the platform goes down to nothing and comes up again with every row, without a flag', async () => {
  const cwd = platformProject()
  const { url } = await emptyDatabase()
  const run = (...args: string[]) => plinth([...args, '--track', 'operational', '--database', url], { cwd })
  expect((await run('apply')).status).toBe(0)
  await withClient(url, client =>
    client.query(`
      insert into platform.organizations (id, slug, display_name, plan_tier, monthly_token_budget, status)
      select gen_random_uuid(), 'org-' || n, 'Org ' || n, 'growth', 1000 * n, 'active' from generate_series(1, 5) n;
      insert into platform.model_registry_entries (id, name, revision, target, cost_per_1k_tokens)
      values (gen_random_uuid(), 'm', 1, 'managed', 1);
      insert into platform.api_keys (organization_id, id, name, secret_hash, scopes)
      select id, id, slug, sha256(slug::bytea), array['usage:write'] from platform.organizations;
      insert into platform.usage_events (organization_id, event_id, occurred_at, api_key_id, model_id, input_tokens, output_tokens, latency_ms, status, region, cost)
      select o.id, gen_random_uuid(), now() - n * interval '1 day', o.id, m.id, n, n, n, 'success', 'eu', n
      from platform.organizations o
      cross join generate_series(0, 40) n
      cross join platform.model_registry_entries m`),
  )
  // Marks say which hours changed, and moving events between partitions marks them again.
  const look = () =>
    withClient(url, async client => {
      const tables = [
        'organizations',
        'users',
        'api_keys',
        'model_registry_entries',
        'usage_events',

        'audit_log_entries',
        'partition_settings',
      ]
      const counts: Record<string, string> = {}
      for (const table of tables) {
        const { rows } = await client.query<{ d: string }>(
          `select count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) as d from platform.${table} t`,
        )
        counts[table] = rows[0]?.d ?? ''
      }
      return counts
    })
  const before = await look()
  expect(before['organizations']).toMatch(/^5:/)
  expect(before['usage_events']).toMatch(/^205:/)
  expect((await run('rollback', '--to', '0', '--yes')).status).toBe(0)
  expect((await run('apply')).status).toBe(0)
  expect(await look()).toEqual(before)
})
