/** One folder of migrations whose placeholders mean something else in each environment: the configuration says what. */
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const open = '${'
const files = {
  'm/V1__area.sql': `create schema ${open}area};\ncreate table ${open}area}.orders (id int primary key, region text default '${open}region}');\n`,
  'm/U1__area.sql': `drop table ${open}area}.orders;\ndrop schema ${open}area};\n`,
  'm/V2__note.sql': `alter table ${open}area}.orders add column note text;\n`,
  'm/U2__note.sql': `alter table ${open}area}.orders drop column note;\n`,
  'm/placeholders.json': '{ "area": "shop", "region": "none" }\n',
  'plinth.yaml': `version: 1
environments: { staging: {}, production: {}, broken: {} }
tracks:
  operational: { migrations: m, database: '${open}DATABASE_URL}', placeholders: { region: eu } }
`,
  'configs/environments/staging.yaml': `tracks: { operational: { placeholders: { area: shop_staging } } }\n`,
  'configs/environments/production.yaml': `tracks: { operational: { placeholders: { area: '${open}AREA}', region: us } } }\n`,
}

test('goes up, is proved, goes down and comes again in each, with its own values', { timeout: 120_000 }, async () => {
  const cwd = temporaryFolder(files)
  for (const [name, area, region] of [
    ['local', 'shop', 'eu'],
    ['staging', 'shop_staging', 'eu'],
    ['production', 'shop_live', 'us'],
  ] as const) {
    const { url } = await emptyDatabase()
    const env = { DATABASE_URL: url, AREA: 'shop_live' }
    const run = async (...args: string[]) => {
      const { status, stdout, stderr } = await plinth([...args, '--env', name, '--database', url], { cwd, env })
      expect({ args, status, told: status === 0 ? '' : stdout + stderr }).toEqual({ args, status: 0, told: '' })
      return stdout
    }
    const rows = async (sql: string) => withClient(url, async client => (await client.query(sql)).rows as unknown[])
    await run('plan')
    await run('lint', '--no-rehearsal')
    await run('apply')
    await withClient(url, client => client.query(`insert into ${area}.orders values (1, default, 'kept')`))
    expect(await rows(`select * from ${area}.orders`)).toEqual([{ id: 1, region, note: 'kept' }])
    await run('drift')
    await run('verify')
    await run('status')
    await run('rollback', '--to', '0', '--yes')
    await run('apply')
    expect(await rows(`select * from ${area}.orders`)).toEqual([{ id: 1, region, note: 'kept' }])
    // The value may be a secret, so its name is all that is shown.
    const shown = await run('config', 'show')
    expect(shown).toContain('tracks.operational.placeholders')
    expect(shown).not.toContain('shop_staging')
  }
})

test('a value that needs a variable which is not set is told by its place', async () => {
  const cwd = temporaryFolder(files)
  const { url } = await emptyDatabase()
  const { status, stderr } = await plinth(['plan', '--env', 'production', '--database', url], {
    cwd,
    env: { DATABASE_URL: url },
  })
  expect(status).toBe(2)
  expect(stderr).toContain('CONFIG_INVALID')
  expect(stderr).toContain('AREA')
  expect(stderr).toContain('tracks.operational.placeholders.area')
})
