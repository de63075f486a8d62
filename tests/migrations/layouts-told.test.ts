/** Folders of tools that mark their files in ways of their own, and folders that no tool could be told from. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { draftFiles } from '../../src/migrations/layouts/draft.ts'
import { flywaySettings } from '../../src/migrations/layouts/flyway-settings.ts'
import { loadMigrations } from '../../src/migrations/load.ts'
import { legacy, type Tree } from './legacy.ts'
import { failureOf, treeOf } from './support.ts'

const table = (name: string) => `create table ${name} (id int primary key);\n`

/** Up, down and up again, with a row in between. */
async function thereAndBack(files: Tree, rows: string) {
  const story = await legacy(files, 'select 1;')
  expect(await story.apply()).toMatchObject({ status: 'succeeded' })
  await story.session.script(rows)
  const { migrations } = await loadMigrations(story.folder)
  expect(await story.rollback(migrations.length)).toMatchObject({ status: 'succeeded', current: null })
  expect(await story.apply()).toMatchObject({ status: 'succeeded' })
  expect(await story.drift()).toMatchObject({ status: 'none' })
  return story
}

describe('evolutions of Play', () => {
  const files = {
    '1.sql': `# Users schema\n\n# --- !Ups\n${table('a')}\n# --- !Downs\ndrop table a;\n`,
    '2.sql': `-- !Ups\ncreate function two() returns int language plpgsql as $$ begin return 2;; end $$;\n\n-- !Downs\ndrop function two();\n`,
  }

  test('run there and back, with two semicolons for one of a body', async () => {
    const { session } = await thereAndBack(files, 'insert into a values (7);')
    expect((await session.query('select id, two() from a')).rows).toEqual([{ id: 7, two: 2 }])
  })

  test('are written in their own form', async () => {
    const flyway = await flywaySettings(await treeOf({}))
    const draft = { version: '3', slug: 'c', up: table('c'), down: 'drop table c;\n', flyway }
    expect(draftFiles('evolutions', draft)).toMatchObject([{ path: '3.sql', text: expect.stringContaining('-- !Ups') }])
  })
})

test('yoyo has several a day, and the way back in a file of its own', async () => {
  const files = {
    '20260101_01_Xy4zQ-a.sql': `-- Makes a\n-- depends:\n${table('a')}`,
    '20260101_01_Xy4zQ-a.rollback.sql': 'drop table a;\n',
    '20260101_02_bB7pL-b.sql': `-- depends: 20260101_01_Xy4zQ-a\n-- transactional: false\ncreate index concurrently b on a (id);\n`,
    '20260101_02_bB7pL-b.rollback.sql': 'drop index b;\n',
  }
  const { folder, session } = await thereAndBack(files, 'insert into a values (7);')
  expect((await loadMigrations(folder)).migrations.map(({ version }) => version)).toEqual([
    '20260101.01',
    '20260101.02',
  ])
  expect((await session.query('select id from a')).rows).toEqual([{ id: 7 }])
})

describe('formatted SQL of Liquibase', () => {
  const files = {
    '001-first.sql': `--liquibase formatted sql\n\n--changeset ann:1 splitStatements:false\n${table('a')}--rollback drop table a;\n
--changeset ann:2 dbms:postgresql\ninsert into a values (1);\n--rollback empty\n`,
    '002-second.sql': `-- liquibase formatted sql\n--changeset ann:3\n${table('b')}/* liquibase rollback\ndrop table b\n*/\n
--changeset ann:4\nalter table b add column c int;\n--rollback alter table b\n--rollback   drop column c;\n`,
  }

  test('goes back by its rollbacks, from the last to the first', async () => {
    const { session } = await thereAndBack(files, 'insert into a values (7); insert into b values (8, 9);')
    expect((await session.query('select a.id, b.id as other, c from a, b order by a.id')).rows).toEqual([
      { id: 1, other: 8, c: 9 },
      { id: 7, other: 8, c: 9 },
    ])
  })

  test.each([
    ['--changeset ann:1 context:test', 'context'],
    ['--changeset ann:1 dbms:oracle,h2', 'dbms'],
    ['--preconditions onFail:MARK_RAN', 'preconditions'],
  ])('%s is refused at its line', async (line, word) => {
    const folder = await treeOf({ '1_a.sql': `--liquibase formatted sql\n${line}\n${table('a')}` })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      at: { line: 2 },
      message: expect.stringContaining(`by ${word} `),
    })
  })

  test('a change set that runs again beside one that does not is refused at its line', async () => {
    const text = `--liquibase formatted sql\n--changeset ann:1\n${table('a')}\n--changeset ann:2 runOnChange:true\n${table('b')}`
    const failure = await failureOf(loadMigrations(await treeOf({ '1_a.sql': text })))
    expect(failure).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      message: expect.stringContaining('that runs again beside'),
    })
  })
})

