/** What stops: a loss that nobody accepted, a policy, missing rights, too little room, an archive that was let go. */
import { expect, test } from 'vitest'
import { planTrack } from '../../src/migrations/track.ts'
import { eraseTenant, listArchives, purgeArchives, restoreArchive } from '../../src/migrations/preserve/shelf.ts'
import { asUser, withClient } from '../support/database.ts'
import { story } from './preserve-story.ts'
import { failureOf, folderOf, openSession, someone } from './support.ts'

const keyed = 'create table t (id int primary key, v text)'
const undone = 'select 1;'
const accept = { preserve: { acceptLoss: 'all' as const } }

test('a plan says how much each migration can lose, and why', async () => {
  const { session } = await story({})
  const folder = await folderOf({
    '1_made': [`${keyed};`, 'drop table t;'],
    '2_filled': ['create table u (id int); insert into u values (1); update u set id = 2;', 'drop table u;'],
    '3_changed': ["update t set v = 'x';", undone],
    '4_column': ['alter table t add column c int;', 'alter table t drop column c;'],
    '5_object': ['select lo_unlink(1);', undone],
    '6_database': ['create table w (id int);', 'drop table w; drop database elsewhere;'],
    '7_code': ['do $$ begin null; end $$;', undone],
  })
  const { steps } = await planTrack(session, { ...someone, folder, direction: 'up' })
  expect(steps.map(step => [step.version, step.lossClass])).toEqual([
    ['1', 'lossless'],
    ['2', 'lossless'],
    ['3', 'lossless-with-policy'],
    ['4', 'lossless-with-policy'],
    ['5', 'irreversible'],
    ['6', 'irreversible'],
    ['7', 'lossless'],
  ])
  expect(steps[2]?.losses).toEqual([
    'Line 1: rows of t are changed, and rows written before the way back follow the policy.',
  ])
})

test('an irreversible step is refused in both directions until its loss is accepted by version', async () => {
  const { up, down, rows, sql } = await story({
    '1_base': [`${keyed};`, undone],
    '2_object': ["update t set v = 'done'; select lo_unlink(4711);", "update t set v = 'undone';"],
  })
  await up('1')
  await sql("insert into t values (1, 'before'); select lo_create(4711)")
  const refused = await failureOf(up('2'))
  expect(refused).toMatchObject({ code: 'LOSS_NOT_ACCEPTED', details: { version: '2', lossClass: 'irreversible' } })
  expect(refused.message).toContain('lo_unlink')
  expect(await rows('select v from t')).toEqual([{ v: 'before' }])
  expect(await failureOf(up('2', { preserve: { acceptLoss: ['1'] } }))).toMatchObject({ code: 'LOSS_NOT_ACCEPTED' })
  const done = await up('2', { preserve: { acceptLoss: ['2'] } })
  expect(done.done[0]?.lossClass).toBe('irreversible')
  expect(await failureOf(down())).toMatchObject({ code: 'LOSS_NOT_ACCEPTED' })
  await down(accept)
  expect(await rows('select v from t')).toEqual([{ v: 'before' }])
  expect(await rows('select loss_class from plinth.migration_attempts order by attempt_number')).toEqual([
    { loss_class: 'lossless' },
    { loss_class: 'irreversible' },
    { loss_class: 'irreversible' },
  ])
})

test('an update that nobody could undo stops the step, also when code does it', async () => {
  const { up, rows, sql } = await story({
    '1_base': ['create table bare (v int);', undone],
    '2_code': ["do $$ begin execute 'update bare set v = v + 1'; end $$;", undone],
  })
  await up('1')
  await sql('insert into bare values (1), (1)')
  expect((await failureOf(up('2'))).message).toContain('has no key')
  expect(await rows('select v from bare')).toEqual([{ v: 1 }, { v: 1 }])
  expect(await rows("select from pg_trigger where tgname like 'plinth%'")).toEqual([])
  const report = await up('2', accept)
  expect(report.done[0]).toMatchObject({
    lossClass: 'unproven',
    preserved: { losses: [expect.stringContaining('no key')] },
  })
})

test('with the policy "fail" rows written in between stop the way back, by key, before anything is changed', async () => {
  const head = '-- plinth: policy=fail\n'
  const { up, down, rows, sql } = await story({
    '1_base': [`${keyed};`, undone],
    '2_drop': ['alter table t drop column v;', `${head}alter table t add column v text;`],
    '3_shout': ['update t set id = id;', undone],
  })
  await up('1')
  await sql("insert into t values (1, 'a')")
  await up('2')
  await sql('insert into t values (2)')
  const refused = await failureOf(down())
  expect(refused).toMatchObject({ code: 'RESTORE_REFUSED', details: { keys: ['(2)'] } })
  expect(
    await rows(
      "select attname::text from pg_attribute where attrelid = 't'::regclass and attnum > 0 and not attisdropped",
    ),
  ).toEqual([{ attname: 'id' }])
  await sql('delete from t where id = 2')
  await down()
  expect(await rows('select * from t')).toEqual([{ id: 1, v: 'a' }])
})

