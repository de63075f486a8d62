/** Rows that the tools themselves wrote on PostgreSQL 18, with the folders that they were written from. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { applyTrack } from '../../src/migrations/track.ts'
import { legacy, type Tree } from './legacy.ts'
import { failureOf, someone } from './support.ts'

const table = (name: string) => `create table ${name} (id int primary key);\n`

const pairs = Object.fromEntries(
  ['a', 'b', 'c'].flatMap((name, at) => [
    [`${at + 1}_${name}.up.sql`, table(name)],
    [`${at + 1}_${name}.down.sql`, `drop table ${name};\n`],
  ]),
)

const golang = (where: string, version: number, dirty = false) =>
  `create table ${where} (version bigint not null primary key, dirty boolean not null); insert into ${where} values (${version}, ${dirty});`

const numbers = (versions: readonly { readonly version: string }[]) => versions.map(({ version }) => version)

describe('golang-migrate', () => {
  test('with its table in a schema of its own, which nobody migrated', async () => {
    const sql = `create schema ops; ${table('a')}${golang('ops.versions', 1)}`
    const story = await legacy(pairs, sql)
    expect(await story.adopt({ table: 'ops.versions' })).toMatchObject({ version: '1', differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
    expect(await story.rollback(3)).toMatchObject({ status: 'succeeded', current: null })
  })

  test('with everything in the schema that the URL names', async () => {
    const sql = `create schema ops; set search_path = ops; ${table('a')}${golang('schema_migrations', 1)}`
    const story = await legacy(pairs, sql, '?search_path=ops')
    expect(await story.adopt()).toMatchObject({ version: '1', table: 'ops.schema_migrations' })
    expect(await story.apply()).toMatchObject({ current: '3' })
    const { rows } = await story.session.query("select 1 from pg_class where oid = 'ops.c'::regclass")
    expect(rows).toHaveLength(1)
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('that was applied to before it was taken over: what failed did not run', async () => {
    const story = await legacy(pairs, `${table('a')}${table('b')}${golang('schema_migrations', 2)}`)
    const unasked = applyTrack(story.session, { ...someone, folder: story.folder, otherHistory: 'ignore' })
    expect(await unasked).toMatchObject({ status: 'failed', error: { sqlState: '42P07' } })
    expect(await story.adopt()).toMatchObject({ status: 'adopted', version: '2' })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '3' })
    expect(await story.states()).toEqual(['1 applied', '2 applied', '3 applied'])
  })

  test('whose versions were all taken back: the table is empty', async () => {
    const story = await legacy(pairs, `${golang('schema_migrations', 1)} truncate schema_migrations;`)
    expect(await story.adopt()).toMatchObject({ status: 'nothing-to-do', version: null })
    expect(await story.apply()).toMatchObject({ current: '3' })
  })
})

describe('node-pg-migrate', () => {
  const files = { '1700000000001_a.sql': `-- Up Migration\n${table('a')}-- Down Migration\ndrop table a;\n` }
  const history = `create table ops.pgmigrations (id serial primary key, name varchar(255) not null, run_on timestamp not null);
    insert into ops.pgmigrations (name, run_on) values ('1700000000001_a', now());`

  test('with its table in one schema and what it makes in another', async () => {
    const sql = `create schema ops; create schema app; ${history} create table app.a (id int primary key);`
    const story = await legacy(files, sql, '?search_path=app')
    expect(await story.adopt()).toMatchObject({ status: 'adopted', differences: [] })
    expect(await story.drift()).toMatchObject({ status: 'none' })
    expect(await story.rollback(1)).toMatchObject({ status: 'succeeded' })
  })

  test('a program is refused, until the SQL that it ran stands beside it', async () => {
    const program = { ...files, '1700000000002_b.js': "exports.up = pgm => pgm.createTable('b', { id: 'id' })\n" }
    const sql = `create schema ops; ${history} ${table('a')} create table b (id serial primary key);
      insert into ops.pgmigrations (name, run_on) values ('1700000000002_b', now());`
    const story = await legacy(program, sql)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'LAYOUT_UNSUPPORTED',
      at: { file: join(story.folder, '1700000000002_b.js') },
      hint: expect.stringContaining('1700000000002_b.sql'),
    })
    expect(await story.hasLedger()).toBe(false)
    await writeFile(
      join(story.folder, '1700000000002_b.sql'),
      '-- Up Migration\ncreate table b (id serial primary key);\n',
    )
    expect(await story.adopt()).toMatchObject({ status: 'adopted', version: '1700000000002' })
  })
})

test('goose, with rows out of order and a file beside a transaction', async () => {
  const goose = (up: string, down: string, head = '') => `${head}-- +goose Up\n${up}\n-- +goose Down\n${down}\n`
  const body = 'create function f() returns int language plpgsql as $$\nbegin\n  return 1; -- here; too\nend $$;'
  const files = {
    '00001_a.sql': goose('create table a (id int primary key, n int);', 'drop table a;'),
    '00002_f.sql': goose(`-- +goose StatementBegin\n${body}\n-- +goose StatementEnd`, 'drop function f();'),
    '00003_i.sql': goose(
      'create index concurrently a_n on a (n);',
      'drop index concurrently a_n;',
      '-- +goose NO TRANSACTION\n',
    ),
    '20240102030405_c.sql': goose(table('c'), 'drop table c;'),
  }
  const story = await legacy(
    files,
    `create table a (id int primary key, n int); create index a_n on a (n); ${body}
    create table goose_db_version (
      id integer generated by default as identity primary key, version_id bigint not null, is_applied boolean not null,
      tstamp timestamp not null default now()
    );
    insert into goose_db_version (version_id, is_applied) values (0, true), (1, true), (3, true), (2, true);`,
  )
  const report = await story.adopt()
  expect(numbers(report.adopted)).toEqual(['00001', '00002', '00003'])
  expect(await story.apply()).toMatchObject({ done: [{ version: '20240102030405' }] })
  expect(await story.rollback(4)).toMatchObject({ status: 'succeeded', current: null })
  expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '20240102030405' })
})

test('dbmate, with a file beside a transaction', async () => {
  const off = ' transaction:false'
  const dbmate = (up: string, down: string, options = '') =>
    `-- migrate:up${options}\n${up}\n\n-- migrate:down${options}\n${down}\n`
  const files = {
    '20240101000000_a.sql': dbmate('create table a (id int primary key, n int);', 'drop table a;'),
    '20240102000000_i.sql': dbmate('create index concurrently a_n on a (n);', 'drop index concurrently a_n;', off),
    '20240103000000_c.sql': dbmate(table('c'), 'drop table c;'),
  }
  const story = await legacy(
    files,
    `create table a (id int primary key, n int); create index a_n on a (n);
    create table schema_migrations (version varchar not null primary key);
    insert into schema_migrations values ('20240101000000'), ('20240102000000');`,
  )
  expect(await story.adopt()).toMatchObject({ from: 'dbmate', version: '20240102000000' })
  expect(await story.apply()).toMatchObject({ status: 'succeeded' })
  expect(await story.rollback(3)).toMatchObject({ status: 'succeeded', current: null })
})

/** As Flyway 11 makes it. */
const flywayTable = (schema = 'public') => `
create table ${schema}.flyway_schema_history (
  installed_rank integer not null constraint flyway_schema_history_pk primary key, version varchar(50), description varchar(200) not null,
  type varchar(20) not null, script varchar(1000) not null, checksum integer, installed_by varchar(100) not null,
  installed_on timestamp not null default now(), execution_time integer not null, success boolean not null
);
create index flyway_schema_history_s_idx on ${schema}.flyway_schema_history (success);`

