/** What a step leaves is told by reading again only what it touched, and that is what reading everything tells. */
import { expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { openRecorder } from '../../src/migrations/rehearse/recorder.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import { arrangeScript } from '../../src/migrations/rehearse/script.ts'
import { openParser } from '../../src/sql/parse.ts'
import { readStories } from '../support/corpus.ts'
import { emptyDatabase } from '../support/database.ts'

interface Step {
  readonly title: string
  readonly text: string
}

/** Each of them in a transaction of its own; answers how many were told by a part. */
async function tellSteps(before: string, steps: readonly Step[]): Promise<number> {
  const { url } = await emptyDatabase()
  return withSession(await engineOf(url), url, { applicationName: 'test' }, async session => {
    await session.script(before)
    let parts = 0
    for (const { title, text } of steps) {
      const recorder = await openRecorder(session)
      const schema = await session.introspect()
      await recorder.beginStep()
      await session.script('begin')
      await recorder.begin('in transaction')
      try {
        for (const statement of await statementsOf(text)) {
          await session.script(statement)
          await recorder.look()
        }
        const since = await recorder.since(schema)
        if (since) parts++
        if (since) expect(await session.introspect({ since }), title).toEqual(await session.introspect())
        await session.script('commit')
      } catch (thrown) {
        if (thrown instanceof Error && 'matcherResult' in thrown) throw thrown
        await session.script('rollback')
      }
      await session.script('reset all; reset role')
    }
    return parts
  })
}

async function statementsOf(text: string): Promise<string[]> {
  const { script } = arrangeScript({ version: '1', direction: 'up', file: null, text }, await openParser('postgres'))
  return script?.mode === 'transactional' ? script.statements.map(one => one.text) : []
}

test.each(readStories())('the story $name', async ({ before, steps }) => {
  await tellSteps(
    before,
    steps.map(({ version, text }) => ({ title: version, text })),
  )
})

const before = `
create schema other;
create type mood as enum ('calm', 'busy');
create domain short as text check (length(value) < 9);
create table parents (id bigint primary key, name text, mood mood default 'calm');
create table children (id bigint primary key, parent bigint references parents, note short, at timestamptz);
create index children_note_idx on children (note);
create index children_at_idx on children (at);
comment on index children_note_idx is 'found by it';
create view shown as select p.id, p.name, c.note from parents p join children c on c.parent = p.id;
create view counted as select count(*) as amount from shown;
create materialized view kept as select id, name from parents;
create sequence numbers;
create table parts (id bigint, at date) partition by range (at);
create table parts_first partition of parts for values from ('2026-01-01') to ('2026-02-01');
create table members (person text, parent bigint references parents);
create policy theirs on children using (exists (select from members m where m.parent = children.parent and m.person = current_user));
create function total() returns bigint language sql begin atomic select count(*) from parents; end;
create function touch() returns trigger language plpgsql as 'begin return new; end';
create trigger touched before update on children for each row execute function touch();
create type pair as (a int, b text);
create rule keep as on delete to members do instead nothing;
create statistics at_notes on note, at from children;
create index kept_id on kept (id);
create foreign data wrapper far;
create server there foreign data wrapper far;
create foreign table outside (id int) server there;
create view abroad as select id from outside;
create publication some_of_it for table parents;
alter table members replica identity full;
alter table parents alter column name set storage external;
`

test.each([
  [
    'a table, its index and its comment',
    'create table t (id serial primary key, a int check (a > 0)); create index on t (a); comment on table t is $$t$$',
  ],
  ['a column that a joined view sees', 'alter table children add column name text default $$x$$'],
  ['a column of a view that has a default', 'alter view shown alter column name set default $$none$$'],
  ['a column that goes', 'alter table children drop column at'],
  ['a default that goes', 'alter table parents alter column mood drop default'],
  ['what depends goes along', 'drop table parents cascade'],
  ['a foreign key that goes', 'alter table children drop constraint children_parent_fkey'],
  [
    'a policy, a trigger and an index that go',
    'drop policy theirs on children; drop trigger touched on children; drop index children_at_idx',
  ],
  ['a policy that changes', 'alter policy theirs on children using (true)'],
  [
    'a comment on an index, on a constraint and on a column',
    `comment on index children_note_idx is 'other'; comment on constraint children_parent_fkey on children is 'why'; comment on column parents.name is 'n'`,
  ],
  [
    'a view in place of another',
    'create or replace view shown as select p.id, p.name, c.note, c.at from parents p join children c on c.parent = p.id',
  ],
  [
    'a materialized view',
    'drop materialized view kept; create materialized view kept as select id from parents; create unique index on kept (id)',
  ],
  [
    'rights, of columns as well',
    'grant select on parents to public; grant update (name) on parents to public; grant select (id) on shown to public; grant usage on sequence numbers to public',
  ],
  ['a sequence and whose it is', 'alter sequence numbers increment 5 owned by children.id'],
  [
    'a partition that comes and one that goes',
    `create table parts_next partition of parts for values from ('2026-02-01') to ('2026-03-01'); alter table parts detach partition parts_first`,
  ],
  ['a key of all partitions', 'alter table parts add unique (id, at)'],
  [
    'a value of a type, a domain and a schema',
    `alter domain short drop constraint short_check; create type level as enum ('low'); create schema third; create table third.t (l level)`,
  ],
  [
    'a routine in place of another',
    `create or replace function touch() returns trigger language plpgsql as 'begin return null; end'; drop function total()`,
  ],
  [
    'row security and storage',
    'alter table children enable row level security; alter table children force row level security; alter table children set (fillfactor = 70)',
  ],
  [
    'how columns and tables are kept, and whether triggers fire',
    'alter table parents alter column name set storage main; alter table children alter column note set statistics 9; alter table children enable always trigger touched; alter table members replica identity default; alter table parents cluster on parents_pkey',
  ],
  [
    'a composite type',
    'create type more as (a int); alter type pair add attribute c int; alter type pair drop attribute b',
  ],
  ['a rule', 'create rule also as on insert to members do also notify members; drop rule keep on members'],
  ['rights on a type', 'revoke usage on type pair from public; grant usage on type mood to pg_monitor'],
  [
    'an index of a materialized view',
    'drop index kept_id; create index kept_name on kept (name); comment on index kept_name is $$n$$',
  ],
  [
    'a trigger of a view',
    'create trigger shown_touch instead of update on shown for each row execute function touch()',
  ],
  ['a column of a foreign table', 'alter foreign table outside add column b text; drop view abroad'],
  ['rows alone', `insert into parents values (1, 'one'); update parents set name = 'two'; delete from members`],
  ['a type of a column', 'alter table parts alter column id type int'],
  [
    'a table made and dropped, and one made in its place',
    'create table t (a int); drop table t; create table t (b text); drop materialized view kept; create table kept (person uuid)',
  ],
  [
    'names that need quotes',
    'create table "Odd.One" ("a b" int, "c.d" text); create index "x y" on "Odd.One" ("a b"); comment on index "x y" is $$q$$',
  ],
  [
    'a block of code',
    `do $$ begin execute 'alter table children add column b boolean'; execute 'create view v as select b from children'; end $$`,
  ],
  [
    'what a part took back',
    `savepoint s; alter table parents add column gone int; rollback to s; alter table parents add column here int`,
  ],
] as const)('%s', async (title, text) => {
  expect(await tellSteps(before, [{ title, text }])).toBe(1)
})

test.each([
  ['a column', 'alter table parents rename column name to title'],
  ['a column of a view', 'alter view shown rename column name to title'],
  ['a table', 'alter table parents rename to elders'],
  ['a type', 'alter type mood rename to temper'],
  ['a table that moves', 'alter table children set schema other'],
  ['a schema', 'alter schema other rename to another'],
  ['a routine', 'alter function touch() rename to handle'],
  ['an attribute', 'alter type pair rename attribute a to first'],
  ['a foreign table', 'alter foreign table outside rename to beyond'],
] as const)('another name of %s may stand anywhere', async (title, text) => {
  await tellSteps(before, [{ title, text }])
})

test.each([
  ['statistics', 'drop statistics at_notes; create statistics more on id, note from children'],
  ['a publication', 'alter publication some_of_it add table children; create publication more for all tables'],
  ['a server', `alter server there options (add host 'x'); create user mapping for public server there`],
  ['a cast', 'create cast (bigint as mood) with inout'],
  [
    'an operator',
    'create function alike(int, int) returns boolean language sql as $$select true$$; create operator ~~~ (function = alike, leftarg = int, rightarg = int)',
  ],
  [
    'an event trigger',
    `create function seen() returns event_trigger language plpgsql as 'begin end'; create event trigger watch on sql_drop execute function seen()`,
  ],
  [
    'what goes with a schema',
    'create schema aside; create text search configuration aside.words (parser = default); drop foreign data wrapper far cascade',
  ],
] as const)('whatever else changes is told as well: %s', async (title, text) => {
  await tellSteps(before, [{ title, text }])
})

test('of a step that failed nothing is there behind the next one', async () => {
  const { url } = await emptyDatabase()
  const texts = [
    'create table one (id int primary key);',
    'create table two (id int); alter table one add column more int; select 1 / 0;',
    'create table three (id int); alter table one add column other int;',
  ]
  const pending = texts.map((text, at) => ({ version: `${at}`, direction: 'up' as const, file: null, text }))
  const { steps } = await rehearseScripts({ engine: await engineOf(url), url, kept: 0 }, { history: [], pending })
  const seen = steps.map(({ after }) =>
    after.tables.map(({ name, columns }) => [name, ...columns.map(one => one.name)]),
  )
  expect(seen).toEqual([
    [['one', 'id']],
    [
      ['one', 'id', 'more'],
      ['two', 'id'],
    ],
    [
      ['one', 'id', 'other'],
      ['three', 'id'],
    ],
  ])
})
