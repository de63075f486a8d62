/** Folders of other tools, loaded and applied as they are. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createMigration } from '../../src/migrations/create.ts'
import { loadMigrations } from '../../src/migrations/load.ts'
import { compareVersions, versionKey } from '../../src/migrations/migration.ts'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf, openSession, someone, tableNames, treeOf } from './support.ts'

type Tree = Readonly<Record<string, string>>

const a = 'create table a (id int primary key);'
const b = 'create table b (id int primary key);'

const folders: Readonly<Record<string, { readonly files: Tree; readonly versions: readonly string[] }>> = {
  pairs: {
    files: {
      '1_a.up.sql': a,
      '1_a.down.sql': 'drop table a;',
      '10_b.up.sql': `begin;\n${b}\ncommit;`,
      '10_b.down.sql': 'drop table b;',
    },
    versions: ['1', '10'],
  },
  goose: {
    files: {
      '00001_a.sql': `-- +goose Up\n-- +goose StatementBegin\n${a}\n-- +goose StatementEnd\n\n-- +goose Down\ndrop table a;\n`,
      '20240101000000_b.sql': `-- +goose NO TRANSACTION\n-- +goose Up\n${b}\n-- +goose Down\ndrop table b;\n`,
    },
    versions: ['00001', '20240101000000'],
  },
  dbmate: {
    files: {
      '20240101000000_a.sql': `-- migrate:up\n${a}\n\n-- migrate:down\ndrop table a;\n`,
      '20240102000000_b.sql': `-- migrate:up transaction:false\n${b}\n\n-- migrate:down\ndrop table b;\n`,
    },
    versions: ['20240101000000', '20240102000000'],
  },
  'sql-migrate': {
    files: {
      '1_a.sql': `/*\n * Who may copy this file.\n */\n\n-- +migrate Up\n${a}\n\n-- +migrate Down\ndrop table a;\n`,
      '2_b.sql': `-- +migrate Up notransaction\n${b}\n\n-- +migrate Down\ndrop table b;\n`,
    },
    versions: ['1', '2'],
  },
  'node-pg-migrate': {
    files: {
      '1700000000000_a.sql': `-- Up Migration\n${a}\n\n-- Down Migration\ndrop table a;\n`,
      '1700000000001_b.sql': `-- Up Migration\n${b}\n\n-- Down Migration\ndrop table b;\n`,
    },
    versions: ['1700000000000', '1700000000001'],
  },
  flyway: {
    files: {
      'V1.9__a.sql': a,
      'U1.9__a.sql': 'drop table a;',
      'V1_10__b.sql': b,
      'U1.10__b.sql': 'drop table b;',
    },
    versions: ['1.9', '1.10'],
  },
  prisma: {
    files: {
      'migration_lock.toml': 'provider = "postgresql"\n',
      '20240101000000_a/migration.sql': a,
      '20240101000000_a/down.sql': 'drop table a;',
      '20240102000000_b/migration.sql': b,
      '20240102000000_b/down.sql': 'drop table b;',
    },
    versions: ['20240101000000', '20240102000000'],
  },
  'graphile-migrate': {
    files: {
      'committed/000001.sql': `--! Previous: -\n--! Hash: sha1:11\n\n${a}\n`,
      'committed/000001.down.sql': 'drop table a;',
      'committed/000002-b.sql': `--! Previous: sha1:11\n--! Hash: sha1:22\n--! Message: b\n\n${b}\n`,
      'committed/000002-b.down.sql': 'drop table b;',
      'current.sql': '-- Enter migration here\n',
    },
    versions: ['000001', '000002'],
  },
  folders: {
    files: {
      '2024-01-01-000000_a/up.sql': a,
      '2024-01-01-000000_a/down.sql': 'drop table a;',
      '20240102000000_b/up.sql': b,
      '20240102000000_b/down.sql': 'drop table b;',
      '20240102000000_b/metadata.toml': 'run_in_transaction = false\n',
    },
    versions: ['20240101000000', '20240102000000'],
  },
  plain: {
    files: {
      '20240101_0930_a.sql': a,
      '20240101_0930_a.down.sql': 'drop table a;',
      '20240101_1100-b.sql': `-- no-transaction\n${b}`,
      '20240101_1100-b.down.sql': 'drop table b;',
    },
    versions: ['20240101.0930', '20240101.1100'],
  },
}

describe.each(Object.entries(folders))('the layout of %s', (layout, { files, versions }) => {
  test('loads unchanged, applies in order and rolls back', async () => {
    const folder = await treeOf(files)
    expect(await loadMigrations(folder)).toMatchObject({
      layout,
      warnings: [],
      migrations: versions.map(version => ({ version, down: { text: expect.stringContaining('drop table') } })),
    })
    const session = await openSession((await emptyDatabase()).url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'succeeded',
      current: versions.at(-1),
    })
    expect(await tableNames(session)).toEqual(['public.a', 'public.b'])
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'nothing-to-do' })
    const back = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(back).toMatchObject({ status: 'succeeded', current: versions[0] })
    expect(await tableNames(session)).toEqual(['public.a'])
  })
})

describe('a new migration', () => {
  const clock = { now: () => Date.UTC(2030, 0, 2, 3, 4, 5) }

  test.each([
    ['pairs', ['11_c.up.sql', '11_c.down.sql']],
    ['goose', ['20300102030405_c.sql']],
    ['dbmate', ['20300102030405_c.sql']],
    ['node-pg-migrate', [`${clock.now()}_c.sql`]],
    ['flyway', ['V1.11__c.sql', 'U1.11__c.sql']],
    ['prisma', ['20300102030405_c/migration.sql', '20300102030405_c/down.sql']],
    ['folders', ['20300102030405_c/up.sql', '20300102030405_c/down.sql']],
    ['sql-migrate', ['3_c.sql']],
    ['plain', ['20300102_0304_c.sql', '20300102_0304_c.down.sql']],
  ])('is written as %s has its own', async (layout, paths) => {
    const folder = await treeOf(folders[layout]?.files ?? {})
    const content = { up: 'create table c (id int);', down: 'drop table c;' }
    const created = await createMigration({ folder, title: 'c', clock, content })
    expect([...new Set([created.up, created.down])]).toEqual(paths.map(path => join(folder, path)))
    const { migrations } = await loadMigrations(folder)
    expect(migrations.at(-1)).toMatchObject({
      version: created.version,
      slug: 'c',
      up: { text: expect.stringContaining('create table c') },
      down: { text: expect.stringContaining('drop table c') },
    })
  })

  test('is left to graphile-migrate, which signs its files', async () => {
    const folder = await treeOf(folders['graphile-migrate']?.files ?? {})
    expect(await failureOf(createMigration({ folder, title: 'c' }))).toMatchObject({ code: 'LAYOUT_UNSUPPORTED' })
  })
})

describe('a layout that knows no downs', () => {
  test.each([
    ['prisma', { '1_a/migration.sql': a }],
    ['flyway', { 'V1__a.sql': a }],
    ['graphile-migrate', { 'committed/000001.sql': `--! Previous: -\n--! Hash: sha1:11\n${a}` }],
    ['goose', { '1_a.sql': `-- +goose Up\n${a}` }],
    ['folders', { '1_a/up.sql': a }],
    ['plain', { '1_a.sql': a }],
  ])('%s is applied with a notice, and its rollback is refused', async (_layout, files: Tree) => {
    const folder = await treeOf(files)
    const session = await openSession((await emptyDatabase()).url)
    const { notices } = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(notices).toEqual([expect.stringMatching(/^Cannot be rolled back, for want of a down: 0*1[_.]/)])
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
    const refused = await failureOf(
      rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } }),
    )
    expect(refused).toMatchObject({ code: 'DOWN_MISSING', hint: expect.stringContaining('down.sql') })
    expect(await tableNames(session)).toEqual(['public.a'])
  })
})

describe('what a file asks of its tool', () => {
  test('an error in a section has the line of the file', async () => {
    const folder = await treeOf({
      '1_a.sql': `-- +goose Down\ndrop table a;\n-- +goose Up\n${a}\ncreate tabel b ();\n`,
    })
    const session = await openSession((await emptyDatabase()).url)
    expect(await failureOf(planTrack(session, { ...someone, folder, direction: 'up' }))).toMatchObject({
      code: 'SQL_SYNTAX',
      at: { file: join(folder, '1_a.sql'), line: 5, column: 8 },
    })
  })

  test('no transaction means statement by statement', async () => {
    const folder = await treeOf(folders['goose']?.files ?? {})
    const session = await openSession((await emptyDatabase()).url)
    const { steps } = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(steps.map(step => step.mode)).toEqual(['transactional', 'statement-wise'])
  })

  test('no transaction around a transaction of its own means that one', async () => {
    const folder = await treeOf({
      '1_a.sql': `-- +goose NO TRANSACTION\n-- +goose Up\nbegin;\n${a}\ncommit;`,
      '2_b.sql': `-- +goose NO TRANSACTION\n-- +goose Up\nbegin;\n${b}\ncommit;\ncreate index concurrently b_id on b (id);`,
    })
    const session = await openSession((await emptyDatabase()).url)
    const { steps } = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(steps.map(step => step.mode)).toEqual(['transactional', 'statement-wise'])
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  })

  test('an edit of the down leaves the checksum of the up alone', async () => {
    const up = `-- migrate:up\n${a}\n`
    const [one, other] = await Promise.all(
      ['\n-- migrate:down\ndrop table a;\n', '-- migrate:down\n-- kept\n'].map(async down => {
        const { migrations } = await loadMigrations(await treeOf({ '1_a.sql': up + down }))
        return migrations[0]
      }),
    )
    expect(one?.up.checksum).toBe(other?.up.checksum)
    expect(one?.down?.checksum).not.toBe(other?.down?.checksum)
  })

  test.each<[string, Tree, object]>([
    [
      'a variable of goose without a value',
      { '1_a.sql': `-- +goose ENVSUB ON\n-- +goose Up\n-- for $NOBODY\n${a}\nalter table a owner to $OWNER;` },
      { code: 'SQL_UNSUPPORTED', at: { line: 5 }, hint: expect.stringContaining('"OWNER"') },
    ],
    [
      'Flyway placeholders',
      { 'V1__a.sql': `-- a\ncreate schema \${tenant};` },
      { code: 'SQL_UNSUPPORTED', at: { line: 2 } },
    ],
    [
      'two ups in one file',
      { '1_a.sql': `-- migrate:up\n${a}\n-- migrate:up\n${b}` },
      { code: 'SQL_UNSUPPORTED', at: { line: 3 } },
    ],
    [
      'SQL before the first section',
      { '1_a.sql': `${a}\n-- migrate:up\n${b}` },
      { code: 'SQL_UNSUPPORTED', at: { line: 1 } },
    ],
    ['a file that lacks its marker', { '1_a.sql': `-- +goose Up\n${a}`, '2_b.sql': b }, { code: 'LAYOUT_AMBIGUOUS' }],
    ['two layouts in one folder', { '1_a.sql': `-- +goose Up\n${a}`, '2_b.up.sql': b }, { code: 'LAYOUT_AMBIGUOUS' }],
    [
      'a program',
      { '1_a.sql': `-- Up Migration\n${a}`, '2_b.js': '' },
      { code: 'LAYOUT_UNSUPPORTED', hint: expect.stringContaining('2_b.sql') },
    ],
    ['programs alone', { '1_a.ts': '' }, { code: 'LAYOUT_UNSUPPORTED' }],
    ['Java among Flyway', { 'V1__a.sql': a, 'V2__B.java': '' }, { code: 'LAYOUT_UNSUPPORTED' }],
    [
      'Prisma for another database',
      { 'migration_lock.toml': 'provider = "mysql"', '1_a/migration.sql': a },
      { code: 'LAYOUT_UNSUPPORTED' },
    ],
    ['a folder of Prisma without a version', { 'init/migration.sql': a }, { code: 'FILE_NAME_INVALID' }],
    [
      'a way back under a heading',
      { '1_a.sql': `${a}\n--//@UNDO\ndrop table a;` },
      { code: 'SQL_UNSUPPORTED', at: { line: 2 } },
    ],
    ['one of another tool', { '1_a.sql': `-- rambler up\n${a}\n-- rambler down\ndrop table a;` }, { at: { line: 3 } }],
    ['an undo without its version', { 'V1__a.sql': a, 'U2__b.sql': '' }, { code: 'UP_MISSING' }],
    ['one version written twice', { 'V1.0__a.sql': a, 'V1__b.sql': b }, { code: 'VERSION_DUPLICATE' }],
  ])('%s is refused with its place', async (_name, files, failure) => {
    expect(await failureOf(loadMigrations(await treeOf(files)))).toMatchObject(failure)
  })

  test('a program whose SQL is written beside it is no obstacle', async () => {
    const { migrations } = await loadMigrations(await treeOf({ '1_a.js': '', '1_a.sql': `-- Up Migration\n${a}` }))
    expect(migrations.map(one => one.version)).toEqual(['1'])
  })

  test.each([
    [
      'flyway.conf',
      String.raw`# what the tool is told
flyway.url=jdbc:postgresql://db/app
flyway.sqlMigrationPrefix=M
flyway.sqlMigrationSeparator = --
flyway.sqlMigrationSuffixes=.pgsql,.sql
flyway.repeatableSqlMigrationPrefix=Again
flyway.placeholderPrefix=#[
flyway.placeholderSuffix=]
flyway.placeholders.owner=ann
flyway.placeholders.said=one, \
  two
flyway.placeholders.secret=${'${FROM_ELSEWHERE}'}
flyway.defaultSchema=app
`,
    ],
    [
      'conf/flyway.toml',
      `[environments.dev]
url = "jdbc:postgresql://db/app"
[flyway]
sqlMigrationPrefix = "M"
sqlMigrationSeparator = "--"
sqlMigrationSuffixes = [".pgsql", ".sql"]
repeatableSqlMigrationPrefix = "Again"
placeholderPrefix = "#["
placeholderSuffix = "]"
defaultSchema = "app"
[flyway.placeholders]
owner = "ann"
said = "one, two"
`,
    ],
  ])('%s above the folder says how Flyway names its files and placeholders', async (name, settings) => {
    const root = await treeOf({
      [name]: settings,
      'sql/db/M1.1--first.pgsql':
        'create schema #[flyway:defaultSchema];\ncreate table app.a (n int default 1, ${x} text);',
      'sql/db/M2--second.sql': "comment on table app.a is '#[said] of #[owner] in #[flyway:filename]';",
      'sql/db/Again--view.sql': 'create view app.v as select 1 as n;',
      'sql/db/V3__other.sql': 'select 1;',
    })
    const folder = join(root, 'sql', 'db')
    expect(await loadMigrations(folder)).toMatchObject({
      layout: 'flyway',
      migrations: [
        { version: '1.1', slug: 'first', up: { text: expect.stringContaining('create schema app;') } },
        { version: '2', up: { text: "comment on table app.a is 'one, two of ann in M2--second.sql';" } },
      ],
      repeatables: [{ slug: 'view' }],
      warnings: [expect.stringContaining('V3__other.sql')],
    })
    const made = await createMigration({ folder, title: 'third' })
    expect(made).toMatchObject({ version: '3', up: join(folder, 'M3--third.pgsql') })
    expect((await loadMigrations(folder)).migrations.map(one => one.version)).toEqual(['1.1', '2', '3'])
    await writeFile(join(folder, 'M4--fourth.sql'), "select '#[secret]';")
    expect(await failureOf(loadMigrations(folder))).toMatchObject({ code: 'SQL_UNSUPPORTED', at: { line: 1 } })
  })

  test('a configuration of Flyway that is no TOML is named', async () => {
    const root = await treeOf({ 'flyway.toml': '[flyway\n= 1', 'sql/V1__a.sql': a })
    expect(await failureOf(loadMigrations(join(root, 'sql')))).toMatchObject({
      code: 'FILE_UNREADABLE',
      at: { file: join(root, 'flyway.toml') },
    })
  })

  test('repeatables of Flyway may be in folders below, with settings, placeholders and a time that lets them run always', async () => {
    const loaded = await loadMigrations(
      await treeOf({
        'V1__a.sql': a,
        'views/R__views.sql': "create or replace view v as select '${word}' as n;",
        'R__always.sql': '-- ${flyway:timestamp}\nselect 1;',
        'R__alone.sql': 'create index concurrently if not exists i on a (id);',
        'R__alone.sql.conf': 'executeInTransaction=false',
        'R__views.checks.sql': '-- check: all before\nselect where false;',
        'placeholders.json': '{ "word": "Ada" }',
      }),
    )
    expect(loaded).toMatchObject({
      migrations: [{ version: '1' }],
      repeatables: [
        { version: 'R__alone', up: { transaction: 'none' }, repeats: 'when changed' },
        { version: 'R__always', repeats: 'always' },
        {
          version: 'R__views',
          slug: 'views',
          up: { text: expect.stringContaining("'Ada'") },
          checks: { text: expect.any(String) },
        },
      ],
      warnings: [],
    })
  })

  test.each<[string, Readonly<Record<string, string>>]>([
    ['pairs', { '1_a.up.sql': a, '1_a.down.sql': 'drop table a;' }],
    ['goose', { '1_a.sql': `-- +goose Up\n${a}` }],
    ['prisma', { '1_a/migration.sql': a }],
    ['plain', { '1_a.sql': a }],
    ['pairs', {}],
  ])('a repeatable beside files of %s is one, with its checks', async (layout, files) => {
    const own = {
      'R__views.sql': 'create or replace view v as select 1 as n;',
      'R__views.checks.sql': '-- check: x before\nselect where false;',
    }
    expect(await loadMigrations(await treeOf({ ...files, ...own }))).toMatchObject({
      layout,
      migrations: Object.keys(files).length === 0 ? [] : [{ version: '1' }],
      repeatables: [{ version: 'R__views', checks: { text: expect.stringContaining('check: x') } }],
      warnings: [],
    })
  })

  test.each<[string, Readonly<Record<string, string>>, object]>([
    ['two of one name', { 'V1__a.sql': a, 'R__v.sql': '', 'views/R__v.sql': '' }, { code: 'VERSION_DUPLICATE' }],
    [
      'checks without their repeatable',
      { '1_a.sql': a, 'R__v.checks.sql': '' },
      { code: 'CHECKS_WITHOUT_MIGRATION', hint: expect.stringContaining('R__v.sql') },
    ],
  ])('repeatables: %s are refused', async (_name, files, failure) => {
    expect(await failureOf(loadMigrations(await treeOf(files)))).toMatchObject(failure)
  })
})