test('with the policy "default" archived values win over what was written in between', async () => {
  const { up, down, rows, sql } = await story({
    '1_base': [`${keyed};`, undone],
    '2_shout': ['update t set v = upper(v);', `-- plinth: policy=default\nselect 1;`],
  })
  await up('1')
  await sql("insert into t values (1, 'a'), (2, 'b')")
  await up('2')
  await sql("update t set v = 'mine' where id = 1")
  await down()
  expect(await rows('select * from t order by id')).toEqual([
    { id: 1, v: 'a' },
    { id: 2, v: 'b' },
  ])
})

test('rows whose reference is gone stay in the archive, are named, and can be brought back later', async () => {
  const { session, up, down, rows, sql } = await story({
    '1_parent': ['create table p (id int primary key);', undone],
    '2_child': ['create table c (id int primary key, p_id int references p);', 'drop table c;'],
  })
  await up()
  await sql('insert into p values (1), (2); insert into c values (10, 1), (20, 2)')
  await down()
  await sql('delete from p where id = 2')
  const again = await up()
  expect(again.done[0]?.preserved?.restored).toMatchObject([{ restored: 1, orphaned: 1, keys: { orphaned: ['(20)'] } }])
  expect(await rows('select id from c')).toEqual([{ id: 10 }])
  const [left] = await listArchives(session)
  expect(left).toMatchObject({ status: 'leftover', version: '2', direction: 'down' })
  await sql('insert into p values (2)')
  const now = () => '2026-11-23T00:00:00Z'
  expect(await restoreArchive(session, left?.id.slice(0, 8) ?? '', { actor: 'tester', now })).toMatchObject([
    { restored: 1 },
  ])
  expect(await rows('select id from c order by id')).toEqual([{ id: 10 }, { id: 20 }])
})

test('purging leaves what a step still needs, unless its version is named; then the way back is refused', async () => {
  const { session, up, down, sql, copies } = await story({
    '1_base': [`${keyed};`, undone],
    '2_drop': ['drop table t;', `${keyed};`],
  })
  await up('1')
  await sql("insert into t values (1, 'a')")
  await up('2')
  const purge = { olderThanDays: 0, actor: 'tester', now: () => Date.now() + 1000 }
  expect(await purgeArchives(session, purge)).toMatchObject({ purged: [], needed: [{ version: '2' }] })
  const [archive] = await listArchives(session)
  expect(await failureOf(purgeArchives(session, { ...purge, ids: [archive?.id ?? ''] }))).toMatchObject({
    code: 'ARCHIVE_NEEDED',
  })
  expect(await purgeArchives(session, { ...purge, version: '2' })).toMatchObject({
    purged: [{ version: '2' }],
    needed: [],
  })
  expect(await copies()).toBe(0)
  expect(await failureOf(down())).toMatchObject({ code: 'LOSS_NOT_ACCEPTED' })
  await down(accept)
})

test('one tenant is erased from every copy, whether it was moved, copied or captured', async () => {
  const { session, up, sql } = await story({
    '1_base': [
      `create table orgs (id int primary key, name text);
create table a (organization_id int references orgs, id int, v text, primary key (organization_id, id));
create table b (id int primary key, organization_id int, v text);
create table c (id int primary key, organization_id int, v text);
create table d (id int primary key);`,
      undone,
    ],
    '2_go': ['alter table b drop column v; delete from c; drop table d; drop table a; drop table orgs;', undone],
  })
  await up('1')
  await sql(`insert into orgs values (1, 'one'), (2, 'two'); insert into a values (1, 1, 'x'), (2, 1, 'y');
insert into b values (1, 1, 'x'), (2, 2, 'y'); insert into c select * from b; insert into d values (1)`)
  await up('2')
  const erased = await eraseTenant(session, '1')
  expect(
    erased.tables.map(({ source, rows }) => [source, rows] as const).toSorted(([a], [b]) => a.localeCompare(b)),
  ).toEqual([
    ['public.a', 1],
    ['public.b', 1],
    ['public.c', 1],
  ])
  expect(erased.untold.map(one => one.source).sort()).toEqual(['public.d', 'public.orgs'])
})

