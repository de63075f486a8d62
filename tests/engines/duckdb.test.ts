/** What is DuckDB's own: one file and one process, errors that quote no values, bulk loading. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { splitStatements } from '../../src/engines/duckdb/statements.ts'
import { loadCsv } from '../../src/engines/duckdb/write.ts'
import type { OpenOptions, Session } from '../../src/engines/engine.ts'
import { PlinthError } from '../../src/errors.ts'
import { describeEngine } from './conformance.ts'

describeEngine('duckdb', async () => ({ url: `duckdb:${join(folder(), 'warehouse.duckdb')}` }))

describe('one file, one process', () => {
  test('two sessions of one process see each other’s committed rows, and the last one to leave frees the file', async () => {
    const url = `duckdb:${join(folder(), 'deep/er/warehouse.duckdb')}`
    const first = await open(url)
    const second = await open(url)
    await first.script('create table t (a int); insert into t values (1)')
    expect((await second.query('select a from t')).rows).toEqual([{ a: 1 }])
    await first.close()
    await second.query('insert into t values (2)')
    await second.close()
    const other = await holder(url, 'select 1')
    await other.end('SIGTERM')
    expect((await (await open(url)).query('select a from t order by a')).rows).toEqual([{ a: 1 }, { a: 2 }])
  })

  test('one file under two spellings is one instance', async () => {
    const place = folder()
    const first = await open(`duckdb:${place}/x.duckdb`)
    const second = await open(`duckdb:${place}/../${place.split('/').at(-1)}/./x.duckdb`)
    await first.query('create table t (a int)')
    expect((await second.query('from t')).rows).toEqual([])
  })

  test.each(['plinth', 'analytics', 'RAW', 'main', 'memory', 'a "b"'])(
    'a file called %s.duckdb may hold a schema of that name',
    async name => {
      const url = `duckdb:${join(folder(), `${name}.duckdb`)}`
      const schema = `"${name.replaceAll('"', '""')}"`
      const first = await open(url)
      await first.script(
        `create schema if not exists ${schema}; create table ${schema}.t (a int); insert into ${schema}.t values (1); create view ${schema}.v as from ${schema}.t`,
      )
      await first.close()
      for (const round of [1, 2]) {
        const session = await open(url)
        const beside = await open(url)
        expect((await session.query(`select a from ${schema}.v`)).rows).toHaveLength(round)
        expect(await session.copyIn(`${schema}.t from stdin`.replace(/^/, 'copy '), Readable.from(['2\n']))).toBe(1)
        expect((await beside.query(`select count(*)::int as n from ${schema}.t`)).rows).toEqual([{ n: round + 1 }])
        await session.close()
        await beside.close()
      }
      // All of it is in the file, and nothing beside it.
      expect(existsSync(`${url.slice('duckdb:'.length)}.wal`)).toBe(false)
    },
  )

  test('any other file keeps the name by which views of other tools know it', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const other = await holder(
      url,
      'create schema raw; create table raw.t as select 1 as a; create view raw.v as from w.raw.t',
    )
    await other.end('SIGTERM')
    expect((await (await open(url)).query('select a from raw.v')).rows).toEqual([{ a: 1 }])
  })

  test('databases in memory are private to their session', async () => {
    const first = await open('duckdb::memory:')
    const second = await open('duckdb::memory:')
    await first.query('create table t (a int)')
    await expect(second.query('from t')).rejects.toMatchObject({ code: 'SQL_FAILED' })
  })

  test('a file that another process holds is refused with the name of the holder', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const other = await holder(url, 'create table t (a int)')
    const error = await failure(duckdb.open(url, { waitMs: 0 }))
    expect(error).toMatchObject({ code: 'WAREHOUSE_BUSY', exitStatus: 6 })
    expect(error.message).toContain(`(PID ${other.process.pid})`)
    expect(error.message).toContain('node')
    await other.end('SIGTERM')
  })

  test('a waiting session tells whom it waits for, and goes on when the file is released', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const other = await holder(url, 'create table t as select 7 as a')
    const told: (string | null)[] = []
    const opening = open(url, { waitMs: 30_000, onWait: who => told.push(who) })
    while (told.length === 0) await sleep(5)
    await other.end('SIGTERM')
    const session = await opening
    expect((await session.query('from t')).rows).toEqual([{ a: 7 }])
    expect(told[0]).toContain(`(PID ${other.process.pid})`)
  })

  test('kill -9 of a writer leaves what it committed and nothing of what it had open', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const other = await holder(
      url,
      `create table t as select range as a from range(1000); begin; delete from t; insert into t select 5 from range(100000)`,
    )
    await other.end('SIGKILL')
    const session = await open(url)
    expect((await session.query('select count(*) as n, sum(a) as s from t')).rows).toEqual([{ n: '1000', s: '499500' }])
  })

  test('bulk files of a killed process are swept by the next open', async () => {
    const place = folder()
    mkdirSync(join(place, '.w.duckdb.bulk-left'))
    writeFileSync(join(place, '.w.duckdb.bulk-left/in.csv'), 'rows of a customer')
    await open(`duckdb:${place}/w.duckdb`)
    expect(existsSync(join(place, '.w.duckdb.bulk-left'))).toBe(false)
  })

  test('a lock excludes the other sessions of the process and ends with its session', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const [first, second] = [await open(url), await open(url)]
    expect(await first.tryLock('plinth:analytics')).toBe(true)
    expect(await second.tryLock('plinth:analytics')).toBe(false)
    expect(await second.lockHolder('plinth:analytics')).toContain(`PID ${process.pid}`)
    expect(await second.unlock('plinth:analytics')).toBe(false)
    await first.close()
    expect(await second.lockHolder('plinth:analytics')).toBeNull()
    expect(await second.tryLock('plinth:analytics')).toBe(true)
  })
})

describe('files that cannot be opened', () => {
  test.each([
    ['text that is no database', 'notes', 'DATABASE_UNKNOWN'],
    ['an empty file', '', 'DATABASE_UNKNOWN'],
  ])('%s', async (_what, content, code) => {
    const path = join(folder(), 'w.duckdb')
    writeFileSync(path, content)
    expect(await failure(duckdb.open(`duckdb:${path}`))).toMatchObject({ code, at: { object: path } })
  })

  test('a folder', async () => {
    expect(await failure(duckdb.open(`duckdb:${folder()}`))).toMatchObject({ code: 'DATABASE_URL_INVALID' })
  })

  test('a folder that cannot be made, because a file is in the way', async () => {
    const path = join(folder(), 'file')
    writeFileSync(path, '')
    expect(await failure(duckdb.open(`duckdb:${path}/w.duckdb`))).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
  })

  test('a URL without a path', async () => {
    expect(await failure(Promise.resolve().then(() => duckdb.describe('duckdb:')))).toMatchObject({
      code: 'DATABASE_URL_INVALID',
    })
  })
})

describe('values', () => {
  test('rows hold every value without loss', async () => {
    const session = await open('duckdb::memory:')
    const { rows } = await session.query(
      `select 9007199254740993::bigint as wide, 170141183460469231731687303715884105727::hugeint as widest, 1.50::decimal(18, 6) as amount,
              7 as small, 0.1::double as float, 'nan'::double as nothing, true as yes, null as nil,
              timestamptz '2026-01-31 12:00:00.123456+02' as moment, timestamp '1969-12-31 23:59:59.5' as local, date '0001-01-01' as day,
              '{"a": [1, null]}'::json as document, '\\xAA\\x00'::blob as bytes, [1::bigint, null] as list, {'a': 1::bigint} as struct,
              '0198c0de-0000-7000-8000-00000000000a'::uuid as id, 'infinity'::timestamptz as forever`,
    )
    expect(rows).toEqual([
      {
        wide: '9007199254740993',
        widest: '170141183460469231731687303715884105727',
        amount: '1.500000',
        small: 7,
        float: 0.1,
        nothing: Number.NaN,
        yes: true,
        nil: null,
        moment: '2026-01-31T10:00:00.123456Z',
        local: '1969-12-31T23:59:59.500000Z',
        day: '0001-01-01',
        document: { a: [1, null] },
        bytes: new Uint8Array([0xaa, 0]),
        list: ['1', null],
        struct: { a: '1' },
        id: '0198c0de-0000-7000-8000-00000000000a',
        forever: 'infinity',
      },
    ])
  })

  test('parameters come back as they were sent', async () => {
    const session = await open('duckdb::memory:')
    const values = [
      2n ** 62n,
      new Uint8Array([1, 0, 255]),
      ["o'k", null],
      [1, 2],
      [],
      'a\u0000b',
      2 ** 40,
      null,
      false,
      1.5,
    ]
    const marks = values.map((_, i) => `$${i + 1} as p${i + 1}`).join(', ')
    const { rows } = await session.query(`select ${marks}`, values)
    expect(Object.values(rows[0] ?? {})).toEqual([
      '4611686018427387904',
      new Uint8Array([1, 0, 255]),
      ["o'k", null],
      ['1', '2'],
      [],
      'a\u0000b',
      '1099511627776',
      null,
      false,
      1.5,
    ])
  })
})

describe('scripts', () => {
  test('a script is cut where its statements end, and nowhere else', () => {
    const script = `-- a; b\nselect 'x;y', E'\\';', "z;", $$ ; $$, $t$ ; $$ ; $t$ /* ; /* ; */ ; */ ;;\n select $1;\n;-- end ;`
    const statements = splitStatements(script)
    expect(statements).toHaveLength(2)
    for (const { text, offset } of statements) expect(script.slice(offset, offset + text.length)).toBe(text)
    expect(statements[1]?.text).toBe('select $1')
  })

  test('each finished statement is told with its command and rows', async () => {
    const session = await open('duckdb::memory:')
    const told: string[] = []
    await session.script(
      'create schema s; create or replace table s.t (a int);\ninsert into s.t select * from range(3); -- done\nupdate s.t set a = 1; drop schema s cascade;',
      done => told.push(`${done.index} ${done.command} ${done.rowCount}`),
    )
    expect(told).toEqual(['0 CREATE SCHEMA 0', '1 CREATE TABLE 0', '2 INSERT 3', '3 UPDATE 3', '4 DROP SCHEMA 0'])
  })

  test('an empty script does nothing', async () => {
    await (await open('duckdb::memory:')).script(' -- nothing\n ; ')
  })

  test('a syntax error in the last statement keeps the first one from running', async () => {
    const session = await open('duckdb::memory:')
    const error = await failure(session.script('create table t (a int);\n\n  selec 1;'))
    expect(error).toMatchObject({ code: 'SQL_SYNTAX', at: { line: 3, column: 3 } })
    await expect(session.query('from t')).rejects.toMatchObject({ code: 'SQL_FAILED' })
  })

  test.each([
    ['tabs and wide letters', "select 1;\nselect\n\t\t'äß漢', nope from range(1)", { line: 3, column: 10 }],
    [
      'the first line of a later statement',
      'select 1; select 2,\n 3; select nope from range(1)',
      { line: 2, column: 12 },
    ],
    ['a line too long to be shown', `select ${'1 + '.repeat(80)} nope from range(1)`, { line: 1, column: 329 }],
    [
      'an error that DuckDB does not place',
      'create table t (a int not null);\n insert into t values (null)',
      { line: 2, column: 2 },
    ],
  ])('an error is placed in the whole text: %s', async (_what, script, at) => {
    expect(await failure((await open('duckdb::memory:')).script(script))).toMatchObject({ at })
  })
})

describe('errors', () => {
  test.each([
    ["select 'hunter2'::int", 'SQL_FAILED', 'INT32'],
    ["select 'hunter2'::date", 'SQL_FAILED', 'DATE'],
    ["select 'hunter2'::uuid", 'SQL_FAILED', 'converted'],
    [`select '{"hunter2'::json`, 'SQL_FAILED', 'JSON'],
    ["select error('hunter2')", 'SQL_FAILED', 'refused'],
    ["select strptime('hunter2', '%Y')", 'SQL_FAILED', 'refused'],
    ["select 'hunter2' from t where a = 1 and", 'SQL_SYNTAX', 'syntax'],
    ["select 'hunter2", 'SQL_SYNTAX', 'literal'],
    ["insert into k values ('hunter2'), ('hunter2')", 'CONSTRAINT_VIOLATED', 'duplicate'],
    ["insert into u values ('hunter2'), ('hunter2')", 'CONSTRAINT_VIOLATED', 'duplicate'],
    ["insert into f values ('hunter2')", 'CONSTRAINT_VIOLATED', 'foreign key'],
    ["insert into c values ('hunter2')", 'CONSTRAINT_VIOLATED', 'table c'],
    ['insert into n values (null)', 'CONSTRAINT_VIOLATED', 'n.a'],
    ["select * from read_csv('/nowhere/hunter2')", 'SQL_FAILED', 'file'],
    ['select * from nowhere', 'SQL_FAILED', 'nowhere'],
  ])('%s', async (text, code, part) => {
    const session = await open('duckdb::memory:')
    await session.script(
      `create table k (a text primary key); create table u (a text); create unique index ui on u (a);
       create table f (a text references k (a)); create table c (a text check (a < 'b')); create table n (a int not null)`,
    )
    const error = await failure(session.query(text))
    expect(error).toMatchObject({ code })
    expect(error.message).toContain(part)
    const told = JSON.stringify([error.message, error.hint, error.details, error.at, error.cause])
    expect(told).not.toContain('hunter2')
  })

  test('a full disk keeps what was committed and says so', async context => {
    const place = folder()
    context.skip(!mountSmall(place), 'only root on Linux can mount a small disk')
    const url = `duckdb:${place}/w.duckdb`
    const session = await duckdb.open(url, { settings: { temp_directory: join(place, 'spill') } })
    try {
      await session.script('create table t as select range as a from range(1000)')
      const error = await failure(
        session.script('begin; insert into t select (random() * 1e12)::bigint from range(5000000); commit'),
      )
      expect(error).toMatchObject({ code: 'DISK_FULL', exitStatus: 1 })
    } finally {
      await session.close()
    }
    const again = await duckdb.open(url)
    try {
      expect((await again.query('select count(*) as n from t')).rows).toEqual([{ n: '1000' }])
    } finally {
      await again.close()
    }
  })

  test('a cancelled statement ends, and the session goes on', async () => {
    const session = await open('duckdb::memory:')
    const running = failure(
      session.query('select count(*) from range(100000000) a, range(100000) b where a.range % 7 = b.range % 5'),
    )
    const state = { ended: false }
    void running.then(() => (state.ended = true))
    while (!state.ended) {
      await session.cancel()
      await sleep(10)
    }
    expect(await running).toMatchObject({ code: 'INTERRUPTED' })
    expect((await session.query('select 1 as a')).rows).toEqual([{ a: 1 }])
  })

  test('a closed session refuses work and closes once', async () => {
    const session = await duckdb.open('duckdb::memory:')
    await session.close()
    await session.close()
    await expect(session.query('select 1')).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
  })

  test('an unknown setting is refused, and the file is free afterwards', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    expect(await failure(duckdb.open(url, { settings: { nonsense: '1' } }))).toMatchObject({ code: 'SQL_FAILED' })
    const other = await holder(url, 'select 1')
    await other.end('SIGTERM')
  })

  test('settings bound memory and threads', async () => {
    const session = await open('duckdb::memory:', { settings: { memory_limit: '256MiB', threads: '1' } })
    const { rows } = await session.query(
      "select current_setting('memory_limit') as memory, current_setting('threads') as threads, current_setting('TimeZone') as zone",
    )
    expect(rows).toEqual([{ memory: '256.0 MiB', threads: '1', zone: 'UTC' }])
  })
})

describe('bulk', () => {
  const columns = [
    { name: 'id', type: 'BIGINT' },
    { name: 'note', type: 'VARCHAR' },
    { name: 'moment', type: 'TIMESTAMPTZ' },
  ]

  test('loads what PostgreSQL copies out: NULL and the empty string stay apart, quotes and line ends stay whole', async () => {
    const place = folder()
    const session = await open(`duckdb:${place}/w.duckdb`)
    await session.query('create table t (id bigint, note text, moment timestamptz)')
    const source = chunks('1,,2026-01-31 12:00:00.123456+00\n2,"",\n3,"a ""b"",\nc",2026-01-31 12:00:00+02\n')
    expect(await loadCsv(session, { table: 'main.t', columns, source })).toBe(3)
    expect((await session.query('from t order by id')).rows).toEqual([
      { id: '1', note: null, moment: '2026-01-31T12:00:00.123456Z' },
      { id: '2', note: '', moment: null },
      { id: '3', note: 'a "b",\nc', moment: '2026-01-31T10:00:00.000000Z' },
    ])
    expect(readdirSync(place).filter(name => name.includes('bulk'))).toEqual([])
  })

  test('no rows are no rows', async () => {
    const session = await open('duckdb::memory:')
    await session.query('create table t (id bigint, note text, moment timestamptz)')
    expect(await loadCsv(session, { table: 't', columns, source: chunks('') })).toBe(0)
  })

  test('a row that does not fit fails the load, tells its line, keeps nothing and leaves no file', async () => {
    const place = folder()
    const session = await open(`duckdb:${place}/w.duckdb`)
    await session.query('create table t (id bigint, note text, moment timestamptz)')
    const error = await failure(loadCsv(session, { table: 't', columns, source: chunks('1,a,\nhunter2,b,\n') }))
    expect(error).toMatchObject({ code: 'SQL_FAILED', message: expect.stringContaining('Line 2') as string })
    expect(JSON.stringify([error.message, error.details, error.hint])).not.toContain('hunter2')
    expect((await session.query('from t')).rows).toEqual([])
    expect(readdirSync(place).filter(name => name.includes('bulk'))).toEqual([])
  })

  test('a source that breaks off leaves no rows and no file', async () => {
    const place = folder()
    const session = await open(`duckdb:${place}/w.duckdb`)
    await session.query('create table t (id bigint, note text, moment timestamptz)')
    async function* broken() {
      yield '1,a,\n'
      throw new PlinthError('CONNECTION_LOST', 'gone')
    }
    expect(await failure(loadCsv(session, { table: 't', columns, source: broken() }))).toMatchObject({
      code: 'CONNECTION_LOST',
    })
    expect((await session.query('from t')).rows).toEqual([])
    expect(readdirSync(place).filter(name => name.includes('bulk'))).toEqual([])
  })

  test('deleted and loaded again in one transaction, a key is replaced, and a rollback brings the old row back', async () => {
    const session = await open('duckdb::memory:')
    await session.script(
      "create table t (id bigint primary key, note text, moment timestamptz); insert into t values (1, 'old', null)",
    )
    const replace = async () => {
      await session.query('begin')
      await session.query('delete from t where id = 1')
      await loadCsv(session, { table: 't', columns, source: chunks('1,new,\n') })
    }
    await replace()
    await session.query('rollback')
    expect((await session.query('select note from t')).rows).toEqual([{ note: 'old' }])
    await replace()
    await session.query('commit')
    expect((await session.query('select note from t')).rows).toEqual([{ note: 'new' }])
  })

  test('copies out and in again', async () => {
    const session = await open('duckdb::memory:')
    await session.script(
      `create table a as select 1 as id, '' as note union all select 2, null; create table b (id int, note text)`,
    )
    const copied = await session.copyIn(
      'copy b (id, note) from stdin (format csv)',
      session.copyOut('copy (from a order by id) to stdout (format csv)'),
    )
    expect(copied).toBe(2)
    expect((await session.query('from b order by id')).rows).toEqual([
      { id: 1, note: '' },
      { id: 2, note: null },
    ])
    expect(await text(session.copyOut('select id from a order by id;'))).toBe('id\n1\n2\n')
    await expect(text(session.copyOut('select nope'))).rejects.toMatchObject({ code: 'SQL_FAILED' })
  })
})

describe('the catalog', () => {
  test('is told as plain data, without Plinth’s own schema and without temporary objects', async () => {
    const session = await open('duckdb::memory:')
    await session.script(
      `create schema plinth; create table plinth.history (a int); create temp table passing (a int);
       create schema s; create type s.mood as enum ('sad', 'glad'); create sequence s.numbers start 5;
       create table s.parent (id int primary key, code text not null, unique (code, id));
       create table s.child (
         id bigint default nextval('s.numbers'), parent int references s.parent (id), amount decimal(18, 6) not null default 0,
         mood s.mood, doubled int generated always as (parent * 2), check (amount >= 0), check (amount < 100));
       create unique index child_mood on s.child (mood, amount); create view s.seen as select id, amount from s.child;
       comment on table s.child is 'the child'; comment on column s.child.amount is 'the amount'; comment on view s.seen is 'the view'`,
    )
    const schema = await session.introspect()
    expect(schema.schemas.map(({ name }) => name)).toEqual(['s'])
    expect(schema.tables.map(({ schema: owner, name }) => `${owner}.${name}`)).toEqual(['s.child', 's.parent'])
    expect(schema.enums).toEqual([{ schema: 's', name: 'mood', comment: null, values: ['sad', 'glad'] }])
    expect(schema.sequences.map(({ name }) => name)).toEqual(['numbers'])
    expect(schema.views).toMatchObject([
      { name: 'seen', comment: 'the view', columns: [{ name: 'id' }, { name: 'amount' }] },
    ])
    const child = schema.tables[0]
    expect(child).toMatchObject({
      comment: 'the child',
      foreignKeys: [{ columns: ['parent'], references: 's.parent', referencedColumns: ['id'] }],
    })
    expect(child?.columns.find(({ name }) => name === 'amount')).toMatchObject({
      type: 'DECIMAL(18,6)',
      nullable: false,
      default: '0',
      comment: 'the amount',
    })
    expect(child?.columns.find(({ name }) => name === 'doubled')).toMatchObject({
      default: null,
      generated: expect.stringContaining('parent') as string,
    })
    expect(child?.columns.find(({ name }) => name === 'mood')).toMatchObject({ generated: null })
    expect(new Set(child?.checks.map(({ name }) => name)).size).toBe(2)
    expect(child?.indexes).toMatchObject([{ name: 'child_mood', columns: ['mood', 'amount'], unique: true }])
    expect(schema.tables[1]).toMatchObject({
      primaryKey: { columns: ['id'] },
      uniqueKeys: [{ columns: ['code', 'id'] }],
    })
    expect((await session.introspect({ schemas: ['plinth'] })).tables.map(({ name }) => name)).toEqual(['history'])
  })

  test('a scratch database is empty or a copy, and is gone after drop', async () => {
    const url = `duckdb:${join(folder(), 'w.duckdb')}`
    const session = await open(url)
    await session.script('create schema s; create table s.t (a int); insert into s.t values (1)')
    const scratch = await duckdb.createScratch(url, 'verify', { template: url })
    const copy = await duckdb.open(scratch.url)
    expect((await copy.query('from s.t')).rows).toEqual([{ a: 1 }])
    await copy.close()
    await scratch.drop()
    expect(existsSync(duckdb.describe(scratch.url))).toBe(false)
    const empty = await duckdb.createScratch(url, 'docs')
    expect((await (await open(empty.url)).introspect()).tables).toEqual([])
    await empty.drop()
  })
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'plinth-duckdb-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** A disk of four megabytes, which only root on Linux can have; unmounted when the test ends. */
function mountSmall(path: string): boolean {
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path]).status === 0
  if (mounted) onTestFinished(() => void spawnSync('umount', ['-l', path]))
  return mounted
}

/** Closed when the test ends, before its folder goes. */
async function open(url: string, options: OpenOptions = {}): Promise<Session> {
  const session = await duckdb.open(url, options)
  onTestFinished(() => session.close())
  return session
}

/** Another process that ran `script` on the file and keeps it open until it is ended. */
async function holder(
  url: string,
  script: string,
): Promise<{ process: ChildProcess; end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> }> {
  const code = `
    const { DuckDBInstance } = require('@duckdb/node-api')
    DuckDBInstance.create(process.argv[1]).then(async instance => {
      await (await instance.connect()).run(process.argv[2])
      console.log('ready')
      setInterval(() => {}, 1000)
    })`
  const child = spawn(process.execPath, ['-e', code, duckdb.describe(url), script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const ready = await Promise.race([once(child.stdout, 'data').then(() => true), exited.then(() => false)])
  if (!ready) throw new Error('the other process could not open the file')
  return {
    process: child,
    end: async signal => {
      child.kill(signal)
      await exited
    },
  }
}

async function failure(work: Promise<unknown>): Promise<PlinthError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome instanceof PlinthError) return outcome
  throw new Error('a PlinthError was expected', { cause: outcome })
}

async function* chunks(csv: string): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < csv.length; at += 7) yield Buffer.from(csv.slice(at, at + 7))
}

async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}
