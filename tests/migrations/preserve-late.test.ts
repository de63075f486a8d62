/** Rows whose place comes with a later step than their table. */
import { beforeAll, expect, test } from 'vitest'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { listArchives } from '../../src/migrations/preserve/shelf.ts'
import { emptyDatabase } from '../support/database.ts'
import { applyInChild, ensureBuilt } from './child.ts'
import { folderOf, openSession, someone } from './support.ts'

beforeAll(ensureBuilt)

const all = { kind: 'version', version: '0' } as const
const ask = { preserve: { acceptLoss: 'all' as const } }

const levels = {
  '1_levels': [
    `create type level as enum ('low', 'high');
    create table alarms (id int primary key, level level not null);
    create table notes (alarm int not null references alarms, text text not null);`,
    'drop table notes;\ndrop table alarms;\ndrop type level;',
  ],
  '2_owner': ['create table owners (id int primary key);', 'drop table owners;'],
  '3_severe': ["alter type level add value 'severe';", '-- A value of an enum cannot be taken away.'],
  '4_note_of': ['alter table alarms add column owner int;', 'alter table alarms drop column owner;'],
} as const

async function filled() {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const folder = await folderOf(levels)
  await applyTrack(session, { ...someone, folder })
  await session.script(`insert into alarms values (1, 'low', 10), (2, 'severe', 20);
    insert into notes values (1, 'a'), (2, 'b'), (2, 'b')`)
  return { url, session, folder }
}

test('a value that an enum gets later brings its rows back, and those that refer to them', async () => {
  const { session, folder } = await filled()
  const rows = async () => [
    (await session.query('select * from alarms order by id')).rows,
    (await session.query('select * from notes order by text')).rows,
  ]
  const before = await rows()
  await rollbackTrack(session, { ...someone, ...ask, folder, target: all })
  const report = await applyTrack(session, { ...someone, ...ask, folder })
  expect(await rows()).toEqual(before)
  const late = report.done[2]?.preserved?.restored.map(({ kind, source, orphaned }) => [kind, source, orphaned])
  expect(late).toContainEqual(['table', 'public.alarms', 0])
  expect(late).toContainEqual(['table', 'public.notes', 0])
  expect((await listArchives(session)).filter(({ status }) => status !== 'restored')).toEqual([])
})

test('what has its value already comes back at once, and the rest waits in the archive', async () => {
  const { session, folder } = await filled()
  await rollbackTrack(session, { ...someone, ...ask, folder, target: all })
  const target = { kind: 'version', version: '2' } as const
  const { done } = await applyTrack(session, { ...someone, ...ask, folder, target })
  expect(done[0]?.preserved?.restored).toContainEqual(
    expect.objectContaining({ source: 'public.alarms', kind: 'table', restored: 1, orphaned: 1 }),
  )
  // Another run leaves it to somebody who knows what has happened in between.
  await applyTrack(session, { ...someone, ...ask, folder })
  expect((await session.query('select id from alarms')).rows).toEqual([{ id: 1 }])
})

test.each([1, 2, 3, 4])('whoever finishes a run that was killed behind step %i brings them as well', async count => {
  const { url, session, folder } = await filled()
  const rows = async () => [
    (await session.query('select * from alarms order by id')).rows,
    (await session.query('select * from notes order by text')).rows,
  ]
  const before = await rows()
  await rollbackTrack(session, { ...someone, ...ask, folder, target: all })
  const killed = applyInChild({
    url,
    folder,
    preserve: { acceptLoss: 'all' },
    killAt: { type: 'step.finished', count },
  })
  expect(await killed.ended).toBeNull()

  expect((await applyTrack(session, { ...someone, ...ask, folder })).error).toBeNull()

  expect(await rows()).toEqual(before)
  expect((await listArchives(session)).filter(({ status }) => status !== 'restored')).toEqual([])
})
