/** What PostgreSQL's sessions do beyond the behaviour of every engine. */
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import type { OpenOptions, Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { failureOf } from './conformance.ts'

async function open(options: OpenOptions = {}): Promise<Session & { readonly url: string }> {
  const { url } = await emptyDatabase()
  const session = await postgres.open(url, options)
  onTestFinished(() => session.close())
  return Object.assign(session, { url })
}

describe('values', () => {
  test('lists, also nested, with bounds and odd characters', async () => {
    const session = await open()
    const { rows } = await session.query(`
      select
        array['plain', 'with "quotes"', 'back\\slash', 'comma, brace {', null, 'NULL', '', e'two\\nlines'] as words,
        array[[1, 2], [3, null]] as nested,
        array[9007199254740993, 1] as wide,
        array[0.1, 1]::numeric[] as exact,
        '[5:6]={true,false}'::boolean[] as bounded,
        array[timestamptz '2026-01-31 12:00:00+00'] as moments,
        array['{"a": [1, "}"]}'::jsonb] as documents,
        array['\\x00ff'::bytea] as bytes,
        '{}'::text[] as empty`)
    expect(rows).toEqual([
      {
        words: ['plain', 'with "quotes"', 'back\\slash', 'comma, brace {', null, 'NULL', '', 'two\nlines'],
        nested: [
          [1, 2],
          [3, null],
        ],
        wide: ['9007199254740993', '1'],
        exact: ['0.1', '1'],
        bounded: [true, false],
        moments: ['2026-01-31T12:00:00.000000Z'],
        documents: [{ a: [1, '}'] }],
        bytes: [new Uint8Array([0, 255])],
        empty: [],
      },
    ])
  })

  test('moments are in UTC whatever the session, the role or the year says', async () => {
    const session = await open()
    await session.query("set time zone 'Asia/Kolkata'")
    const { rows } = await session.query(`
      select timestamptz '2026-01-31 23:59:59.999999+00' as late, timestamptz '1850-06-01 00:00:00+00' as early,
        timestamptz 'infinity' as never, timestamptz '0044-03-15 12:00:00+00 BC' as ides,
        timestamp '2026-01-31 12:00:00.1' as local, time '12:30' as clock, interval '1 year 2 days' as span`)
    expect(rows).toEqual([
      {
        late: '2026-01-31T23:59:59.999999Z',
        early: '1850-06-01T00:00:00.000000Z',
        never: 'infinity',
        ides: expect.stringMatching(/^0044-03-15 .* BC$/) as string,
        local: '2026-01-31T12:00:00.100000',
        clock: '12:30:00',
        span: '1 year 2 days',
      },
    ])
  })

  test('limits of the database are not ours, and those of the URL are', async () => {
    const { url, name } = await emptyDatabase()
    await withClient(url, client =>
      client.query(`
        alter database ${name} set statement_timeout to '300ms';
        alter database ${name} set idle_in_transaction_session_timeout to '1s';
        alter database ${name} set default_transaction_isolation to 'repeatable read'`),
    )
    await withSession(postgres, url, {}, async session => {
      await session.query('select pg_sleep(0.5)')
      const { rows } = await session.query(
        "select current_setting('idle_in_transaction_session_timeout') as idle, current_setting('transaction_isolation') as isolation",
      )
      expect(rows).toEqual([{ idle: '0', isolation: 'read committed' }])
    })
    await withSession(postgres, `${url}?options=-c%20statement_timeout%3D200ms`, {}, async session => {
      expect((await failureOf(session.query('select pg_sleep(60)'))).code).toBe('STATEMENT_TIMEOUT')
    })
  })

  test('settings of the database do not change how values come', async () => {
    const { url, name } = await emptyDatabase()
    await withClient(url, client =>
      client.query(`
        alter database ${name} set bytea_output to 'escape';
        alter database ${name} set datestyle to 'German';
        alter database ${name} set timezone to 'America/New_York';
        alter database ${name} set intervalstyle to 'iso_8601'`),
    )
    await withSession(postgres, url, {}, async session => {
      const { rows } = await session.query(
        "select '\\x41ff'::bytea as b, date '2026-01-31' as d, now()::text like '%+00' as utc, interval '1 day' as i",
      )
      expect(rows).toEqual([{ b: new Uint8Array([0x41, 255]), d: '2026-01-31', utc: true, i: '1 day' }])
    })
  })
})

describe('opening', () => {
  test('name and settings of the session are what was asked for', async () => {
    const session = await open({
      applicationName: 'plinth story',
      settings: { search_path: 'pg_catalog', lock_timeout: '1500ms' },
    })
    const { rows } = await session.query(
      "select current_setting('application_name') as n, current_setting('search_path') as p, current_setting('lock_timeout') as l",
    )
    expect(rows).toEqual([{ n: 'plinth story', p: 'pg_catalog', l: '1500ms' }])
  })

  test('a database and a role that are not there', async () => {
    const { url } = await emptyDatabase()
    const missing = new URL(url)
    missing.pathname = '/never_made'
    expect(await failureOf(postgres.open(missing.toString()))).toMatchObject({
      code: 'DATABASE_UNKNOWN',
      sqlState: '3D000',
    })
    const stranger = new URL(url)
    stranger.username = 'never_made'
    expect((await failureOf(postgres.open(stranger.toString()))).code).toBe('DATABASE_AUTHENTICATION')
  })
})

describe('scripts', () => {
  test('rows that a statement returns are counted, and copies from the client are refused', async () => {
    const session = await open()
    const told: [string, number][] = []
    await session.script('select generate_series(1, 3); create table t (n integer); copy (select 1) to stdout', done =>
      told.push([done.command, done.rowCount]),
    )
    expect(told).toEqual([
      ['SELECT', 3],
      ['CREATE TABLE', 0],
      ['COPY', 1],
    ])
    expect((await failureOf(session.script('copy t from stdin'))).code).toBe('SQL_UNSUPPORTED')
    expect((await failureOf(session.query('copy t from stdin'))).code).toBe('SQL_UNSUPPORTED')
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a failure says which statement it was', async () => {
    const session = await open()
    const failure = await failureOf(
      session.script("select 1; select 2; do $$ begin raise exception 'no' using errcode = 'P0099'; end $$"),
    )
    expect(failure).toMatchObject({ code: 'SQL_FAILED', sqlState: 'P0099', message: 'No.', details: { statement: 2 } })
  })

  test('a NUL is refused instead of cutting the text', async () => {
    const session = await open()
    expect((await failureOf(session.script('select 1;\0 drop table everything'))).code).toBe('SQL_SYNTAX')
  })
})

describe('failures', () => {
  const secret = 'ada@example.org'

  test.each([
    ['unique', "insert into people values (1, 'ada@example.org', 1)", '23505'],
    ['check', "insert into people values (2, 'ada@example.org', -1)", '23514'],
    ['not null', "insert into people values (null, 'ada@example.org', 1)", '23502'],
    ['conversion', "select 'ada@example.org'::integer", '22P02'],
    ['moment', "select 'ada@example.org'::timestamptz", '22007'],
    ['document', `select '{"ada@example.org": oops}'::json`, '22P02'],
    ['kind', "select 'ada@example.org'::mood", '22P02'],
    ['syntax', "select 1 'ada@example.org' 2", '42601'],
    ['open string', "select 'ada@example.org", '42601'],
  ])('%s: no row and no literal leaves with it', async (_name, statement, sqlState) => {
    const session = await open()
    await session.script(`
      create type mood as enum ('ok');
      create table people (id integer not null, email text unique, n integer check (n > 0));
      insert into people values (1, '${secret}', 1)`)
    const failure = await failureOf(session.query(statement))
    expect(failure.sqlState).toBe(sqlState)
    // The text that was sent is the caller's own and lets him draw a frame.
    const { source: _source, ...place } = failure.at ?? {}
    expect(
      JSON.stringify([failure.message, failure.hint, place, failure.details, String(failure.cause)]),
    ).not.toContain(secret)
  })

  test.each([
    [
      "convert_to('5 €', 'LATIN1')",
      'Character with byte sequence in encoding "UTF8" has no equivalent in encoding "LATIN1".',
    ],
    ["convert_from('\\xe282', 'UTF8')", 'Invalid byte sequence for encoding "UTF8".'],
  ])('encodings are named, bytes are not: %s', async (expression, message) => {
    const session = await open()
    expect((await failureOf(session.query(`select ${expression}`))).message).toBe(message)
  })

  test('a violation names table, column and constraint', async () => {
    const session = await open()
    await session.script(
      'create schema s; create table s.t (n integer constraint positive check (n > 0), m integer not null)',
    )
    expect(await failureOf(session.query('insert into s.t values (0, 0)'))).toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      at: { object: 's.t' },
      details: { table: 's.t', constraint: 'positive' },
    })
    expect(await failureOf(session.query('insert into s.t values (1, null)'))).toMatchObject({
      at: { object: 's.t.m' },
      details: { column: 'm' },
    })
  })

  test('what depends on an object is told, since it names objects only', async () => {
    const session = await open()
    await session.script('create table t (n integer); create view v as select n from t')
    const failure = await failureOf(session.query('drop table t'))
    expect(failure).toMatchObject({
      code: 'SQL_FAILED',
      sqlState: '2BP01',
      details: { serverDetail: 'view v depends on table t' },
    })
    expect(failure.hint).toContain('CASCADE')
  })

  test('lock and statement timeouts are told apart', async () => {
    const session = await open({ settings: { lock_timeout: '50ms' } })
    await session.query('create table t (n integer)')
    await withClient(session.url, async other => {
      await other.query('begin; lock table t')
      expect(await failureOf(session.query('select * from t'))).toMatchObject({
        code: 'LOCK_TIMEOUT',
        sqlState: '55P03',
      })
    })
    await session.query("set statement_timeout = '50ms'")
    expect(await failureOf(session.query('select pg_sleep(60)'))).toMatchObject({
      code: 'STATEMENT_TIMEOUT',
      sqlState: '57014',
    })
  })

  test('a right that is missing', async () => {
    const session = await open()
    await session.script('create table t (n integer); set role pg_monitor')
    expect(await failureOf(session.query('select * from t'))).toMatchObject({
      code: 'PERMISSION_DENIED',
      sqlState: '42501',
    })
  })

  test('a connection that breaks while idle is told by the next call, with the first reason', async () => {
    const session = await open()
    await withClient(session.url, other => other.query('select pg_terminate_backend($1)', [session.backendId]))
    let failure = await failureOf(session.query('select pg_sleep(60)'))
    expect(failure.code).toBe('CONNECTION_LOST')
    failure = await failureOf(session.query('select 1'))
    expect(failure.code).toBe('CONNECTION_LOST')
    await session.close()
  })

  test('the statement of a client that went away stops', async () => {
    const session = await open()
    const { url, backendId } = session
    const running = failureOf(session.query('select pg_sleep(600)'))
    await session.close()
    expect((await running).code).toBe('CONNECTION_LOST')
    await withClient(url, async other => {
      let alive: number | null = 1
      while (alive)
        ({ rowCount: alive } = await other.query('select from pg_stat_activity where pid = $1', [backendId]))
    })
  })
})

