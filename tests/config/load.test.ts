import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { expand, loadConfig } from '../../src/config/load.ts'
import type { PlinthError } from '../../src/errors.ts'

function folder(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'plinth-config-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

async function failureOf(work: Promise<unknown>): Promise<PlinthError> {
  return work.then(
    () => expect.unreachable('it should have failed'),
    (error: PlinthError) => error,
  )
}

test('flag beats variable beats environment file beats file beats default, and each origin is kept', async () => {
  const root = folder({
    'configs/migrate.yaml':
      'version: 1\nproject: shop\ntracks:\n  operational:\n    database: postgres://file/a\n    migrations: sql\nenvironments:\n  ci: {}\n',
    'configs/environments/ci.yaml': 'tracks:\n  operational:\n    database: postgres://overlay/b\n',
  })
  const database = async (flags: object, variables: NodeJS.ProcessEnv) => {
    const config = await loadConfig(flags, join(root, 'configs'), variables)
    return [config.tracks[0]?.database, config.origins.get('tracks.operational.database')]
  }
  expect(await database({}, {})).toEqual(['postgres://file/a', 'file'])
  expect(await database({ env: 'ci' }, {})).toEqual(['postgres://overlay/b', 'environment file'])
  expect(await database({ env: 'ci' }, { DATABASE_URL: 'postgres://variable/c' })).toEqual([
    'postgres://variable/c',
    'environment variable',
  ])
  expect(await database({ database: 'postgres://flag/d' }, { DATABASE_URL: 'postgres://variable/c' })).toEqual([
    'postgres://flag/d',
    'flag',
  ])
  const config = await loadConfig({}, root, {})
  expect(config.project).toBe('shop')
  expect(config.tracks[0]?.migrations).toBe(join(root, 'sql'))
  expect(config.origins.get('docs')).toBe('default')
})

test('without a configuration the two tracks have their usual folders and the embedded server', async () => {
  const root = folder({})
  const config = await loadConfig({}, root, {})
  expect(config.tracks.map(({ name, engine, database }) => [name, engine, database])).toEqual([
    ['operational', 'postgres', null],
    ['analytics', 'duckdb', `duckdb:${join(root, '.plinth/warehouse.duckdb')}`],
  ])
})

test("a folder of one's own is one track against --database", async () => {
  const root = folder({ 'configs/migrate.yaml': 'version: 1\n' })
  const config = await loadConfig({ dir: join(root, 'mine'), database: 'duckdb:x.duckdb' }, root, {})
  expect(config.tracks).toEqual([
    { name: 'analytics', engine: 'duckdb', migrations: join(root, 'mine'), database: 'duckdb:x.duckdb' },
  ])
})

test.each([
  ['malformed YAML', 'version: 1\ntracks: [\n', 'CONFIG_INVALID', 3],
  ['an unknown key', 'version: 1\ntracks:\n  operational:\n    databse: x\n', 'CONFIG_INVALID', 4],
  ['a value of the wrong type', 'version: 1\nmigrations:\n  lockRetries: many\n', 'CONFIG_INVALID', 3],
])('%s is refused with file and line', async (_, text, code, line) => {
  const root = folder({ 'configs/migrate.yaml': text })
  const error = await failureOf(loadConfig({}, root, {}))
  expect(error.code).toBe(code)
  expect(error.at).toMatchObject({ file: join(root, 'configs/migrate.yaml'), line })
})

test('unknown tracks and environments name the nearest', async () => {
  const root = folder({ 'configs/migrate.yaml': 'version: 1\nenvironments: { staging: {} }\n' })
  expect(await failureOf(loadConfig({ track: 'operatonal' }, root, {}))).toMatchObject({
    code: 'TRACK_UNKNOWN',
    hint: 'Did you mean "operational"?',
  })
  expect(await failureOf(loadConfig({ env: 'stagin' }, root, {}))).toMatchObject({
    code: 'ENVIRONMENT_UNKNOWN',
    hint: 'Did you mean "staging"?',
  })
  expect(await failureOf(loadConfig({ config: 'nowhere.yaml' }, root, {}))).toMatchObject({ code: 'CONFIG_NOT_FOUND' })
})

test('a .env file fills in what the process does not say', async () => {
  const root = folder({ 'configs/migrate.yaml': 'version: 1\n', '.env': 'DATABASE_URL=postgres://dotenv/x\nOTHER=1\n' })
  expect((await loadConfig({}, root, {})).tracks[0]?.database).toBe('postgres://dotenv/x')
  expect((await loadConfig({}, root, { DATABASE_URL: 'postgres://process/y' })).tracks[0]?.database).toBe(
    'postgres://process/y',
  )
})

test('variables expand late, with a fallback, and a missing one is named', () => {
  expect(expand('postgres://${HOST:-localhost}/${NAME}', { NAME: 'x' }, 'tracks.a.database')).toBe(
    'postgres://localhost/x',
  )
  expect(() => expand('${NOWHERE}', {}, 'tracks.a.database')).toThrow(/NOWHERE/)
})
