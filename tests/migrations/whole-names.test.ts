/** Folders whose own tools go by whole names, by a journal or by a plan: what runs, in which order, and who goes on from there. */
import { createHash } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadMigrations } from '../../src/migrations/load.ts'
import { legacy } from './legacy.ts'
import { failureOf, writeFiles } from './support.ts'

const table = (name: string) => `create table ${name} (id int primary key);\n`
const inOrder = async (folder: string) =>
  (await loadMigrations(folder)).migrations.map(({ version, slug }) => `${version} ${slug}`)
const hashOf = (text: string, algorithm = 'sha256') => createHash(algorithm).update(text).digest('hex')

describe('Prisma', () => {
  const files = {
    'migration_lock.toml': 'provider = "postgresql"\n',
    '20260108120000_a/migration.sql': table('a'),
    '20260108_b/migration.sql': 'alter table a add column b int;\n',
    '20260305000000_c/migration.sql': table('c'),
    '20260305000000_d/migration.sql': 'alter table c add column d int;\n',
  }
  const history = `create table _prisma_migrations (id text, checksum text, finished_at timestamptz, migration_name text, logs text,
    rolled_back_at timestamptz, started_at timestamptz default now(), applied_steps_count int default 1);`
  const row = (name: keyof typeof files, end = 'now()') =>
    `insert into _prisma_migrations (checksum, finished_at, migration_name)
      values ('${hashOf(files[name])}', ${end}, '${name.replace('/migration.sql', '')}');`

  test('runs folders in the order of their names, also where two begin with the same number', async () => {
    const story = await legacy(files, 'select 1;')
    expect(await inOrder(story.folder)).toEqual([
      '20260108120000 a',
      '20260108999999 b',
      '20260305000000 c',
      '20260305000000.1 d',
    ])
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '20260305000000.1' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('has a row for each of two with the same number, and only what has one is taken over', async () => {
    const sql = `${table('a')} alter table a add column b int; ${table('c')} ${history}
      ${row('20260108120000_a/migration.sql')}${row('20260108_b/migration.sql')}${row('20260305000000_c/migration.sql')}`
    const story = await legacy(files, sql)
    expect(await failureOf(story.apply())).toMatchObject({ code: 'HISTORY_NOT_ADOPTED' })
    expect(await story.adopt()).toMatchObject({ version: '20260305000000', differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '20260305000000.1' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('refuses a folder that would take the number of one that is applied, in both directions', async () => {
    const story = await legacy({ ...files, '20260305000000_c/down.sql': 'drop table c;\n' }, 'select 1;')
    await story.apply()
    await writeFiles(join(story.folder, '20260305000000_bb'), { 'migration.sql': table('bb') })
    const failure = {
      code: 'OUT_OF_ORDER',
      message: expect.stringContaining('20260305000000_c was applied as 20260305000000 and would be 20260305000000.1'),
      at: { file: join(story.folder, '20260305000000_bb', 'migration.sql') },
    }
    expect(await failureOf(story.apply())).toMatchObject(failure)
    expect(await failureOf(story.rollback(1))).toMatchObject(failure)
    await rename(join(story.folder, '20260305000000_bb'), join(story.folder, '20260306000000_bb'))
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '20260306000000' })
  })

  test('says of the second that it was begun and has no end', async () => {
    const sql = `${table('a')} alter table a add column b int; ${table('c')} ${history}
      ${row('20260108120000_a/migration.sql')}${row('20260108_b/migration.sql')}${row('20260305000000_c/migration.sql')}
      ${row('20260305000000_d/migration.sql', 'null')}`
    expect(await (await legacy(files, sql)).adopt()).toMatchObject({
      version: '20260305000000',
      doubt: { meaning: expect.stringContaining('20260305000000_d') },
    })
  })
})

test('node-pg-migrate tells two files of one number by their names', async () => {
  const files = {
    '9_a.sql': `-- Up Migration\n${table('a')}-- Down Migration\ndrop table a;\n`,
    '10_b.sql': `-- Up Migration\n${table('b')}-- Down Migration\ndrop table b;\n`,
    '10_c.sql': `-- Up Migration\nalter table b add column c int;\n-- Down Migration\nalter table b drop column c;\n`,
  }
  const sql = `${table('a')}${table('b')} create table pgmigrations (id serial primary key, name varchar(255) not null, run_on timestamp not null);
    insert into pgmigrations (name, run_on) values ('9_a', now()), ('10_b', now());`
  const story = await legacy(files, sql)
  expect(await inOrder(story.folder)).toEqual(['9 a', '10 b', '10.1 c'])
  expect(await story.adopt()).toMatchObject({ version: '10' })
  expect(await story.apply()).toMatchObject({ current: '10.1' })
  expect(await story.rollback(3)).toMatchObject({ status: 'succeeded', current: null })
})

describe('Drizzle', () => {
  const entry = (tag: string, when: number) => ({ idx: 0, version: '7', when, tag, breakpoints: true })
  const journalOf = (entries: readonly object[], dialect = 'postgresql') =>
    `${JSON.stringify({ version: '7', dialect, entries })}\n`
  const files = {
    'meta/_journal.json': journalOf([entry('0000_a', 1_700_000_000_000), entry('0001_b', 1_700_000_100_000)]),
    '0000_a.sql': `${table('a')}--> statement-breakpoint\n${table('b')}`,
    '0001_b.sql': 'alter table a add column b int;\n',
    '0001_gone.sql': 'alter table a add column gone int;\n',
  }
  const rows = `create schema drizzle; create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint);
    insert into drizzle.__drizzle_migrations (hash, created_at) values ('${hashOf(files['0000_a.sql'])}', 1700000000000);`
  const first = `${table('a')}${table('b')}`

  test('runs what the journal names, in its order, and says what it does not name', async () => {
    const story = await legacy(files, 'select 1;')
    expect(await loadMigrations(story.folder)).toMatchObject({
      layout: 'drizzle',
      migrations: [{ version: '0000' }, { version: '0001', slug: 'b' }],
      warnings: [expect.stringContaining('0001_gone.sql is not in meta/_journal.json')],
    })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '0001' })
    const later = [entry('0000_a', 1), entry('0003_c', 3), entry('0002_d', 2), entry('unnumbered', 4)]
    await writeFile(join(story.folder, 'meta/_journal.json'), journalOf(later))
    for (const name of ['0003_c', '0002_d', 'unnumbered'])
      await writeFile(join(story.folder, `${name}.sql`), table('x'))
    expect(await inOrder(story.folder)).toEqual(['0000 a', '0003 c', '0003.1 d', '0004 unnumbered'])
  })

  test('is taken over and gone on from, with the schema that it made for itself', async () => {
    const story = await legacy(files, `${first}${rows}`)
    expect(await failureOf(story.apply())).toMatchObject({ code: 'HISTORY_NOT_ADOPTED' })
    expect(await story.adopt()).toMatchObject({ from: 'drizzle', version: '0000', differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '0001' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('finds a file by what is in it where the journal is gone', async () => {
    const { '0000_a.sql': text } = files
    const story = await legacy({ '0000_a.sql': text }, `${first}${rows}`)
    expect(await story.adopt()).toMatchObject({ version: '0000', differences: [] })
  })

  test('notices a file that was edited since', async () => {
    const story = await legacy({ ...files, '0000_a.sql': `-- Edited.\n${files['0000_a.sql']}` }, `${first}${rows}`)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'ADOPT_MISMATCH',
      message: expect.stringContaining('checksum of file 0000_a differs'),
    })
  })

  test('refuses a journal of another database, one that is none, and one whose file is gone', async () => {
    const { folder } = await legacy(files, 'select 1;')
    await writeFile(join(folder, 'meta/_journal.json'), journalOf([], 'sqlite'))
    expect(await failureOf(loadMigrations(folder))).toMatchObject({ code: 'LAYOUT_UNSUPPORTED' })
    await writeFile(join(folder, 'meta/_journal.json'), '<<<<<<< ours')
    expect(await failureOf(loadMigrations(folder))).toMatchObject({ code: 'FILE_UNREADABLE' })
    await writeFile(join(folder, 'meta/_journal.json'), files['meta/_journal.json'])
    await rm(join(folder, '0001_b.sql'))
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'FILE_UNREADABLE',
      message: expect.stringContaining('0001_b.sql is in meta/_journal.json'),
    })
  })
})

describe('Sqitch', () => {
  const person = 'Ann Other <ann@example.com>'
  const files = {
    'sqitch.plan': `%syntax-version=1.0.0
%project=shop

# The first.
app/users 2024-01-02T03:04:05Z ${person} # Users.
orders [app/users] 2024-01-02T03:04:05Z ${person} # Orders, with [brackets] and a # in it.
@v1 2024-01-03T03:04:05Z ${person} # The first release.

orders [orders@v1] 2024-01-04T03:04:05Z ${person} # Orders with a total.
`,
    'deploy/app/users.sql': `begin;\n${table('users')}commit;\n`,
    'revert/app/users.sql': 'begin;\ndrop table users;\ncommit;\n',
    'verify/app/users.sql': 'select id from users where false;\n',
    'deploy/orders@v1.sql': table('orders'),
    'revert/orders@v1.sql': 'drop table orders;\n',
    'deploy/orders.sql': 'alter table orders add column total int;\n',
    'revert/orders.sql': 'alter table orders drop column total;\n',
  }

  test('runs the changes of the plan, the older scripts of a reworked one first, and all of it back', async () => {
    const story = await legacy(files, 'select 1;')
    expect(await inOrder(story.folder)).toEqual(['1 app_users', '2 orders@v1', '3 orders'])
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await story.rollback(3)).toMatchObject({ status: 'succeeded', current: null })
  })

  test('is taken over by name, time and script, with its schema', async () => {
    const rowOf = (change: string, script: keyof typeof files, time: string) =>
      `insert into sqitch.changes values ('${hashOf(script, 'sha1')}', '${hashOf(files[script], 'sha1')}', '${change}', 'shop', '', now(), 'Ann Other',
        'ann@example.com', '${time}', 'Ann Other', 'ann@example.com');`
    const sql = `${table('users')}${table('orders')} create schema sqitch; create table sqitch.projects (project text primary key);
      create table sqitch.changes (change_id text primary key, script_hash text, change text not null, project text not null, note text not null,
        committed_at timestamptz not null, committer_name text not null, committer_email text not null, planned_at timestamptz not null,
        planner_name text not null, planner_email text not null);
      ${rowOf('app/users', 'deploy/app/users.sql', '2024-01-02T03:04:05Z')}${rowOf('orders', 'deploy/orders@v1.sql', '2024-01-02T03:04:05Z')}`
    const story = await legacy(files, sql)
    expect(await failureOf(story.apply())).toMatchObject({ code: 'HISTORY_NOT_ADOPTED' })
    expect(await story.adopt()).toMatchObject({ from: 'sqitch', version: '2', differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('says which line is no change and which script is not there', async () => {
    const { folder } = await legacy(files, 'select 1;')
    await rm(join(folder, 'deploy/orders@v1.sql'))
    expect(await failureOf(loadMigrations(folder))).toMatchObject({
      code: 'UP_MISSING',
      at: { file: join(folder, 'sqitch.plan') },
    })
    await writeFile(join(folder, 'sqitch.plan'), '%project=shop\n<<<<<<< ours\n')
    expect(await failureOf(loadMigrations(folder))).toMatchObject({ code: 'SQL_UNSUPPORTED', at: { line: 2 } })
  })
})