describe('files that are numbered and say nothing more', () => {
  test.each<[string, readonly string[], readonly (readonly [string, string])[]]>([
    [
      'counts past a release',
      ['00.05.00_02_b.sql', '00.05.00_01_a.sql', '01.00.00_01_c.sql'],
      [
        ['00.05.00.01', 'a'],
        ['00.05.00.02', 'b'],
        ['01.00.00.01', 'c'],
      ],
    ],
    [
      'nothing but a number',
      ['10.sql', '9.sql'],
      [
        ['9', ''],
        ['10', ''],
      ],
    ],
    [
      'a slug that begins with a digit',
      ['001_2fa.sql', '002_3.sql'],
      [
        ['001', '2fa'],
        ['002', '3'],
      ],
    ],
    [
      'days beside minutes',
      ['20240201_a.sql', '20240131_2359_b.sql'],
      [
        ['20240131.2359', 'b'],
        ['20240201', 'a'],
      ],
    ],
  ])('are ordered by %s', async (_name, files, versions) => {
    const folder = await treeOf(Object.fromEntries(files.map(file => [file, a])))
    const { migrations, layout, warnings } = await loadMigrations(folder)
    expect({ layout, warnings, versions: migrations.map(one => [one.version, one.slug]) }).toEqual({
      layout: 'plain',
      warnings: [],
      versions,
    })
  })

  test('are divided by the line of tern', async () => {
    const [up, down] = [`${a}\n`, '\n\ndrop table a;\n']
    const { migrations } = await loadMigrations(
      await treeOf({ '001_a.sql': `${up}---- create above / drop below ----\ndrop table a;`, '002_b.sql': b }),
    )
    expect(migrations).toMatchObject([
      { up: { text: up }, down: { text: down } },
      { up: { text: b }, down: null },
    ])
  })

  test('may tell in comments how to go back', async () => {
    const { migrations } = await loadMigrations(
      await treeOf({ '1_a.sql': `-- Rolls forward; a rollback drops it\n${a}\n-- Rollback:\n--   drop table a;\n` }),
    )
    expect(migrations).toMatchObject([{ version: '1', down: null }])
  })

  test('are left out, and told, where others say more', async () => {
    const { migrations, warnings } = await loadMigrations(await treeOf({ '1_a.up.sql': a, '2_b.sql': b }))
    expect(migrations.map(one => one.version)).toEqual(['1'])
    expect(warnings).toEqual([expect.stringContaining('2_b.sql')])
  })

  test('in folders below are told, since nothing to do would be a lie', async () => {
    const folder = await treeOf({ 'default/1_a/up.sql': a, 'deep/other/1_b.sql': b, 'notes/read.me': '' })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'LAYOUT_UNKNOWN',
      details: { folders: [join(folder, 'deep/other'), join(folder, 'default')] },
    })
  })

  test('a folder that lost its up is told', async () => {
    const { migrations, warnings } = await loadMigrations(await treeOf({ '1_a/up.sql': a, '2_b/down.sql': '' }))
    expect(migrations.map(one => one.version)).toEqual(['1'])
    expect(warnings).toEqual(['2_b has no up.sql, so it is left out.'])
  })
})