type Row = readonly [version: string | null, type: string, script: string, checksum: number | null, success?: false]

const flywayRows = (rows: readonly Row[], schema = 'public') =>
  rows
    .map(([version, type, script, checksum, success = true], at) => {
      const values = [version === null ? 'null' : `'${version}'`, "'x'", `'${type}'`, `'${script}'`, checksum ?? 'null']
      return `insert into ${schema}.flyway_schema_history values (${at + 1}, ${values.join(', ')}, 'postgres', now(), 5, ${success});`
    })
    .join('\n')

const flywayFiles: Tree = {
  'V1__a.sql': '\uFEFFcreate table a (\r\n  id int primary key\r\n);\r\n',
  'V1.2__b_two.sql': 'create table b (\n  id int primary key -- ümlaut\n);\n\n\n',
  'V2_0_1__c.sql': 'create table c (id int primary key);',
  'U2_0_1__c.sql': 'drop table c;',
}

const [one, two, three]: readonly [Row, Row, Row] = [
  ['1', 'SQL', 'V1__a.sql', -1_828_266_980],
  ['1.2', 'SQL', 'V1.2__b_two.sql', -1_860_952_892],
  ['2.0.1', 'SQL', 'V2_0_1__c.sql', -617_720_688],
]
const threeTables = `${table('a')}${table('b')}${table('c')}`

