/**
 * The behaviour that every engine has, told once. A driver's own test file calls `describeEngine` and adds only what is its own.
 *
 *   describeEngine('duckdb', async () => ({ url: `duckdb:${file}` }))
 */
import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { withSession, withTransaction } from '../../src/engines/brackets.ts'
import type { Engine, Session, StatementDone } from '../../src/engines/engine.ts'
import { engineNamed, engineOf } from '../../src/engines/registry.ts'
import { PlinthError } from '../../src/errors.ts'

/** Makes an empty database that goes away by itself when the test ends. */
export type MakeDatabase = () => Promise<{ readonly url: string }>

/** What of the suite an engine says in another way. */
export interface Accent {
  /** The session as the stories know it: it takes their SQL and answers as they expect. */
  readonly session: (session: Session) => Session
  /** Stories that it cannot tell, by their names, with the reason. */
  readonly without: Readonly<Record<string, string>>
}

const plain: Accent = { session: session => session, without: {} }

export function describeEngine(name: string, makeDatabase: MakeDatabase, accent: Accent = plain): void {
  describe(`every engine: ${name}`, () => {
    let engine: Engine
    beforeEach(({ task, skip }) => skip(task.name in accent.without, accent.without[task.name]))
    beforeAll(async () => {
      engine = await engineNamed(name)
    })
    const open: OpenDatabase = async () => {
      const { url } = await makeDatabase()
      return { engine, url, session: accent.session(await openUntilTestEnds(engine, url)) }
    }
    describe('values', () => valueStories(open))
    describe('scripts', () => scriptStories(open))
    describe('failures', () => failureStories(open))
    describe('transactions', () => transactionStories(open))
    describe('sessions', () => sessionStories(open))
    describe('locks', () => lockStories(open))
    describe('catalog', () => catalogStories(open))
    describe('scratch databases', () => scratchStories(open))
  })
}