describe('a folder that no layout claims', () => {
  test.each([
    ['a.sql', table('a'), 'in no layout that is known', 'pairs (named'],
    ['changes/changelog.sql', `--liquibase formatted sql\n${table('a')}`, 'Liquibase', 'update-sql'],
    ['db.changelog-master.yaml', 'databaseChangeLog: []\n', 'Liquibase', 'update-sql'],
    ['offline.sql', `-- Running upgrade  -> 1a2b\n${table('a')}`, 'Alembic', '--sql'],
    ['structure.sql', '--\n-- PostgreSQL database dump\n--\n', 'dump', 'plinth baseline'],
  ])('%s is told, with what is known and what to do', async (name, text, told, hint) => {
    const folder = await treeOf({ [name]: text })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'LAYOUT_UNKNOWN',
      message: expect.stringContaining(told),
      hint: expect.stringContaining(hint),
      at: { file: join(folder, name) },
    })
  })

  test('is nothing to do where it has no SQL, and a project of graphile-migrate that is just begun is one', async () => {
    expect(await loadMigrations(await treeOf({ 'read.me': '', '.gitkeep': '' }))).toMatchObject({ migrations: [] })
    const begun = await treeOf({ 'committed/.gitkeep': '', 'current.sql': table('a') })
    expect(await loadMigrations(begun)).toMatchObject({
      layout: 'graphile-migrate',
      warnings: [expect.stringContaining('current.sql is not committed')],
    })
  })

  test('programs of other languages are refused like those of JavaScript', async () => {
    for (const name of ['20260101000000_a.exs', '2026_01_01_000000_a.php'])
      expect(await failureOf(loadMigrations(await treeOf({ [name]: '' })))).toMatchObject({
        code: 'LAYOUT_UNSUPPORTED',
      })
  })

  test('an up of Refinery that Flyway would take for a way back is told', async () => {
    const folder = await treeOf({ 'V1__a.sql': table('a'), 'U2__b.sql': table('b') })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'UP_MISSING',
      hint: expect.stringContaining('V2__b.sql'),
    })
  })
})

/** Begins a variable in a text that is a template itself. */
const OPEN = '${'

