import { describe, expect, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { openParser, parseSql } from '../../src/sql/parse.ts'

const parse = await openParser('postgres')
const parseOther = await openParser('other')

function failure(work: () => unknown): PlinthError {
  try {
    work()
  } catch (error) {
    if (error instanceof PlinthError) return error
    throw error
  }
  throw new Error('It was expected to fail, and did not.')
}

describe('statements and their places', () => {
  test('bytes of the parser become indexes of the text, also behind letters of two, three and four bytes', () => {
    const text = "-- Größe 表 🎉\ncreate table a.b (ü int);\n\n/* 🎉 */ insert into a.b values ('🎉;');\nselect 1"
    const { statements } = parse(text)
    expect(statements.map(({ text, line, column, kind }) => ({ text, line, column, kind }))).toEqual([
      { text: 'create table a.b (ü int)', line: 2, column: 1, kind: 'CreateStmt' },
      { text: "insert into a.b values ('🎉;')", line: 4, column: 10, kind: 'InsertStmt' },
      { text: 'select 1', line: 5, column: 1, kind: 'SelectStmt' },
    ])
    for (const { start, end, text: own } of statements) expect(text.slice(start, end)).toBe(own)
  })

  test('no text, only comments and only semicolons are no statements', () => {
    for (const text of ['', '  \n', '-- nothing to undo\n', ';;']) expect(parse(text).statements).toEqual([])
    for (const text of ['', '-- nothing', ';; /* a /* b */ c */']) expect(parseOther(text).statements).toEqual([])
  })

  test('a syntax error names file, line and column behind letters of several bytes', () => {
    const error = failure(() => parse("select '表🎉';\n  select 'ü' frm x y", '1_a.up.sql'))
    expect(error).toMatchObject({ code: 'SQL_SYNTAX', at: { file: '1_a.up.sql', line: 2, column: 18 } })
    expect(failure(() => parse('create table t (')).at).toMatchObject({ line: 1, column: 17 })
  })

  test('a syntax error never repeats a literal', () => {
    expect(failure(() => parse("select 1 from 'hunter2'")).message).not.toContain('hunter2')
    expect(failure(() => parse("select 'hunter2")).message).not.toContain('hunter2')
  })

  test('rows behind a copy belong to it, whatever they hold', () => {
    const rows = "1\tit's ; -- $$ /*\n2\t\\\\.\n\\N\té𝄞\n\\.\n"
    const text = `create table a (n int, t text);\nCOPY public.a (n, t) FROM stdin;\n${rows}\n\ncopy a from stdin;\n\\.\n;\nselect 1 from b;`
    const { statements } = parse(text)
    expect(statements.map(one => one.kind)).toEqual(['CreateStmt', 'CopyStmt', 'CopyStmt', 'SelectStmt'])
    expect(statements.map(one => text.slice(one.start, one.end))).toEqual([
      'create table a (n int, t text)',
      `COPY public.a (n, t) FROM stdin;\n${rows.trimEnd()}`,
      'copy a from stdin;\n\\.',
      'select 1 from b',
    ])
    expect(statements.map(one => one.line)).toEqual([1, 2, 9, 12])
    expect(failure(() => parse(`${text}\nselec 1`))).toMatchObject({ code: 'SQL_SYNTAX', at: { line: 13 } })
  })

  test('what only tells psql what to print is left out', () => {
    const text =
      "\\restrict abc\n\\set ON_ERROR_STOP on\n\nbegin;\nselect '\n\\echo stays\n';\n\\echo gone\ncommit;\n\\unrestrict abc\n"
    const { body, statements, mode } = parse(text)
    expect({ mode, kinds: statements.map(one => one.kind) }).toEqual({ mode: 'transactional', kinds: ['SelectStmt'] })
    expect(body).toHaveLength(text.length)
    expect(body.replace(/^[\s;]+|[\s;]+$/g, '')).toBe("select '\n\\echo stays\n'")
  })

  test('what only a client can do is named as such', () => {
    for (const [text, line] of [
      ['select 1;\n\\connect other\n', 2],
      ['copy a from stdin;\n1\t2\n', 1],
      ['\\echo left \\quit\n', 1],
      ['\\set name value\n', 1],
      ['select 1;\ncopy a (x) from stdin;', 2],
      ['copy a to stdout;', 1],
      ['begin;\nselect 1;', 1],
      ['begin; commit and chain;', 1],
      ['\ndiscard all', 2],
    ] as const) {
      expect(
        failure(() => parse(text, 'f.sql')),
        text,
      ).toMatchObject({ code: 'SQL_UNSUPPORTED', at: { file: 'f.sql', line } })
    }
  })
})

describe('what a statement does', () => {
  test.each([
    ["create table platform.users (name text default 'x')", 'create table platform.users', ['platform.users']],
    ['create table a.p partition of a.t for values in (1)', 'create table a.p partition of a.t', ['a.p']],
    ['alter table a.t add column x int, alter y set not null', 'alter table a.t add column x, set not null y', ['a.t']],
    ['drop table a.b, c cascade', 'drop table a.b, c', ['a.b', 'c']],
    ['create unique index concurrently i on a.t (x)', 'create unique index concurrently i on a.t', ['a.t']],
    ["insert into a.t values ('hunter2')", 'insert into a.t', ['a.t']],
    [
      'with gone as (delete from a.old returning *) insert into a.new select * from gone',
      'insert into a.new',
      ['a.new', 'a.old'],
    ],
    ['update t set x = 1', 'update t', ['t']],
    ["alter type a.color add value 'hunter2'", 'alter type a.color add value', []],
    ["comment on column a.t.x is 'hunter2'", 'comment on column a.t.x', []],
    ['create materialized view a.v as select 1', 'create materialized view a.v as select', ['a.v']],
    ['create policy p on a.t', 'create policy p on a.t', ['a.t']],
    ['drop trigger g on a.t', 'drop trigger a.t.g', ['a.t']],
    ['grant select on a.t to x', 'grant on table a.t', []],
    ['alter table a.t rename column x to y', 'rename column a.t x to y', ['a.t']],
    ['truncate a, b.c', 'truncate a, b.c', ['a', 'b.c']],
    ["set lock_timeout = '3s'", 'set lock_timeout', []],
    ['do $$ begin perform 1; end $$', 'do', []],
    ['vacuum analyze a.t', 'vacuum a.t', ['a.t']],
  ])('%s', (text, summary, tables) => {
    expect(parse(text).statements[0]).toMatchObject({ summary, tables })
  })

  test.each([
    ["create or replace table a.t as select 'hunter2'", 'create table a.t', ['a.t']],
    ['insert or replace into a.t by name select 1 as x', 'insert or replace into a.t', ['a.t']],
    ['-- why\ndrop view if exists v', 'drop view v', []],
    ['checkpoint', 'checkpoint', []],
  ])('without a grammar: %s', (text, summary, tables) => {
    expect(parseOther(text).statements[0]).toMatchObject({
      summary: summary.replace('insert or replace', 'insert'),
      tables,
    })
  })
})

describe('what can be one transaction', () => {
  test.each([
    'create index concurrently i on t (x)',
    'drop index concurrently i',
    'reindex table concurrently t',
    'reindex (concurrently) index i',
    'reindex database d',
    'vacuum t',
    'create database d',
    'drop database d',
    "create tablespace s location '/x'",
    'alter system set work_mem = 1',
    'cluster',
    'alter table t detach partition p concurrently',
    "create subscription s connection 'c' publication p",
    'drop subscription s',
    'alter database d set tablespace s',
  ])('not: %s', text => {
    const script = parse(text)
    expect(script.mode).toBe('statement-wise')
    expect(script.statements[0]?.bare).toBe(true)
  })

  test.each([
    'create index i on t (x)',
    'reindex table t',
    'analyze t',
    'cluster t',
    'alter table t detach partition p',
    "create subscription s connection 'c' publication p with (create_slot = false)",
    'refresh materialized view concurrently v',
    "alter type color add value 'green'",
    "create type color as enum ('red'); alter type color add value 'green'; insert into t values ('green')",
    'savepoint a; rollback to a; release a',
  ])('yes: %s', text => {
    expect(parse(text)).toMatchObject({ mode: 'transactional', reason: null })
  })

  test('a value that is used in the file that adds it needs a commit between', () => {
    const script = parse("alter type color add value 'it''s';\ninsert into t values ('it''s')")
    expect(script).toMatchObject({ mode: 'statement-wise', reason: expect.stringContaining('adds a value') })
  })

  test('a file that wraps itself in one plain transaction is that transaction, and its places stay', () => {
    const text = '-- head\nBEGIN;\ncreate table t (id int);\nCOMMIT;\n-- end'
    const script = parse(text)
    expect(script).toMatchObject({ mode: 'transactional', text })
    expect(script.body).toBe('-- head\n     ;\ncreate table t (id int);\n      ;\n-- end')
    expect(script.statements.map(one => [one.index, one.line])).toEqual([[0, 3]])
    expect(parse('begin isolation level serializable; select 1; commit').mode).toBe('statement-wise')
    expect(parse('begin; select 1; commit; begin; select 2; commit').mode).toBe('statement-wise')
    expect(parseOther('begin transaction; select 1; commit').mode).toBe('transactional')
  })
})

describe('splitting without a grammar', () => {
  test('quotes, dollar quotes and nested comments hide semicolons', () => {
    const text = `select 'a;''b' ; select "c;""d"; select $$e;f$$; select $x$ $$;$$ $x$; /* ; /* ; */ ; */ select E'\\';' -- ;\n;`
    expect(parseOther(text).statements.map(one => one.text)).toEqual([
      `select 'a;''b'`,
      `select "c;""d"`,
      'select $$e;f$$',
      'select $x$ $$;$$ $x$',
      `select E'\\';'`,
    ])
  })

  test('a quote of a million letters is no problem, one without an end is named', () => {
    expect(parseOther(`select '${"''a".repeat(1_000_000)}'`).statements).toHaveLength(1)
    expect(failure(() => parseOther("select 1;\nselect 'abc", 'x.sql'))).toMatchObject({
      code: 'SQL_SYNTAX',
      at: { file: 'x.sql', line: 2, column: 8 },
    })
    expect(failure(() => parseOther('/* abc'))).toMatchObject({ code: 'SQL_SYNTAX', at: { line: 1 } })
  })

  test('both readers find the same statements in text that both understand', async () => {
    const text = "create table a (x text); -- one;\ninsert into a values ('ü;'), ($$;$$);\n\nselect 1;;"
    const [left, right] = await Promise.all([
      parseSql(text, { dialect: 'postgres' }),
      parseSql(text, { dialect: 'other' }),
    ])
    expect(left.statements.map(one => one.text)).toEqual(right.statements.map(one => one.text))
  })
})