describe('Flyway', () => {
  test.each<[string, readonly Row[], string, Tree, string]>([
    [
      'checksums over other line ends, a byte order mark and letters beyond ASCII',
      [one, two, three],
      threeTables,
      {},
      '2.0.1',
    ],
    ['a version that came late', [one, three, two], threeTables, {}, '2.0.1'],
    [
      'a baseline whose file is there',
      [['1', 'BASELINE', '<< Flyway Baseline >>', null], two, three],
      threeTables,
      {},
      '2.0.1',
    ],
    [
      'a file that is gone and was said to be',
      [one, two, three, ['1.2', 'DELETE', 'V1.2__b_two.sql', -1_860_952_892]],
      `${table('a')}${table('c')}`,
      { 'V1.2__b_two.sql': '' },
      '2.0.1',
    ],
    [
      'a baseline made by a script, which stands for what is not in the folder',
      [
        ['5', 'SQL_BASELINE', 'B5__base.sql', 1_196_745_732],
        ['6', 'SQL', 'V6__y.sql', -558_464_507],
      ],
      'create table z (id int); create table y (id int);',
      {
        'V1__a.sql': '',
        'V1.2__b_two.sql': '',
        'V2_0_1__c.sql': '',
        'U2_0_1__c.sql': '',
        'B5__base.sql': 'create table z (id int);',
        'V6__y.sql': 'create table y (id int);',
      },
      '6',
    ],
    [
      'a repeatable that ran twice',
      [one, two, three, [null, 'SQL', 'R__v.sql', 785_602_073], [null, 'SQL', 'R__v.sql', 779_950_350]],
      `${threeTables} create view v as select id, id as j from a;`,
      { 'R__v.sql': 'create or replace view v as select id, id as j from a;\n' },
      '2.0.1',
    ],
    [
      'files in folders below',
      [one, two, three],
      threeTables,
      { 'V2_0_1__c.sql': '', 'sub/deep/V2_0_1__c.sql': 'create table c (id int primary key);' },
      '2.0.1',
    ],
  ])('with %s', async (_, rows, sql, changed, version) => {
    const files = Object.fromEntries(Object.entries({ ...flywayFiles, ...changed }).filter(([, text]) => text !== ''))
    const story = await legacy(files, `${flywayTable()}${flywayRows(rows)}${sql}`)
    expect(await story.adopt()).toMatchObject({ status: 'adopted', version, doubt: null, differences: [] })
    expect(await story.apply()).toMatchObject({ status: 'nothing-to-do' })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('goes down by its undo files, and up again', async () => {
    const story = await legacy(flywayFiles, `${flywayTable()}${flywayRows([one, two, three])}${threeTables}`)
    await story.adopt()
    expect(await story.rollback(1)).toMatchObject({ status: 'succeeded', current: '1.2' })
    expect(await failureOf(story.rollback(1))).toMatchObject({ code: 'DOWN_MISSING' })
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '2.0.1' })
  })

  test('in schemas that it made itself', async () => {
    const sql = `create schema app; create schema ops; set search_path = ops; ${threeTables}${flywayTable('ops')}
      ${flywayRows([['0', 'SCHEMA', '"app","ops"', null], one, two, three], 'ops')}`
    const story = await legacy(flywayFiles, sql, '?currentSchema=ops')
    expect(await story.adopt()).toMatchObject({ status: 'adopted', differences: [] })
    expect(await story.drift()).toMatchObject({ status: 'none' })
  })

  test('on a database that had tables before its baseline: the file of the baseline is asked for', async () => {
    const sql = `create table old (id int primary key, n int); ${flywayTable()}${flywayRows([
      ['1', 'BASELINE', '<< Flyway Baseline >>', null],
      ['2', 'SQL', 'V2__n.sql', null],
    ])}`
    const story = await legacy({ 'V2__n.sql': 'alter table old add n int;' }, sql)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'FILE_GONE',
      message: expect.stringContaining('a baseline at 1'),
      at: { line: 1 },
      hint: expect.stringContaining('as the file of version 1'),
    })
    expect(await story.hasLedger()).toBe(false)
    await writeFile(join(story.folder, 'V1__old.sql'), 'create table old (id int primary key);')
    expect(await story.adopt()).toMatchObject({ status: 'adopted', version: '2' })
  })

  test('with a file beside a transaction that ended half-way', async () => {
    const files = {
      'V1__d.sql': 'create table d (id int primary key, n int);\n',
      'V2__i.sql': 'create unique index concurrently on d (n);\ncreate tabel x;\n',
      'V2__i.sql.conf': 'executeInTransaction=false\n',
    }
    const sql = `create table d (id int primary key, n int); create unique index on d (n); ${flywayTable()}${flywayRows(
      [
        ['1', 'SQL', 'V1__d.sql', -2_127_520_619],
        ['2', 'SQL', 'V2__i.sql', 279_746_065, false],
      ],
    )}`
    const story = await legacy(files, sql)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'ADOPT_MISMATCH',
      message: expect.stringContaining('index public.d_n_idx is only in the database'),
    })
    await story.session.script('drop index d_n_idx')
    expect(await story.adopt()).toMatchObject({
      version: '1',
      doubt: { verdict: expect.stringMatching(/^The catalog shows 1\. .*V2__i\.sql:2: syntax error/) },
    })
  })

  test('a placeholder is refused at its line', async () => {
    const files = { 'V1__p.sql': '-- a table\ncreate table ${t} (id int);' }
    const story = await legacy(
      files,
      `create table zz (id int); ${flywayTable()}${flywayRows([['1', 'SQL', 'V1__p.sql', -1_767_742_096]])}`,
    )
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'SQL_UNSUPPORTED',
      at: { line: 2 },
      message: expect.stringContaining('placeholder'),
    })
  })
})

