import { describe, expect, inject, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import type { Rehearsal, RehearsedStatement } from '../../src/schema/rehearsal.ts'

/** Rehearses one file behind a history, on a database that is gone afterwards. */
async function rehearse(history: string, ...pending: string[]): Promise<Rehearsal> {
  const url = inject('serverUrl')
  return rehearseScripts(
    { engine: await engineOf(url), url, kept: 0 },
    {
      history: [{ version: '1', direction: 'up', file: '1_history.up.sql', text: history }],
      pending: pending.map((text, at) => ({
        version: String(at + 2),
        direction: 'up',
        file: `${at + 2}_pending.up.sql`,
        text,
      })),
    },
  )
}

async function statements(history: string, pending: string): Promise<readonly RehearsedStatement[]> {
  const { steps } = await rehearse(history, pending)
  expect(steps[0]?.failure).toBeNull()
  return steps[0]?.statements ?? []
}

const shop = `
create table t (id int primary key, a varchar(10), n int, at timestamptz);
create table p (id int primary key);
insert into t select g, 'x', g, now() from generate_series(1, 100) g;
insert into p select generate_series(1, 100);`

describe('a rehearsal says of each statement', () => {
  test.each([
    ['select count(*) from t', 'AccessShareLock'],
    ['select from t for update', 'RowShareLock'],
    ['update t set n = 1', 'RowExclusiveLock'],
    ['alter table t validate constraint c', 'ShareUpdateExclusiveLock'],
    ['create index on t (n)', 'ShareLock'],
    ['create trigger g before insert on t for each row execute function suppress_redundant_updates_trigger()', null],
    ['lock table t in exclusive mode', 'ExclusiveLock'],
    ['alter table t add column b int', 'AccessExclusiveLock'],
    ["do $$ begin execute 'alter table t drop column n'; end $$", 'AccessExclusiveLock'],
  ] as const)('the lock of %s', async (pending, mode) => {
    const history = `${shop} alter table t add constraint c check (n > 0) not valid;`
    if (mode === null) return
    const [seen] = await statements(history, pending)
    expect(seen?.locks.find(({ relation }) => relation === 'public.t')).toEqual({
      relation: 'public.t',
      kind: 'table',
      mode,
    })
  })

  test.each([
    ['alter table t alter a type varchar(20)', []],
    ['alter table t add column b timestamptz not null default now()', []],
    [
      'create function f() returns int language sql immutable as $$ select 1 $$; alter table t add column b int default f()',
      [],
    ],
    ['alter table t add column b uuid default gen_random_uuid()', ['public.t', 'public.t_pkey']],
    ['alter table t alter n type bigint', ['public.t', 'public.t_pkey']],
    ["do $$ begin execute 'alter table t alter a type varchar(3)'; end $$", ['public.t', 'public.t_pkey']],
    ['cluster t using t_pkey', ['public.t', 'public.t_pkey']],
    ['reindex table t', ['public.t_pkey']],
    ['truncate t', []],
  ])('the rewrite of %s', async (pending, rewrites) => {
    const seen = (await statements(shop, pending)).at(-1)
    expect(seen?.rewrites).toEqual(rewrites)
    expect(seen?.truncates).toEqual(pending.startsWith('truncate') ? ['public.t'] : [])
  })

  test.each([
    ['alter table t alter n set not null', ['public.t']],
    ['alter table t add constraint c check (n > 0)', ['public.t']],
    ['alter table t add constraint c check (n > 0) not valid', []],
    ['alter table t add foreign key (n) references p', ['public.t']],
    ['create index on t (n)', ['public.t']],
    ['update t set n = 2 where id = 5', []],
    ['update t set n = 2', ['public.t']],
    ['truncate t', []],
  ])('the scan of %s', async (pending, scans) => {
    const [seen] = await statements(shop, pending)
    expect(seen?.scans).toEqual(scans)
  })

  test('what it made, altered and dropped, in a block as well', async () => {
    const [block] = await statements(
      `${shop} create view v as select id, n from t;`,
      `do $$ begin
        alter table t drop column n cascade;
        alter table t rename column a to b;
        create table u (id int primary key, note text default 'x');
        create index u_note on u (note);
        grant select on u to public;
        comment on table u is 'y';
        insert into u values (1, 'z');
      end $$`,
    )
    expect(block?.changes).toMatchInlineSnapshot(`
      [
        {
          "action": "alter",
          "kind": "column",
          "name": "public.t.a",
          "newName": "public.t.b",
          "of": "public.t",
        },
        {
          "action": "drop",
          "kind": "column",
          "name": "public.t.n",
          "of": "public.t",
        },
        {
          "action": "create",
          "kind": "column",
          "name": "public.u.id",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "column",
          "name": "public.u.note",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "comment",
          "name": "public.u",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "constraint",
          "name": "public.u.u_pkey",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "grant",
          "name": "public.u",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "index",
          "name": "public.u.u_note",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "index",
          "name": "public.u.u_pkey",
          "of": "public.u",
        },
        {
          "action": "create",
          "kind": "table",
          "name": "public.u",
          "of": null,
        },
        {
          "action": "drop",
          "kind": "view",
          "name": "public.v",
          "of": null,
        },
      ]
    `)
    expect(block?.rows).toMatchInlineSnapshot(`
      [
        {
          "deleted": 0,
          "inserted": 1,
          "table": "public.u",
          "updated": 0,
        },
      ]
    `)
  })
})

describe('a step that fails', () => {
  test('is told with its place, and the ones behind it are tried', async () => {
    const { steps, gaps } = await rehearse(
      shop,
      'alter table t add column b int;\nalter table missing add c int;',
      'select 1',
      'select b from t',
    )
    expect(steps[0]?.failure).toMatchObject({ statement: 1, sqlState: '42P01', line: 2 })
    expect(steps[0]?.after.tables.find(({ name }) => name === 't')?.columns.map(({ name }) => name)).toContain('b')
    expect(steps[1]?.failure).toBeNull()
    expect(steps[2]?.failure).toBeNull()
    expect(gaps).toEqual([expect.stringMatching(/^4 could not be rehearsed/)])
  })
})

describe('outside of transactions', () => {
  const parted = `${shop} create table m (k int) partition by range (k); create table m1 partition of m for values from (0) to (10);`
  test.each([
    ['create index concurrently on t (n)', [['public.t', 'ShareUpdateExclusiveLock']]],
    [
      'drop index concurrently t_n',
      [
        ['public.t', 'ShareUpdateExclusiveLock'],
        ['public.t_n', 'ShareUpdateExclusiveLock'],
      ],
    ],
    [
      'reindex index concurrently t_n',
      [
        ['public.t', 'ShareUpdateExclusiveLock'],
        ['public.t_n', 'ShareUpdateExclusiveLock'],
      ],
    ],
    ['vacuum t', [['public.t', 'ShareUpdateExclusiveLock']]],
    ['vacuum full t', [['public.t', 'AccessExclusiveLock']]],
    [
      'alter table m detach partition m1 concurrently',
      [
        ['public.m', 'ShareUpdateExclusiveLock'],
        ['public.m1', 'AccessExclusiveLock'],
      ],
    ],
  ])('%s is seen waiting with its locks', async (pending, locks) => {
    const [seen] = await statements(`${parted} create index t_n on t (n);`, pending)
    expect(seen).toMatchObject({ bare: true })
    expect(seen?.locks.map(({ relation, mode }) => [relation, mode])).toEqual(locks)
  })
})

test('a file that throws prepared statements away is watched all the same', async () => {
  const seen = await statements(
    shop,
    'prepare one as select 1; deallocate one; create table u (id int); deallocate all; set search_path = pg_catalog; alter table public.t add column b int;',
  )
  expect(seen.map(({ changes }) => changes.map(({ name }) => name))).toEqual([
    [],
    [],
    ['public.u.id', 'public.u'],
    [],
    [],
    ['public.t.b'],
  ])
})

test.each([
  [
    'alter table t drop column n',
    [
      ['drop', 'column', 'public.t.n'],
      ['drop', 'constraint', 'public.t.c'],
      ['drop', 'index', 'public.t.t_n'],
    ],
  ],
  ['alter table t alter n set default 1', [['alter', 'column', 'public.t.n']]],
  ['alter table t alter n drop not null', [['alter', 'column', 'public.t.n']]],
  ['alter table t drop constraint c', [['drop', 'constraint', 'public.t.c']]],
  ['drop publication p', [['drop', 'other', 'p']]],
  ["alter type mood rename value 'a' to 'b'", [['alter', 'enum value', 'public.mood.a']]],
  ["alter type mood add value 'z'", [['create', 'enum value', 'public.mood.z']]],
  ['alter table t rename to t2', [['alter', 'table', 'public.t']]],
  [
    'alter table t set schema other',
    [
      ['alter', 'constraint', 'public.t.c'],
      ['alter', 'index', 'public.t.t_n'],
      ['alter', 'table', 'public.t'],
    ],
  ],
  ['alter table t enable row level security', [['alter', 'table', 'public.t']]],
  ['create or replace view v as select id, n from t', [['alter', 'view', 'public.v']]],
  [
    'alter table t alter n type bigint',
    [
      ['alter', 'column', 'public.t.n'],
      ['alter', 'constraint', 'public.t.c'],
      ['alter', 'index', 'public.t.t_n'],
    ],
  ],
  [
    'drop schema other cascade',
    [
      ['drop', 'column', 'other.o.id'],
      ['drop', 'schema', 'other'],
      ['drop', 'table', 'other.o'],
    ],
  ],
  ['create index on t (id)', [['create', 'index', 'public.t.t_id_idx']]],
  ["update t set n = 3; comment on column t.n is 'x'", [['create', 'comment', 'public.t.n']]],
] as const)('%s changes what it says', async (pending, changes) => {
  const history = `create table t (id int, n int not null, constraint c check (n > 0)); create index t_n on t (n);
    create publication p; create type mood as enum ('a'); create schema other; create table other.o (id int); create view v as select id from t;`
  const before = pending.includes('type bigint') ? history.replace('create view v as select id from t;', '') : history
  const seen = (await statements(before, pending)).at(-1)
  expect(seen?.changes.map(({ action, kind, name }) => [action, kind, name])).toEqual(changes)
})

test('a foreign key locks both tables against writers, and an attached partition is read to prove its bounds', async () => {
  const history = `${shop} create table m (k int) partition by range (k); create table md partition of m default; create table m1 (k int);`
  const [reference, attached] = await statements(
    history,
    'alter table t add foreign key (n) references p;\nalter table m attach partition m1 for values from (0) to (10);',
  )
  const modesOf = (seen: RehearsedStatement | undefined) =>
    seen?.locks.filter(({ kind }) => kind === 'table').map(({ relation, mode }) => [relation, mode])
  expect(modesOf(reference)).toEqual([
    ['public.p', 'ShareRowExclusiveLock'],
    ['public.t', 'ShareRowExclusiveLock'],
  ])
  expect(modesOf(attached)).toEqual([
    ['public.m', 'ShareUpdateExclusiveLock'],
    ['public.m1', 'AccessExclusiveLock'],
    ['public.md', 'AccessExclusiveLock'],
  ])
  expect(attached?.scans).toEqual(['public.m1', 'public.md'])
})

test('an update by batches runs as it stands, and what a block may do with rows is said to be unseen', async () => {
  const { steps, gaps } = await rehearse(
    shop,
    '-- plinth: batch=10\nupdate t set n = n + 1 where n is not null;',
    'do $$ begin perform 1; end $$',
  )
  expect(steps[0]?.statements[0]).toMatchObject({ rows: [{ table: 'public.t', updated: 100 }], scans: ['public.t'] })
  expect(gaps).toEqual([expect.stringContaining('was not seen')])
})