describe('several dialects beside each other', () => {
  test('the folder of the engine is taken, and told', async () => {
    const folder = await treeOf({
      'postgres/1_a.up.sql': a,
      'postgres/1_a.down.sql': '',
      'sqlite/1_a.up.sql': 'x',
      'sqlite/1_a.down.sql': '',
    })
    expect(await loadMigrations(folder)).toMatchObject({
      migrations: [{ version: '1', up: { file: join(folder, 'postgres', '1_a.up.sql') } }],
      warnings: [`${join(folder, 'postgres')} was taken for postgres.`],
    })
    expect(await failureOf(loadMigrations(folder, { dialect: 'duckdb' }))).toMatchObject({
      code: 'FOLDER_NOT_FOUND',
      message: expect.stringContaining('postgres and sqlite, and none for duckdb'),
    })
  })

  test('two folders of one dialect are a question', async () => {
    const folder = await treeOf({ 'pg/1_a.up.sql': a, 'postgresql/1_a.up.sql': a })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'LAYOUT_AMBIGUOUS',
      hint: `Name one: --dir ${folder}/pg.`,
    })
  })

  test('files that carry a dialect are told apart by it', async () => {
    const folder = await treeOf({
      '1_a.pg.up.sql': a,
      '1_a.up.mysql.sql': 'x',
      '1_a.down.sql': 'drop table a;',
      '2_b.up.postgres.sql': b,
      '2_b.mysql.up.sql': 'x',
      '2_b.down.sql': 'drop table b;',
    })
    const { migrations, warnings } = await loadMigrations(folder)
    expect(migrations.map(one => [one.version, one.slug, one.up.text])).toEqual([
      ['1', 'a', a],
      ['2', 'b', b],
    ])
    expect(warnings).toEqual(['Files for mysql are left out.'])
  })
})

describe('versions with dots', () => {
  test('are ordered number by number', () => {
    expect(['1.10', '2', '1.9', '1', '1.9.1'].sort(compareVersions)).toEqual(['1', '1.9', '1.9.1', '1.10', '2'])
    expect(compareVersions('1.0', '1')).toBe(0)
    expect(versionKey('01.002.0')).toBe('1.2')
    expect(versionKey('10')).toBe('10')
    expect(versionKey('0')).toBe('0')
  })
})

test('a dotted version is a target like any other', async () => {
  const folder = await treeOf(folders['flyway']?.files ?? {})
  const session = await openSession((await emptyDatabase()).url)
  const to = (version: string) => ({ ...someone, folder, target: { kind: 'version', version } as const })
  expect(await applyTrack(session, to('1.9'))).toMatchObject({ current: '1.9', done: [{ version: '1.9' }] })
  expect(await applyTrack(session, to('1.10'))).toMatchObject({ current: '1.10', done: [{ version: '1.10' }] })
  expect(await rollbackTrack(session, to('1.9.0'))).toMatchObject({ current: '1.9', done: [{ version: '1.10' }] })
  expect(await failureOf(applyTrack(session, to('1.x')))).toMatchObject({ code: 'VERSION_UNKNOWN' })
})