/** The PlinthError that the work ends with; anything else fails the test. */
export async function failureOf(work: Promise<unknown>): Promise<PlinthError> {
  const outcome = await work.then(
    value => new Error(`expected a failure, got ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (outcome instanceof PlinthError) return outcome
  throw outcome
}

type OpenDatabase = () => Promise<{ readonly engine: Engine; readonly url: string; readonly session: Session }>

async function openUntilTestEnds(engine: Engine, url: string): Promise<Session> {
  const session = await engine.open(url, { applicationName: 'conformance' })
  onTestFinished(() => session.close())
  return session
}

function valueStories(open: OpenDatabase): void {
  test('wide numbers, moments, documents and bytes come back without loss', async () => {
    const { session } = await open()
    const { rows, rowCount } = await session.query(`
      select
        9223372036854775807::bigint as wide,
        123456789012.345678::numeric(18, 6) as exact,
        timestamptz '2026-01-31 13:00:00.123456+01' as moment,
        date '2026-02-28' as day,
        '{"tags": ["a", null], "nested": {"n": 1}}'::json as document,
        true as yes,
        7::integer as small,
        0.1::double precision as inexact,
        'žluťoučký 🐎 ''quoted''' as words,
        null::text as nothing`)
    expect(rowCount).toBe(1)
    expect(rows).toEqual([
      {
        wide: '9223372036854775807',
        exact: '123456789012.345678',
        moment: '2026-01-31T12:00:00.123456Z',
        day: '2026-02-28',
        document: { tags: ['a', null], nested: { n: 1 } },
        yes: true,
        small: 7,
        inexact: 0.1,
        words: "žluťoučký 🐎 'quoted'",
        nothing: null,
      },
    ])
  })

  test('a moment always has six digits', async () => {
    const { session } = await open()
    const { rows } = await session.query(
      `select timestamptz '2026-01-31 12:00:00+00' as a, timestamptz '2026-01-31 12:00:00.5+00' as b`,
    )
    expect(rows).toEqual([{ a: '2026-01-31T12:00:00.000000Z', b: '2026-01-31T12:00:00.500000Z' }])
  })

  test('parameters survive the way there and back', async () => {
    const { session } = await open()
    const { rows } = await session.query(
      'select $1::bigint as wide, $2::numeric(12, 6) as exact, $3::bytea as bytes, $4::text as words, $5::boolean as no, $6::timestamptz as moment, $7::text as nothing',
      [
        9007199254740993n,
        '0.000001',
        new Uint8Array([0, 1, 127, 128, 255]),
        'it\'s; -- "fine"',
        false,
        '2026-01-31T12:00:00.000001Z',
        null,
      ],
    )
    expect(rows).toEqual([
      {
        wide: '9007199254740993',
        exact: '0.000001',
        bytes: new Uint8Array([0, 1, 127, 128, 255]),
        words: 'it\'s; -- "fine"',
        no: false,
        moment: '2026-01-31T12:00:00.000001Z',
        nothing: null,
      },
    ])
  })

  test('a list is one parameter', async () => {
    const { session } = await open()
    await session.script(
      "create table fruit (name text); insert into fruit values ('apple'), ('pear, \"conference\"'), ('plum')",
    )
    const { rows } = await session.query('select name from fruit where name = any ($1::text[]) order by name', [
      ['plum', 'pear, "conference"'],
    ])
    expect(rows).toEqual([{ name: 'pear, "conference"' }, { name: 'plum' }])
  })

  test('the number of changed rows is told', async () => {
    const { session } = await open()
    await session.query('create table numbers (n integer)')
    const inserted = await session.query('insert into numbers select i from generate_series(1, 5) as series (i)')
    const deleted = await session.query('delete from numbers where n > $1', [2])
    expect([inserted.rowCount, deleted.rowCount]).toEqual([5, 3])
  })

  test('a query streams out as CSV with a header', async () => {
    const { session } = await open()
    const csv = await text(
      session.copyOut("select i as id, 'row, ' || i::text as name from generate_series(1, 2) as series (i) order by i"),
    )
    expect(csv).toBe('id,name\n1,"row, 1"\n2,"row, 2"\n')
  })
}

function scriptStories(open: OpenDatabase): void {
  test('statements run in the order of the text and each is told when it is done', async () => {
    const { session } = await open()
    const told: StatementDone[] = []
    await session.script(
      `;; -- nothing before the first
      create table steps (n integer); /* between; */;
      insert into steps values (1), (2), (3);
      update steps set n = n + 1 where n > 1;
      -- nothing after the last`,
      done => told.push(done),
    )
    expect(told.map(done => [done.index, done.rowCount])).toEqual([
      [0, 0],
      [1, 3],
      [2, 2],
    ])
    expect(told.every((done, i) => done.finishedAtMs >= (told[i - 1]?.finishedAtMs ?? 0))).toBe(true)
    const { rows } = await session.query('select n from steps order by n')
    expect(rows).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }])
  })

  test('a text without a statement does nothing', async () => {
    const { session } = await open()
    const told: StatementDone[] = []
    await session.script('-- only a comment\n;', done => told.push(done))
    await session.script('', done => told.push(done))
    expect(told).toEqual([])
  })

  test('a failing statement stops the script, and those before it were told', async () => {
    const { session } = await open()
    const told: number[] = []
    const failure = await failureOf(
      session.script(
        "create table kept (n integer);\nselect '🐎' as horse;\nselect nowhere_to_be_found\nfrom kept;\nselect 4",
        done => told.push(done.index),
      ),
    )
    expect(failure.code).toBe('SQL_FAILED')
    expect(told).toEqual([0, 1])
    expect(failure.at?.line).toBe(3)
    expect(failure.at?.column).toBe(8)
  })

  test('a callback that throws fails the script with its own error, and the session goes on', async () => {
    const { session } = await open()
    const own = new Error('mine')
    await expect(
      session.script('select 1; select 2', () => {
        throw own
      }),
    ).rejects.toBe(own)
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('statements with parameters are sent together, and a failing one keeps those behind it from running', async () => {
    const { session } = await open()
    await session.send([
      { text: 'create table pairs (n bigint, word text, bytes text)' },
      { text: 'insert into pairs values ($1::bigint, $2, $3)', values: [9_007_199_254_740_993n, "it's; fine", null] },
    ])
    const failure = await failureOf(
      session.send([
        { text: 'begin' },
        { text: 'insert into pairs (n) values ($1::bigint)', values: [2] },
        { text: 'insert into never_made values ($1)', values: ['x'] },
        { text: 'commit' },
      ]),
    )
    expect(failure.code).toBe('SQL_FAILED')
    expect(failure.message).toContain('never_made')
    await session.query('rollback')
    const { rows } = await session.query('select * from pairs')
    expect(rows).toEqual([{ n: '9007199254740993', word: "it's; fine", bytes: null }])
  })
}

function failureStories(open: OpenDatabase): void {
  test('a syntax error has its line and column', async () => {
    const { session } = await open()
    const failure = await failureOf(session.script('select 1;\n  selekt 2;'))
    expect(failure.code).toBe('SQL_SYNTAX')
    expect(failure.at).toMatchObject({ line: 2, column: 3 })
  })

  test('a table that is missing', async () => {
    const { session } = await open()
    const failure = await failureOf(session.query('select * from never_made'))
    expect(failure.code).toBe('SQL_FAILED')
    expect(failure.message).toContain('never_made')
  })

  test('a row that a constraint refuses is not shown to anybody', async () => {
    const { session } = await open()
    await session.script("create table people (email text primary key); insert into people values ('ada@example.org')")
    const failure = await failureOf(session.query('insert into people values ($1)', ['ada@example.org']))
    expect(failure.code).toBe('CONSTRAINT_VIOLATED')
    expect(everythingOf(failure)).not.toContain('ada@example.org')
  })

  test('a value that cannot be converted is not shown to anybody', async () => {
    const { session } = await open()
    const failure = await failureOf(session.query('select cast($1::text as integer) as n', ['my password']))
    expect(failure.code).toBe('SQL_FAILED')
    expect(everythingOf(failure)).not.toContain('my password')
  })

  test('two statements in one query are refused, and neither runs', async () => {
    const { session } = await open()
    await session.query('create table target (n integer)')
    await failureOf(session.query('insert into target values (1); insert into target values (2)'))
    expect((await session.query('select n from target')).rows).toEqual([])
  })

  test('a cancelled statement ends as interrupted, and the session goes on', async () => {
    const { session } = await open()
    const running = failureOf(
      session.query(
        'select sum((a.i + b.i) % 7) as s from generate_series(1, 1000000) as a (i), generate_series(1, 1000000) as b (i)',
      ),
    )
    // The statement must have begun: a cancel that comes before it has nothing to stop, so it is sent until it is heard.
    const heard = running.then(() => 'heard')
    while ((await Promise.race([heard, pause(50)])) !== 'heard') await session.cancel()
    expect((await running).code).toBe('INTERRUPTED')
    expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a URL that no engine opens', async () => {
    expect((await failureOf(engineOf('carrier-pigeon://coop'))).code).toBe('DATABASE_URL_INVALID')
    expect((await failureOf(engineOf('no scheme at all'))).code).toBe('DATABASE_URL_INVALID')
  })
}

function transactionStories(open: OpenDatabase): void {
  test('what was done in a failed transaction is gone, the first error is kept and the session goes on', async ({
    skip,
  }) => {
    const { engine, session } = await open()
    skip(!engine.can.transactionalDdl, 'DDL is not transactional here')
    const failure = await failureOf(
      withTransaction(session, async () => {
        await session.script('create table ghost (n integer); insert into ghost values (1)')
        await session.query('select * from never_made')
      }),
    )
    expect(failure.message).toContain('never_made')
    expect((await session.introspect()).tables).toEqual([])
    await withTransaction(session, () => session.query('create table kept (n integer)'))
    expect((await session.introspect()).tables.map(table => table.name)).toEqual(['kept'])
  })
}

function sessionStories(open: OpenDatabase): void {
  test('a session closes when its work fails, and can be closed twice', async () => {
    const { engine, url, session } = await open()
    await session.close()
    let escaped: Session | undefined
    const failure = await failureOf(
      withSession(engine, url, {}, async inner => {
        escaped = inner
        await inner.query('select * from never_made')
      }),
    )
    expect(failure.message).toContain('never_made')
    if (!escaped) throw new Error('the work was not called')
    expect((await failureOf(escaped.query('select 1'))).code).toBe('CONNECTION_LOST')
    await escaped.close()
  })

  test('queries that are asked for at the same time answer their own callers', async () => {
    const { session } = await open()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => session.query<{ n: number }>('select $1::integer as n', [i])),
    )
    expect(answers.map(answer => answer.rows[0]?.n)).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  test('the address names the database and opens nothing', async () => {
    const { engine, url, session } = await open()
    expect(session.address).toBe(engine.describe(url))
    expect(session.engine).toBe(engine)
    expect(session.serverVersion).toBeGreaterThan(0)
  })
}

function lockStories(open: OpenDatabase): void {
  test('one session holds a lock, another is refused and can name the holder', async ({ skip }) => {
    const { engine, url, session } = await open()
    skip(!engine.can.concurrentProcesses, 'one process at a time has the database')
    const other = await openUntilTestEnds(engine, url)
    expect(await session.tryLock('story')).toBe(true)
    expect(await other.tryLock('story')).toBe(false)
    expect(await other.tryLock('another story')).toBe(true)
    expect(await other.lockHolder('story')).toContain('conformance')
    expect(await other.unlock('story')).toBe(false)
    expect(await session.unlock('story')).toBe(true)
    expect(await session.lockHolder('story')).toBeNull()
    expect(await other.tryLock('story')).toBe(true)
  })

  test('a lock ends with its session', async ({ skip }) => {
    const { engine, url, session } = await open()
    skip(!engine.can.concurrentProcesses, 'one process at a time has the database')
    await withSession(engine, url, {}, async holder => {
      expect(await holder.tryLock('story')).toBe(true)
    })
    // The server notices the closed connection in its own time.
    while (!(await session.tryLock('story'))) await pause(10)
    expect(await session.unlock('story')).toBe(true)
  })
}

function catalogStories(open: OpenDatabase): void {
  const story = `
    create schema shop;
    create table shop.customers (
      id bigint not null,
      name text not null default 'nobody',
      joined timestamptz,
      balance numeric(12, 6) check (balance >= 0),
      primary key (id)
    );
    create table shop.orders (
      customer_id bigint not null references shop.customers (id),
      number integer not null,
      primary key (customer_id, number)
    );
    create view shop.names as select id, name from shop.customers;
    create index orders_number on shop.orders (number);
    comment on table shop.customers is 'People who bought something.';
    comment on column shop.customers.name is 'As they write it; "quoted" or not.';
    create schema plinth;
    create table plinth.history (n integer)`

  test('tables, columns, keys, checks, indexes, views and comments are read', async () => {
    const { session } = await open()
    await session.script(story)
    const schema = await session.introspect()
    expect(schema.engine).toBe(session.engine.name)
    expect(schema.tables.map(table => `${table.schema}.${table.name}`)).toEqual(['shop.customers', 'shop.orders'])
    const [customers, orders] = schema.tables
    expect(customers?.comment).toBe('People who bought something.')
    expect(customers?.columns.map(column => [column.name, column.nullable])).toEqual([
      ['id', false],
      ['name', false],
      ['joined', true],
      ['balance', true],
    ])
    expect(customers?.columns[1]?.comment).toBe('As they write it; "quoted" or not.')
    expect(customers?.columns[1]?.default).toContain('nobody')
    expect(customers?.columns[3]?.type.toLowerCase()).toMatch(/^(numeric|decimal)\(12, ?6\)$/)
    expect(customers?.primaryKey?.columns).toEqual(['id'])
    expect(customers?.checks).toHaveLength(1)
    expect(customers?.checks[0]?.definition).toContain('balance')
    expect(orders?.primaryKey?.columns).toEqual(['customer_id', 'number'])
    expect(orders?.foreignKeys).toMatchObject([
      { columns: ['customer_id'], references: 'shop.customers', referencedColumns: ['id'] },
    ])
    expect(orders?.indexes.find(index => index.name === 'orders_number')).toMatchObject({
      columns: ['number'],
      unique: false,
      valid: true,
    })
    expect(schema.views.map(view => [view.schema, view.name, view.columns.map(column => column.name)])).toEqual([
      ['shop', 'names', ['id', 'name']],
    ])
  })

  test("Plinth's own schema is left out unless it is asked for", async () => {
    const { session } = await open()
    await session.script(story)
    const all = await session.introspect()
    expect(all.schemas.map(namespace => namespace.name)).toContain('shop')
    expect(all.schemas.map(namespace => namespace.name)).not.toContain('plinth')
    const own = await session.introspect({ schemas: ['plinth'] })
    expect(own.tables.map(table => `${table.schema}.${table.name}`)).toEqual(['plinth.history'])
  })

  test('equal databases give equal JSON', async () => {
    const first = await open()
    const second = await open()
    await first.session.script(story)
    await second.session.script(story)
    expect(JSON.stringify(await second.session.introspect())).toBe(JSON.stringify(await first.session.introspect()))
  })

  test('reading the catalog leaves the session as it was', async () => {
    const { session } = await open()
    await session.script(story)
    await withTransaction(session, async () => {
      const before = await session.introspect()
      await session.query('create table unqualified (n integer)')
      const after = await session.introspect()
      expect(after.tables.length).toBe(before.tables.length + 1)
    })
    expect((await session.query('select count(*)::integer as n from unqualified')).rows).toEqual([{ n: 0 }])
  })
}

function scratchStories(open: OpenDatabase): void {
  test('a scratch database is empty, separate, and gone when dropped', async () => {
    const { engine, url, session } = await open()
    await session.query('create table original (n integer)')
    const scratch = await engine.createScratch(url, `scratch_${randomBytes(6).toString('hex')}`)
    onTestFinished(() => scratch.drop())
    await withSession(engine, scratch.url, {}, async inner => {
      expect((await inner.introspect()).tables).toEqual([])
      await inner.query('create table copied (n integer)')
    })
    expect((await session.introspect()).tables.map(table => table.name)).toEqual(['original'])
    await scratch.drop()
    await scratch.drop()
  })
}

/** Everything that a person or a log could see of a failure. */
function everythingOf(failure: PlinthError): string {
  const { message, hint, at, details, cause } = failure
  const causes = cause instanceof Error ? [cause.message, JSON.stringify(cause)] : [JSON.stringify(cause ?? null)]
  return JSON.stringify([message, hint, at, details, ...causes])
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, milliseconds)
  })
}