describe('placeholders', () => {
  const flyway = {
    'V1__a.sql':
      'create schema ${area.name};\ncreate table ${area.name}.a (id int primary key, name varchar(${wide}));\n',
    'V2__b.sql': "create table b (id int primary key, kept text default '${literal}');\n",
    'V2__b.sql.conf': 'placeholderReplacement=false\n',
    'placeholders.json': '{ "area.name": "shop", "wide": "80" }\n',
  }

  test('of Flyway are filled in from the file beside the migrations, and its history still knows the files', async () => {
    // What Flyway 11 writes for these two.
    const history = `create table flyway_schema_history (installed_rank int primary key, version varchar(50), description varchar(200) not null,
      type varchar(20) not null, script varchar(1000) not null, checksum int, installed_by varchar(100) not null, installed_on timestamp not null default now(),
      execution_time int not null, success boolean not null);
      insert into flyway_schema_history values (1, '1', 'a', 'SQL', 'V1__a.sql', ${crcOf(flyway['V1__a.sql'])}, 'ann', now(), 1, true);`
    const story = await legacy(
      flyway,
      `create schema shop; create table shop.a (id int primary key, name varchar(80)); ${history}`,
    )
    expect(await story.adopt()).toMatchObject({ version: '1', differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '2' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
    const kept = "select column_default as kept from information_schema.columns where column_name = 'kept'"
    expect((await story.session.query(kept)).rows).toEqual([{ kept: "'${literal}'::text" }])
    await writeFile(join(story.folder, 'placeholders.json'), '{ "area.name": "other", "wide": "80" }\n')
    expect(await failureOf(story.apply())).toMatchObject({ code: 'CHECKSUM_CHANGED' })
  })

  test('of graphile-migrate are filled in where they are named', async () => {
    const head = '--! Previous: -\n--! Hash: sha1:0\n\n'
    const files = {
      'committed/000001.sql': `${head}create table a (id int primary key, at text default 'HH24:MI');\ngrant select on a to :READER;\n`,
      'placeholders.json': '{ "READER": "public" }\n',
    }
    const story = await legacy(files, 'select 1;')
    expect(await story.apply()).toMatchObject({ status: 'succeeded' })
    await writeFile(join(story.folder, 'committed/000001.sql'), `${head}alter table a owner to :DATABASE_OWNER;\n`)
    expect(await failureOf(loadMigrations(story.folder))).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      at: { line: 4 },
      hint: expect.stringContaining('"DATABASE_OWNER"'),
    })
  })

  test('of goose are variables, some with defaults, between the lines that turn them on and off', async () => {
    const folder = await treeOf({
      '1_a.sql': `-- +goose Up
create table plain (price text default '$price ${OPEN}kept}');
-- +goose ENVSUB ON
-- for $NOBODY
create table ${OPEN}PREFIX}a (id int, name text default '${OPEN}WORD:-none}', note text default '${OPEN}EMPTY-kept}', more text default '${OPEN}EMPTY:-more}');
-- +goose StatementBegin
create function ${OPEN}PREFIX}f(int) returns int language sql as $body$ select $1 $body$;
comment on table $TABLE is '$$';
-- +goose StatementEnd
-- +goose ENVSUB OFF
create table ${OPEN}off} ();
-- +goose Down
-- +goose ENVSUB ON
drop table $TABLE;
`,
      'placeholders.json': '{ "PREFIX": "x_", "TABLE": "plain", "EMPTY": "" }',
    })
    const [one] = (await loadMigrations(folder, { placeholders: { TABLE: 'x_a' } })).migrations
    const lines = one?.up.text.split('\n') ?? []
    expect(lines[1]).toBe(`create table plain (price text default '$price ${OPEN}kept}');`)
    expect(lines[4]).toBe(
      "create table x_a (id int, name text default 'none', note text default '', more text default 'more');",
    )
    expect(lines[6]).toBe('create function x_f(int) returns int language sql as $body$ select $1 $body$;')
    expect(lines[7]).toBe("comment on table x_a is '$$';")
    expect(lines[10]).toBe(`create table ${OPEN}off} ();`)
    expect(one?.down?.text.trim().split('\n').at(-1)).toBe('drop table x_a;')
  })

  test('need values that are texts', async () => {
    const folder = await treeOf({ ...flyway, 'placeholders.json': '{ "wide": 80 }' })
    expect(await failureOf(loadMigrations(folder))).toMatchObject({ code: 'FILE_UNREADABLE' })
  })

  test('are none in a callback, which is left out and told', async () => {
    const { warnings } = await loadMigrations(await treeOf({ ...flyway, 'beforeMigrate.sql': 'select ${x};\n' }))
    expect(warnings).toEqual([expect.stringContaining('beforeMigrate.sql is a callback of Flyway')])
  })
})

/** Over the lines without their ends. */
function crcOf(text: string): number {
  return text.split('\n').reduce((sum, line) => crc32(line, sum), 0) | 0
}