describe('Prisma', () => {
  const history = `create table _prisma_migrations (
    id varchar(36) not null primary key, checksum varchar(64) not null, finished_at timestamptz, migration_name varchar(255) not null, logs text,
    rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0
  );`
  const row = (name: string, text: string, end: 'ended' | 'failed' | 'rolled back', minute: number) =>
    `insert into _prisma_migrations values (gen_random_uuid(), encode(sha256('${text}'), 'hex'), ${end === 'ended' ? 'now()' : 'null'},
      '${name}', ${end === 'ended' ? 'null' : "'external connector error'"}, ${end === 'rolled back' ? 'now()' : 'null'},
      now() + interval '${minute} min', ${end === 'ended' ? 1 : 0});`
  const broken = `${table('c')}create tabel x;\n`
  const files = {
    'migration_lock.toml': 'provider = "postgresql"\n',
    '20240101000000_init/migration.sql': table('a'),
    '20240102000000_b/migration.sql': table('b'),
    '20240103000000_c/migration.sql': broken,
  }
  const two = `${table('a')}${table('b')}${history}${row('20240101000000_init', table('a'), 'ended', 0)}${row('20240102000000_b', table('b'), 'ended', 1)}`

  test('with one that failed, was marked as rolled back, and failed again', async () => {
    const tries = `${row('20240103000000_c', broken, 'rolled back', 2)}${row('20240103000000_c', broken, 'failed', 3)}`
    const story = await legacy(files, `${two}${tries}`)
    expect(await story.adopt()).toMatchObject({
      version: '20240102000000',
      doubt: { verdict: expect.stringContaining('migration.sql:2: syntax error') },
    })
  })

  test('with one that left half of it behind', async () => {
    const story = await legacy(files, `${two}${table('c')}${row('20240103000000_c', broken, 'failed', 2)}`)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'ADOPT_MISMATCH',
      message: expect.stringContaining('table public.c is only in the database'),
    })
    expect(await story.hasLedger()).toBe(false)
  })

  test('with one that was marked as rolled back: it is pending, and goes down by the file beside it', async () => {
    const story = await legacy(files, `${two}${row('20240103000000_c', broken, 'rolled back', 2)}`)
    expect(await story.adopt()).toMatchObject({ version: '20240102000000', doubt: null })
    await writeFile(join(story.folder, '20240103000000_c/migration.sql'), table('c'))
    expect(await story.apply()).toMatchObject({ status: 'succeeded', current: '20240103000000' })
    expect(await failureOf(story.rollback(1))).toMatchObject({ code: 'DOWN_MISSING' })
    await writeFile(join(story.folder, '20240103000000_c/down.sql'), 'drop table c;\n')
    expect(await story.rollback(1)).toMatchObject({ status: 'succeeded', current: '20240102000000' })
  })
})

