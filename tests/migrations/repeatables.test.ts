/** Repeatables: behind the versions, again when they changed and never otherwise, visible everywhere and in nobody's way. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/engines/engine.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { readAttempts, readHistory } from '../../src/migrations/history.ts'
import { scriptsOfPlan } from '../../src/migrations/rehearse/of-plan.ts'
import { readStatus } from '../../src/migrations/status.ts'
import { applyTrack, dryRunTrack, planTrack, readPlan, redoTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { verifyTrack } from '../../src/migrations/verify.ts'
import { emptyDatabase } from '../support/database.ts'
import { duckDatabase, failureOf, type Files, folderOf, openSession, someone, writeFiles } from './support.ts'

const tables = {
  '1_people': ['create table people (id int primary key, name text);', 'drop table people;'],
  '2_nick': ['alter table people add column nick text;', 'alter table people drop column nick;'],
} as const

const named = 'create or replace view everyone as select id, name from people;'
const nicked =
  'drop view if exists everyone;\ncreate view everyone as select id, coalesce(nick, name) as name from people;'

interface Place {
  readonly session: Session
  readonly folder: string
}

async function begin(files: Files, database = async () => (await emptyDatabase()).url): Promise<Place> {
  return { session: await openSession(await database()), folder: await folderOf(files) }
}

const apply = ({ session, folder }: Place) => applyTrack(session, { ...someone, folder })
const plan = ({ session, folder }: Place) => planTrack(session, { ...someone, folder, direction: 'up' })
const versionsOf = (steps: readonly { readonly version: string }[]) => steps.map(({ version }) => version)

async function statesOf({ session, folder }: Place): Promise<string[]> {
  const { versions } = await readStatus(session, { ...someone, folder })
  return versions.map(({ version, state }) => `${version} ${state}`)
}

async function namesOf({ session }: Place, view = 'everyone'): Promise<readonly unknown[]> {
  const { rows } = await session.query<{ name: string }>(`select name from ${view} order by id`)
  return rows.map(({ name }) => name)
}

async function fill({ session }: Place): Promise<void> {
  await session.script("insert into people values (1, 'Ada', 'Countess')")
}

describe.each([
  { name: 'PostgreSQL', database: async () => (await emptyDatabase()).url },
  { name: 'DuckDB', database: duckDatabase },
])('$name: repeatables', ({ database }) => {
  test('run behind the versions in the order of their names, once, and again when they changed', async () => {
    const place = await begin(
      {
        ...tables,
        // It stands on the other one, whose name comes first: an underline is a space.
        'R__everyone2.sql': 'create or replace view loud as select id, upper(name) as name from everyone;',
        'R__everyone.sql': named,
      },
      database,
    )
    expect(versionsOf((await plan(place)).steps)).toEqual(['1', '2', 'R__everyone', 'R__everyone2'])
    const first = await apply(place)
    expect(first).toMatchObject({ status: 'succeeded', from: null, current: '2' })
    expect(versionsOf(first.done)).toEqual(['1', '2', 'R__everyone', 'R__everyone2'])
    await fill(place)
    expect(await namesOf(place, 'loud')).toEqual(['ADA'])
    expect(await apply(place)).toMatchObject({ status: 'nothing-to-do', current: '2', notices: [] })
    expect(await statesOf(place)).toEqual(['1 applied', '2 applied', 'R__everyone applied', 'R__everyone2 applied'])

    const shouting = 'create or replace view loud as select id, upper(name) || chr(33) as name from everyone;'
    await writeFiles(place.folder, { 'R__everyone2.sql': shouting })
    expect(await statesOf(place)).toContain('R__everyone2 pending')
    expect(await plan(place)).toMatchObject({ from: '2', to: '2', steps: [{ version: 'R__everyone2' }] })
    expect(await apply(place)).toMatchObject({ status: 'succeeded', current: '2', done: [{ version: 'R__everyone2' }] })
    expect(await namesOf(place, 'loud')).toEqual(['ADA!'])
    // Another spelling of the ends of lines is no other text.
    await writeFiles(place.folder, { 'R__everyone.sql': named.replaceAll('\n', '\r\n') })
    expect(await apply(place)).toMatchObject({ status: 'nothing-to-do' })
  })

  test('one that fails leaves nothing, is told, and is tried again unasked', async () => {
    const place = await begin(
      { ...tables, 'R__everyone.sql': 'create or replace view everyone as select gone from people;' },
      database,
    )
    const failed = await apply(place)
    expect(failed).toMatchObject({ status: 'failed', current: '2', failed: { version: 'R__everyone', line: 1 } })
    expect(failed.failed?.file).toBe(join(place.folder, 'R__everyone.sql'))
    expect(await statesOf(place)).toEqual(['1 applied', '2 applied', 'R__everyone failed'])
    expect((await apply(place)).error?.code).toBe(failed.error?.code)
    await place.session.script('alter table people add column gone text')
    expect(await apply(place)).toMatchObject({ status: 'succeeded', done: [{ version: 'R__everyone' }] })
    expect(await statesOf(place)).toContain('R__everyone applied')
  })

  test('waits while versions stay pending', async () => {
    const place = await begin({ ...tables, 'R__everyone.sql': named }, database)
    const part = await applyTrack(place.session, {
      ...someone,
      folder: place.folder,
      target: { kind: 'version', version: '1' },
    })
    expect(versionsOf(part.done)).toEqual(['1'])
    expect(part.notices).toEqual(['R__everyone waits: versions stay pending.'])
    expect(versionsOf((await apply(place)).done)).toEqual(['2', 'R__everyone'])
  })
})

test('an older release beside a newer one leaves the repeatables of the newer one', async () => {
  const place = await begin({ ...tables, 'R__everyone.sql': nicked })
  await apply(place)
  const older = { ...place, folder: await folderOf({ '1_people': tables['1_people'], 'R__everyone.sql': named }) }
  const report = await apply(older)
  expect(report).toMatchObject({ status: 'nothing-to-do', current: '2' })
  expect(report.notices.join(' ')).toContain('R__everyone waits: the database is ahead of the folder.')
})

test('one that asks for it runs behind every apply, and is not pending', async () => {
  const place = await begin({
    ...tables,
    '3_log': ['create table log (id int generated always as identity);', 'drop table log;'],
    'R__log.sql': '-- plinth: repeat=always\ninsert into log default values;',
  })
  await apply(place)
  expect(await apply(place)).toMatchObject({ status: 'succeeded', done: [{ version: 'R__log' }] })
  expect(await statesOf(place)).toContain('R__log applied')
  expect((await place.session.query('select from log')).rowCount).toBe(2)
})

test('a version that asks to be repeated is refused with the name that it would need', async () => {
  const place = await begin({ '1_a': ['-- plinth: repeat=always\nselect 1;', ''] })
  expect(await failureOf(plan(place))).toMatchObject({
    code: 'DIRECTIVE_INVALID',
    at: { line: 1 },
    hint: expect.stringContaining('R__a.sql'),
  })
})

test('no version is disturbed: not the newest, not what apply, rollback, redo and the history say of it', async () => {
  const place = await begin({ ...tables, 'R__answer.sql': 'create or replace view answer as select 42 as n;' })
  await apply(place)
  expect(await readHistory(place.session, someone.track)).toMatchObject([{ version: '1' }, { version: '2' }])
  expect((await readStatus(place.session, { ...someone, folder: place.folder })).current).toBe('2')
  const [down, up] = await redoTrack(place.session, { ...someone, folder: place.folder })
  expect([versionsOf(down?.done ?? []), versionsOf(up?.done ?? [])]).toEqual([['2'], ['2']])
  const back = await rollbackTrack(place.session, {
    ...someone,
    folder: place.folder,
    target: { kind: 'steps', count: 1 },
  })
  expect(back).toMatchObject({ status: 'succeeded', current: '1', done: [{ version: '2' }] })
  expect(await statesOf(place)).toEqual(['1 applied', '2 pending', 'R__answer applied'])
})

test('has the care of a step: its transaction, checks, limits, and what it destroys is kept', async () => {
  const place = await begin({
    '1_list': [
      "create table list (id int primary key, name text);\ninsert into list values (1, 'a'), (2, 'b');",
      'drop table list;',
    ],
    'R__list.sql': '-- plinth: lock-timeout=2s\ndelete from list where id = 2;',
    'R__list.checks.sql': '-- check: nobody_is_called_c before\nselect from list where name = $$c$$;',
  })
  expect((await plan(place)).steps[1]).toMatchObject({
    directives: { lockTimeoutMs: 2000 },
    checks: [{ name: 'nobody_is_called_c' }],
    lossClass: 'lossless-with-policy',
    mode: 'transactional',
  })
  const report = await apply(place)
  expect(report.done[1]).toMatchObject({ version: 'R__list', rows: 1, checks: [{ name: 'nobody_is_called_c' }] })
  expect(report.done[1]?.preserved?.archiveId).not.toBeNull()
  await place.session.script("update list set name = 'c'")
  await writeFiles(place.folder, { 'R__list.sql': 'delete from list;' })
  expect(await apply(place)).toMatchObject({ status: 'failed', error: { code: 'CHECK_FAILED' } })
  expect((await place.session.query('select from list')).rowCount).toBe(1)
})

test('a dry run and a rehearsal have it, behind what stands', async () => {
  const place = await begin({ ...tables, 'R__everyone.sql': named })
  await apply(place)
  await writeFiles(place.folder, {
    '3_loud': ['create view loud as select upper(name) as name from everyone;', 'drop view loud;'],
    'R__everyone.sql': `${named}\n-- edited`,
  })
  const tried = await dryRunTrack(place.session, { ...someone, folder: place.folder, direction: 'up' })
  expect(tried).toMatchObject({
    status: 'passed',
    steps: [{ version: '3' }, { version: 'R__everyone', status: 'passed' }],
  })
  const scripts = await scriptsOfPlan(
    place.session,
    await readPlan(place.session, { ...someone, folder: place.folder, direction: 'up' }),
  )
  expect(versionsOf(scripts.history)).toEqual(['1', '2', 'R__everyone'])
  expect(scripts.history[2]?.text).toBe(named)
  expect(versionsOf(scripts.pending)).toEqual(['3', 'R__everyone'])
})

test('drift knows what stands, and finds what somebody else put in its place', async () => {
  const place = await begin({ ...tables, 'R__everyone.sql': named })
  await apply(place)
  const drift = async () => {
    const { url: scratchUrl } = await emptyDatabase()
    const scratch = { engine: await engineOf(scratchUrl), url: scratchUrl }
    return findDrift(place.session, { ...someone, folder: place.folder, scratch })
  }
  expect((await drift()).differences).toEqual([])
  // Pending is no drift: the database has what ran.
  await writeFiles(place.folder, { 'R__everyone.sql': nicked })
  expect((await drift()).differences).toEqual([])
  await place.session.script('create or replace view everyone as select id, upper(name) as name from people')
  expect((await drift()).differences).toMatchObject([{ change: 'changed', object: 'view public.everyone' }])
})

describe('the way back', () => {
  const rollback = ({ session, folder }: Place, target: Parameters<typeof rollbackTrack>[1]['target']) =>
    rollbackTrack(session, { ...someone, folder, target })

  test('a version is not taken back under a repeatable that stands on it; by name it goes back first', async () => {
    const place = await begin({ ...tables, 'R__everyone.sql': `drop view if exists everyone;\n${named}` })
    await apply(place)
    await fill(place)
    await writeFiles(place.folder, { 'R__everyone.sql': nicked })
    await apply(place)
    expect(await namesOf(place)).toEqual(['Countess'])
    const refused = await failureOf(rollback(place, { kind: 'steps', count: 1 }))
    expect(refused).toMatchObject({
      code: 'ROLLBACK_BLOCKED',
      message: expect.stringContaining('R__everyone (view everyone)'),
      hint: expect.stringContaining('plinth rollback --repeatable R__everyone'),
    })
    const back = await rollback(place, { kind: 'repeatable', name: 'everyone' })
    expect(back).toMatchObject({
      status: 'succeeded',
      current: '2',
      done: [{ version: 'R__everyone', direction: 'down' }],
    })
    expect(await namesOf(place)).toEqual(['Ada'])
    expect(await statesOf(place)).toContain('R__everyone pending')
    expect(await rollback(place, { kind: 'steps', count: 1 })).toMatchObject({ status: 'succeeded', current: '1' })
    expect(versionsOf((await apply(place)).done)).toEqual(['2', 'R__everyone'])
    expect(await namesOf(place)).toEqual(['Countess'])
  })

  test('goes on to nothing, and never forward again', async () => {
    const place = await begin({ ...tables, 'R__everyone.sql': named })
    for (const text of [named, `${named}\n-- second`, `${named}\n-- third`]) {
      await writeFiles(place.folder, { 'R__everyone.sql': text })
      await apply(place)
    }
    const standing = async () => {
      const [last] = await readAttempts(place.session, someone.track, { limit: 1 })
      return last?.status
    }
    for (const _ of [1, 2]) await rollback(place, { kind: 'repeatable', name: 'R__everyone' })
    await fill(place)
    expect([await standing(), await namesOf(place)]).toEqual(['rolled_back', ['Ada']])
    await rollback(place, { kind: 'repeatable', name: 'R__everyone' })
    expect((await failureOf(namesOf(place))).sqlState).toBe('42P01')
    expect(await failureOf(rollback(place, { kind: 'repeatable', name: 'R__everyone' }))).toMatchObject({
      code: 'VERSION_UNKNOWN',
    })
    expect(versionsOf((await apply(place)).done)).toEqual(['R__everyone'])
  })

  test('everything takes them with it, those first that came last', async () => {
    const place = await begin({
      ...tables,
      'R__a.sql': named,
      'R__b.sql': `create or replace function greet(who people, loud boolean default false) returns text language sql as $$ select 'Hello ' || who.name $$;
        create or replace procedure nothing(inout n int[]) language plpgsql as $$ begin n := '{}'; end $$;
        create or replace function touch() returns trigger language plpgsql as $$ begin return new; end $$;
        create or replace trigger touched before update on people for each row execute function touch();
        create materialized view if not exists counted as select count(*) from everyone;
        create index if not exists counted_index on counted (count);
        grant select on people to current_user;`,
    })
    await apply(place)
    const report = await rollback(place, { kind: 'version', version: '0' })
    expect(report).toMatchObject({ status: 'succeeded', current: null })
    expect(versionsOf(report.done)).toEqual(['R__b', 'R__a', '2', '1'])
    expect(report.notices).toEqual(['Of R__b only what it made is dropped; what else it wrote or changed stays.'])
    const { rows } = await place.session.query(
      "select proname from pg_proc where pronamespace = 'public'::regnamespace union all select relname from pg_class where relnamespace = 'public'::regnamespace",
    )
    expect(rows).toEqual([])
    expect(versionsOf((await apply(place)).done)).toEqual(['1', '2', 'R__a', 'R__b'])
  })

  test('a run takes back what it changed: version and repeatable together', async () => {
    const place = await begin({
      '1_people': tables['1_people'],
      'R__everyone.sql': `drop view if exists everyone;\n${named}`,
    })
    await apply(place)
    await place.session.script("insert into people values (1, 'Ada')")
    await writeFiles(place.folder, { '2_nick': tables['2_nick'], 'R__everyone.sql': nicked })
    await apply(place)
    const report = await rollback(place, { kind: 'run', runId: 'last' })
    expect(report).toMatchObject({ status: 'succeeded', current: '1' })
    expect(versionsOf(report.done)).toEqual(['R__everyone', '2'])
    expect(await namesOf(place)).toEqual(['Ada'])
  })

  test('what a function calls is known by name', async () => {
    const place = await begin({
      ...tables,
      'R__nicks.sql':
        'create or replace function nicks() returns bigint language plpgsql as $$ begin return (select count(nick) from people); end $$;',
      'R__names.sql':
        'create or replace function names() returns bigint language plpgsql as $$ begin return (select count(name) from people); end $$;',
    })
    await apply(place)
    const refused = await failureOf(rollback(place, { kind: 'steps', count: 1 }))
    expect(refused.message).toContain('R__nicks (people.nick)')
    expect(refused.message).not.toContain('R__names')
  })
})

describe('verify', () => {
  const verify = async (files: Files) => {
    const { url } = await emptyDatabase()
    return verifyTrack({
      engine: await engineOf(url),
      url,
      track: 'operational',
      folder: await folderOf(files),
      actor: 'tester',
    })
  }

  test('proves that each runs over itself', async () => {
    expect(await verify({ ...tables, 'R__everyone.sql': nicked })).toMatchObject({
      status: 'passed',
      repeatables: [{ version: 'R__everyone', firstMs: expect.any(Number), againMs: expect.any(Number) }],
    })
  })

  test.each([
    [
      'one that fails the second time',
      'create view everyone as select id from people;',
      'R__x cannot run a second time',
    ],
    [
      'one that makes more each time',
      'alter table people add check (id > 0);',
      'Repeatables that run again make something else',
    ],
  ])('%s is told', async (_name, text, message) => {
    const report = await verify({ ...tables, 'R__x.sql': text })
    expect(report).toMatchObject({ status: 'failed', error: { code: 'VERIFY_FAILED' } })
    expect(report.error?.message).toContain(message)
  })
})

test('one that stopped half-way goes on where it stopped, and begins anew once it was edited', async () => {
  const text = (tail: string) => `create index concurrently if not exists by_name on people (name);\n${tail}`
  const place = await begin({ ...tables, 'R__indexes.sql': text('select 1 / 0;') })
  expect(await apply(place)).toMatchObject({ status: 'failed', failed: { version: 'R__indexes', line: 2 } })
  expect(await apply(place)).toMatchObject({ status: 'failed', failed: { line: 2 } })
  await writeFiles(place.folder, { 'R__indexes.sql': text('select 1;').replaceAll('by_name', 'by_both') })
  expect(await apply(place)).toMatchObject({
    status: 'succeeded',
    done: [{ version: 'R__indexes', mode: 'statement-wise' }],
  })
  expect(await statesOf(place)).toContain('R__indexes applied')
})