test('a role that owns its tables keeps and restores them behind forced row security, and shows the copies to nobody', async () => {
  const { url, rows, sql } = await story({})
  const name = new URL(url).pathname.slice(1)
  const owner = `owner_${name}`
  const reader = `reader_${name}`
  await sql(
    `create role ${owner} login; create role ${reader} login; grant create on database ${name} to ${owner}; grant all on schema public to ${owner}`,
  )
  try {
    const folder = await folderOf({
      '1_base': [
        `create table t (id int primary key, organization_id int, v text);
alter table t enable row level security; alter table t force row level security;
create policy own on t using (organization_id = current_setting('app.org', true)::int);
create table u (like t including all);
alter table u enable row level security; alter table u force row level security;
grant select on t, u to ${reader};`,
        undone,
      ],
      '2_go': [
        'drop table t; alter table u drop column v; truncate u;',
        `create table t (id int primary key, organization_id int, v text);
alter table t enable row level security; alter table t force row level security;
create policy own on t using (organization_id = current_setting('app.org', true)::int);
alter table u add column v text;`,
      ],
    })
    const session = await openSession(asUser(url, owner))
    const { applyTrack, rollbackTrack } = await import('../../src/migrations/track.ts')
    const run = { ...someone, folder }
    const one = { kind: 'version', version: '1' } as const
    expect((await applyTrack(session, { ...run, target: one })).error).toBeNull()
    await sql("insert into t select g, g % 3, 'v' || g from generate_series(1, 30) g; insert into u select * from t")
    const before = await rows(
      'select (select array_agg(t order by id)::text from t) t, (select array_agg((id, organization_id, v) order by id)::text from u) u',
    )
    expect((await applyTrack(session, run)).error).toBeNull()
    const copies = await rows(
      "select c.relname, c.relforcerowsecurity as forced, has_table_privilege('" +
        reader +
        "', c.oid, 'select') as readable from pg_class c where relnamespace = 'plinth_archive'::regnamespace and relkind = 'r'",
    )
    expect(copies).toHaveLength(3)
    expect(copies).toEqual(copies.map(() => expect.objectContaining({ forced: true, readable: false })))
    await withClient(asUser(url, reader), async client => {
      await expect(client.query('select from plinth_archive.x')).rejects.toMatchObject({ code: '42501' })
    })
    expect((await rollbackTrack(session, { ...run, target: { kind: 'steps', count: 1 } })).error).toBeNull()
    expect(
      await rows(
        'select (select array_agg(t order by id)::text from t) t, (select array_agg((id, organization_id, v) order by id)::text from u) u',
      ),
    ).toEqual(before)
    expect(
      await rows(
        "select relname::text, relforcerowsecurity as forced from pg_class where relname in ('t', 'u') and relkind = 'r' order by 1",
      ),
    ).toEqual([
      { relname: 't', forced: true },
      { relname: 'u', forced: true },
    ])
    await session.close()
  } finally {
    await sql(`drop owned by ${owner}, ${reader} cascade; drop role ${owner}, ${reader}`)
  }
})

test('a role that may not make the archive schema, and an archive that is too big, stop before anything is changed', async () => {
  const { url, up, sql, rows } = await story({
    '1_base': [`${keyed};`, undone],
    '2_drop': ['alter table t drop column v;', 'alter table t add column v text;'],
  })
  await up('1')
  await sql("insert into t select g, repeat('x', 500) from generate_series(1, 1000) g")
  expect(await failureOf(up('2', { preserve: { archiveBytesMax: 1000 } }))).toMatchObject({ code: 'ARCHIVE_REFUSED' })
  const name = `plain_${new URL(url).pathname.slice(1)}`
  await sql(
    `create role ${name} login; grant all on schema plinth, public to ${name}; grant all on all tables in schema plinth to ${name}; alter table t owner to ${name}`,
  )
  try {
    const session = await openSession(asUser(url, name))
    const folder = await folderOf({
      '1_base': [`${keyed};`, undone],
      '2_drop': ['alter table t drop column v;', 'alter table t add column v text;'],
    })
    const { applyTrack } = await import('../../src/migrations/track.ts')
    const { error } = await applyTrack(session, { ...someone, folder })
    expect(error).toMatchObject({ code: 'ARCHIVE_REFUSED', hint: expect.stringContaining('CREATE') })
    await session.close()
  } finally {
    await sql(`drop owned by ${name} cascade; drop role ${name}`)
  }
  expect(await rows("select from pg_namespace where nspname = 'plinth_archive'")).toEqual([])
})

test('a failed step leaves no copy, no trigger and no archive behind', async () => {
  const { up, rows, sql, copies } = await story({
    '1_base': [`${keyed};`, undone],
    '2_fails': ['drop table t; select 1 / 0;', undone],
  })
  await up('1')
  await sql("insert into t values (1, 'a')")
  expect(await failureOf(up('2'))).toMatchObject({ code: 'SQL_FAILED' })
  expect(await copies()).toBe(0)
  expect(await rows('select * from t')).toEqual([{ id: 1, v: 'a' }])
  expect(await rows('select from plinth.archives')).toEqual([])
})

test('a drop that others depend on fails as it would by itself, with its place', async () => {
  const { up, rows, sql } = await story({
    '1_base': [`${keyed}; create view seen as select * from t;`, undone],
    '2_drop': ['select 1;\ndrop table t;', undone],
  })
  await up('1')
  await sql("insert into t values (1, 'a')")
  expect(await failureOf(up('2'))).toMatchObject({ sqlState: '2BP01', at: { line: 2 } })
  expect(await rows('select * from seen')).toEqual([{ id: 1, v: 'a' }])
})
