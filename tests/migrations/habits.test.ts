/** What files of other tools do that no layout says: transactions that stand half in a file, downs that nobody wrote, values from elsewhere. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf, openSession, someone, tableNames, treeOf } from './support.ts'

const toNothing = { kind: 'version', version: '0' } as const

describe("a file that ends its tool's transaction and begins another one for the tool to end", () => {
  const files = {
    '1_parcels.sql': `-- +migrate Up
create table parcels (id int primary key, kind text, heavy boolean);
insert into parcels select n, 'k' || n, false from generate_series(1, 3) n;

-- +migrate Down
drop table parcels;
`,
    '2_weights.sql': `-- +migrate Up
alter table parcels add column grams int not null default 0;
commit;
begin;
update parcels set grams = id * 100;
alter table parcels drop column heavy;

-- +migrate Down
alter table parcels add column heavy boolean;
commit;
begin;
update parcels set heavy = grams > 200;
alter table parcels drop column grams;
`,
    '3_index.sql': `-- +migrate Up
comment on table parcels is 'what is sent';
commit;
create index concurrently parcels_kind on parcels (kind);
begin;

-- +migrate Down
drop index parcels_kind;
comment on table parcels is null;
`,
  }

  test('runs, goes back and comes again with its rows', async () => {
    const folder = await treeOf(files)
    const session = await openSession((await emptyDatabase()).url)
    const read = async () =>
      (await session.query("select string_agg(p::text, ' ' order by id) as all from parcels p")).rows
    const { steps } = await planTrack(session, { ...someone, folder, direction: 'up' })
    expect(steps.map(step => step.mode)).toEqual(['transactional', 'statement-wise', 'statement-wise'])
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '3' })
    const before = await read()
    expect(await rollbackTrack(session, { ...someone, folder, target: toNothing })).toMatchObject({
      status: 'succeeded',
    })
    expect(await tableNames(session)).toEqual([])
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await read()).toEqual(before)
  })

  test('and one that only begins is refused as before', async () => {
    const folder = await treeOf({ '1_a.up.sql': 'begin;\ncreate table a (id int);\n', '1_a.down.sql': 'drop table a;' })
    const session = await openSession((await emptyDatabase()).url)
    expect(await failureOf(planTrack(session, { ...someone, folder, direction: 'up' }))).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      at: { line: 1 },
    })
  })
})

describe('an up that says nothing and has no down', () => {
  test('is taken back with the others, since nothing undoes it', async () => {
    const folder = await treeOf({
      '1_reels.sql': '-- +goose Up\ncreate table reels (id int);\n-- +goose Down\ndrop table reels;\n',
      '2_later.sql': '-- +goose Up\n-- Nothing here any more.\n',
      '3_index.sql': '-- +goose Up\ncreate index on reels (id);\n-- +goose Down\ndrop index reels_id_idx;\n',
    })
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await rollbackTrack(session, { ...someone, folder, target: toNothing })).toMatchObject({
      status: 'succeeded',
    })
    expect(await tableNames(session)).toEqual([])
    expect(await verifyTrack({ ...someone, engine: await engineOf(url), url, folder })).toMatchObject({
      status: 'passed',
    })
  })
})

describe('a down that was never written', () => {
  const unwritten =
    '-- Could not auto-generate a down migration.\n-- Please write an appropriate down migration for the SQL below:\n'

  test('is no down: the rollback is refused before anything is changed', async () => {
    const folder = await treeOf({
      '1_shelves/up.sql': 'create table shelves (id int primary key);',
      '1_shelves/down.sql': 'drop table shelves;',
      '2_width/up.sql': 'alter table shelves add column width int;',
      '2_width/down.sql': `${unwritten}-- alter table shelves add column width int;\n`,
    })
    const session = await openSession((await emptyDatabase()).url)
    const report = await applyTrack(session, { ...someone, folder })
    expect(report).toMatchObject({
      status: 'succeeded',
      notices: [expect.stringMatching(/^Cannot be rolled back, for want of a down: 2_width/)],
    })
    const target = { kind: 'steps', count: 1 } as const
    expect(await failureOf(rollbackTrack(session, { ...someone, folder, target }))).toMatchObject({
      code: 'DOWN_MISSING',
    })
  })

  test('and one that somebody completed is a down', async () => {
    const folder = await treeOf({
      '1_shelves/up.sql': 'create table shelves (id int primary key);',
      '1_shelves/down.sql': `${unwritten}-- create table shelves ();\ndrop table shelves;`,
    })
    const session = await openSession((await emptyDatabase()).url)
    await applyTrack(session, { ...someone, folder })
    expect(await rollbackTrack(session, { ...someone, folder, target: toNothing })).toMatchObject({
      status: 'succeeded',
    })
    expect(await tableNames(session)).toEqual([])
  })
})

describe('verify of downs that others wrote', () => {
  const verify = async (files: Readonly<Record<string, string>>) => {
    const { url } = await emptyDatabase()
    const folder = await treeOf(files)
    return {
      folder,
      report: await verifyTrack({ ...someone, engine: await engineOf(url), url, folder }),
    }
  }

  test('names every one that is false, each for what it left itself', async () => {
    const { folder, report } = await verify({
      '1_reels.up.sql': 'create table reels (id int primary key, made timestamptz not null);',
      '1_reels.down.sql': 'drop table reels;',
      '2_plain.up.sql': 'alter table reels drop column made;',
      '2_plain.down.sql': 'alter table reels add column made timestamptz not null default now();',
      '3_true.up.sql': 'create index reels_made on reels (id);',
      '3_true.down.sql': 'drop index reels_made;',
      '4_words.up.sql': 'create extension if not exists pg_trgm;\nalter table reels add column note text;',
      '4_words.down.sql': 'alter table reels drop column note;',
    })
    expect(report.error).toMatchObject({ code: 'VERIFY_FAILED', at: { file: join(folder, '4_words.down.sql') } })
    expect(report.error?.message).toBe(
      'The down of 4_words does not undo its up: extension pg_trgm is left. Neither does that of 2_plain (default of column public.reels.made differs).',
    )
    expect(report.steps.map(step => step.differences.length)).toEqual([0, 1, 0, 1])
  })

  test('is not failed by rows that were only made for it', async () => {
    const { report } = await verify({
      '1_doses.up.sql': 'create table doses (id int primary key, amount uuid not null);',
      '1_doses.down.sql': 'drop table doses;',
      '2_words.up.sql': 'alter table doses alter column amount type text;',
      '2_words.down.sql': 'alter table doses alter column amount type uuid using amount::uuid;',
    })
    expect(report).toMatchObject({
      status: 'passed',
      error: null,
      data: { sampled: [], refused: { sqlState: '22P02', at: { line: 1 } } },
    })
  })

  test('takes rows through a text that is a number downwards', async () => {
    const { report } = await verify({
      '1_doses.up.sql': 'create table doses (id int primary key, amount bigint not null);',
      '1_doses.down.sql': 'drop table doses;',
      '2_words.up.sql': 'alter table doses alter column amount type text;',
      '2_words.down.sql': 'alter table doses alter column amount type bigint using amount::bigint;',
    })
    expect(report).toMatchObject({ status: 'passed', data: { sampled: ['public.doses'], refused: null } })
  })
})

describe("tern's templates", () => {
  const files = {
    '001_feeds.sql': `create table feeds (id int primary key, url text);
grant select on feeds to {{.reader}};

---- create above / drop below ----

drop table feeds;
`,
    '002_count.sql': `{{ template "functions/count.sql" . }}

---- create above / drop below ----

drop function feed_count();
`,
    'functions/count.sql': `create function feed_count() returns bigint language sql as 'select count(*) from feeds';
grant execute on function feed_count() to {{ .reader }};
`,
  }

  test.each([
    ['tern.conf', '[database]\nhost = db\nuser = {{env "PGUSER"}}\n\n[data]\nreader = pg_monitor\n'],
    ['placeholders.json', '{ "reader": "pg_monitor" }'],
  ])('get their values from %s, and other files of the folder', async (name, text) => {
    const folder = await treeOf({ ...files, [name]: text })
    const session = await openSession((await emptyDatabase()).url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '002' })
    const { rows } = await session.query(
      "select has_table_privilege('pg_monitor', 'feeds', 'select') as reads, feed_count() as count",
    )
    expect(rows).toMatchObject([{ reads: true, count: expect.anything() }])
    expect(await rollbackTrack(session, { ...someone, folder, target: toNothing })).toMatchObject({
      status: 'succeeded',
    })
    expect(await tableNames(session)).toEqual([])
  })

  test.each([
    ['a value that nobody gives', files, /placeholder reader/, '001_feeds.sql', 2],
    [
      'a file that is not there',
      {
        ...files,
        'functions/count.sql': '',
        '002_count.sql': files['002_count.sql'].replace('count.sql', 'other.sql'),
      },
      /takes in functions\/other\.sql/,
      '002_count.sql',
      1,
    ],
    [
      'a condition',
      { '001_a.sql': 'select 1;\n{{ if .big }}select 2;{{ end }}\n---- create above / drop below ----\n' },
      /decides in tern's templates/,
      '001_a.sql',
      2,
    ],
  ])('are refused at the line of %s', async (_, tree, message, name, line) => {
    const folder = await treeOf({ 'tern.conf': tree === files ? '' : '[data]\nreader = pg_monitor\n', ...tree })
    const session = await openSession((await emptyDatabase()).url)
    expect(await failureOf(planTrack(session, { ...someone, folder, direction: 'up' }))).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      message: expect.stringMatching(message),
      at: { file: join(folder, name), line },
    })
  })

  test('leave the braces of other folders alone', async () => {
    const folder = await treeOf({ '1_a.sql': "create table a (note text default '{{.name}}');" })
    const session = await openSession((await emptyDatabase()).url)
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded' })
  })
})

test('drift says nothing of a failed attempt that left nothing', async () => {
  const { url } = await emptyDatabase()
  const folder = await treeOf({
    '1_a.up.sql': 'create table a (n int);',
    '1_a.down.sql': 'alter table a alter column n set not null;\ndrop table a;',
  })
  const session = await openSession(url)
  await applyTrack(session, { ...someone, folder })
  await session.query('insert into a values (null)')
  const failed = await rollbackTrack(session, { ...someone, folder, target: toNothing })
  expect(failed).toMatchObject({
    status: 'failed',
    error: { sqlState: '23502', hint: expect.stringContaining('no value there') },
  })
  expect(
    await findDrift(session, { ...someone, folder, scratch: { engine: await engineOf(url), url, ...someone } }),
  ).toMatchObject({
    status: 'none',
    notices: [],
  })
})