describe('copies', () => {
  async function* rows(count: number): AsyncGenerator<Uint8Array | string> {
    for (let i = 0; i < count; i++) yield i % 2 === 0 ? `${i}\trow ${i}\n` : Buffer.from(`${i}\trow ${i}\n`)
  }

  test('rows go in and come out', async () => {
    const session = await open()
    await session.query('create table t (n integer, word text)')
    expect(await session.copyIn('copy t from stdin', rows(10_000))).toBe(10_000)
    const out = await text(session.copyOut('copy (select count(*), max(n) from t) to stdout (format csv)'))
    expect(out).toBe('10000,9999\n')
  })

  test('rows of any width come out whole, and what the server says between them is no part of them', async () => {
    const session = await open()
    await session.script(`
      create function pg_temp.noted(n integer) returns text language plpgsql as
        $$ begin raise notice 'at %', n; return repeat(chr(97 + n), n * 400000 + 1); end $$`)
    const out = await text(session.copyOut('copy (select pg_temp.noted(n) from generate_series(0, 7) as n) to stdout'))
    const lines = Array.from({ length: 8 }, (_, n) => 'abcdefgh'.charAt(n).repeat(n * 400_000 + 1))
    expect(out === `${lines.join('\n')}\n`).toBe(true)
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('what a reader leaves unread does not disturb the session', async () => {
    const session = await open()
    for await (const chunk of session.copyOut('copy (select generate_series(1, 10000000)) to stdout')) {
      expect((chunk as Buffer).length).toBeGreaterThan(0)
      break
    }
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a reader that leaves at the first piece of a short copy, all of which has come, does not hold the session', async () => {
    const session = await open()
    for await (const chunk of session.copyOut(
      "copy (select repeat('x', 200) from generate_series(1, 500)) to stdout",
    )) {
      expect((chunk as Buffer).length).toBeGreaterThan(0)
      await new Promise(resolve => setTimeout(resolve, 100))
      break
    }
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test.each([
    ['a table that is not there', 'copy never_made from stdin', '42P01'],
    ['a row that cannot be read', 'copy t from stdin (format csv)', '22P02'],
    ['a key that is there', 'copy u from stdin', '23505'],
  ])('%s stops a long copy, and the session goes on', async (_name, copy, sqlState) => {
    const session = await open()
    await session.script(
      'create table t (n integer, word text); create table u (n integer primary key, word text); insert into u values (5)',
    )
    expect(await failureOf(session.copyIn(copy, rows(50_000)))).toMatchObject({ sqlState })
    expect((await session.query('select count(*)::integer as n from t')).rows).toEqual([{ n: 0 }])
  })

  test('a source that fails keeps nothing and tells its own failure', async () => {
    const session = await open()
    await session.query('create table t (n integer, word text)')
    const own = new Error('the source is dry')
    async function* source(): AsyncGenerator<string> {
      yield '1\tone\n'
      throw own
    }
    await expect(session.copyIn('copy t from stdin', source())).rejects.toBe(own)
    expect((await session.query('select count(*)::integer as n from t')).rows).toEqual([{ n: 0 }])
  })

  test('a query that fails half-way ends the stream with its failure', async () => {
    const session = await open()
    const failure = await failureOf(text(session.copyOut('select 1 / (50000 - i) from generate_series(1, 100000) i')))
    expect(failure).toMatchObject({ code: 'SQL_FAILED', sqlState: '22012' })
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

describe('scratch databases', () => {
  test('copy a template, take any name, and go although somebody is connected', async () => {
    const session = await open()
    await session.script('create table t (n integer); insert into t values (7)')
    const template = new URL(session.url).pathname.slice(1)
    await session.close()
    const scratch = await postgres.createScratch(session.url, `sçratch "${template}"`, { template })
    const guest = await postgres.open(scratch.url)
    onTestFinished(() => guest.close())
    expect((await guest.query('select n from t')).rows).toEqual([{ n: 7 }])
    await scratch.drop()
    expect((await failureOf(postgres.open(scratch.url))).code).toBe('DATABASE_UNKNOWN')
  })

  test('sort and compare as the database beside them', async () => {
    const question =
      'select datcollate, datctype, datlocprovider, encoding from pg_database where datname = current_database()'
    const session = await open()
    const scratch = await postgres.createScratch(session.url, `${new URL(session.url).pathname.slice(1)}_scratch`)
    onTestFinished(() => scratch.drop())
    await withSession(postgres, scratch.url, {}, async inner => {
      expect((await inner.query(question)).rows).toEqual((await session.query(question)).rows)
    })
  })

  test('a name that is too long would be cut by the server, so it is refused', async () => {
    const { url } = await emptyDatabase()
    expect((await failureOf(postgres.createScratch(url, 'ž'.repeat(32)))).code).toBe('USAGE')
  })
})