describe('graphile-migrate', () => {
  const first = 'sha1:4a15a6fff8fe2f76eaf069890f08d3c8d2b19205'
  const head = `--! Previous: -\n--! Hash: ${first}\n--! Message: first one\n\n--! split: 1-current.sql\n`
  const files = {
    'committed/000001-first-one.sql': `${head}${table('a')}`,
    'current/1-current.sql': '-- Enter migration here\n',
  }
  const sql = `${table('a')} create schema graphile_migrate;
    create table graphile_migrate.migrations (
      hash text primary key, previous_hash text references graphile_migrate.migrations, filename text not null, date timestamptz not null default now()
    );
    create table graphile_migrate.current (
      filename text primary key default 'current.sql', content text not null, date timestamptz not null default now()
    );
    insert into graphile_migrate.migrations values ('${first}', null, '000001.sql');`

  test('with a message in the name of the file, which the history leaves out', async () => {
    const story = await legacy(files, sql)
    expect(await story.adopt()).toMatchObject({ version: '000001', notices: [] })
    expect(await story.apply()).toMatchObject({ status: 'nothing-to-do' })
    await writeFile(join(story.folder, 'committed/000001-first-one.down.sql'), 'drop table a;\n')
    expect(await story.rollback(1)).toMatchObject({ status: 'succeeded', current: null })
  })

  test('a file that was edited below its head is no longer what its hash says', async () => {
    const edited = { ...files, 'committed/000001-first-one.sql': `${head}create table a (ID int primary key);\n` }
    const story = await legacy(edited, sql)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'ADOPT_MISMATCH',
      message: expect.stringContaining('checksum of file 000001_first-one differs'),
    })
  })

  test('what is not committed may be in the database already, and is named', async () => {
    const story = await legacy({ ...files, 'current/1-current.sql': table('c') }, `${sql}${table('c')}`)
    expect(await failureOf(story.adopt())).toMatchObject({
      code: 'ADOPT_MISMATCH',
      hint: expect.stringContaining('1-current.sql is not committed'),
    })
  })
})
