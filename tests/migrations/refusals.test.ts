import { describe, expect, test } from 'vitest'
import { applyTrack, planTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { readStatus } from '../../src/migrations/status.ts'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { emptyDatabase } from '../support/database.ts'
import { failureOf, folderOf, openSession, someone, tableNames, writeFiles } from './support.ts'

const a = ['create table a (id int);', 'drop table a;'] as const
const b = ['create table b (id int);', 'drop table b;'] as const
const c = ['create table c (id int);', 'drop table c;'] as const

describe('refusals leave the database as it was', () => {
  test('a missing down is an error before anything runs, an empty one is told', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a, '2_b.up.sql': b[0] })
    const error = await failureOf(applyTrack(session, { ...someone, folder }))
    expect(error).toMatchObject({
      code: 'DOWN_MISSING',
      at: { file: join(folder, '2_b.down.sql') },
      hint: expect.stringContaining('2_b.down.sql'),
    })
    expect((await session.query("select 1 from pg_namespace where nspname = 'plinth'")).rows).toEqual([])
    await writeFiles(folder, { '2_b.down.sql': '-- nothing to undo\n' })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'succeeded', current: '2' })
    const report = await rollbackTrack(session, { ...someone, folder, target: { kind: 'steps', count: 1 } })
    expect(report).toMatchObject({
      status: 'succeeded',
      current: '1',
      notices: [expect.stringContaining('nothing to run downwards')],
    })
  })

  test('out of order is refused with the file, and done when it is asked for', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a, '3_c': c })
    await applyTrack(session, { ...someone, folder })
    await writeFiles(folder, { '2_b': b })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'OUT_OF_ORDER',
      exitStatus: 5,
      at: { file: join(folder, '2_b.up.sql') },
    })
    expect(await readStatus(session, { track: someone.track, folder })).toMatchObject({
      versions: [{}, { version: '2', state: 'pending', outOfOrder: true }, {}],
    })
    expect(await applyTrack(session, { ...someone, folder, allowOutOfOrder: true })).toMatchObject({
      status: 'succeeded',
      current: '3',
    })
    expect(await tableNames(session)).toEqual(['public.a', 'public.b', 'public.c'])
  })

  test('an edited file is refused with the time it was applied; other line endings are no edit', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': ['create table a (id int);\n-- end\n', 'drop table a;'] })
    await applyTrack(session, { ...someone, folder })
    await writeFiles(folder, { '1_a.up.sql': 'create table a (id int);\r\n-- end\r\n' })
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({ status: 'nothing-to-do' })
    await writeFiles(folder, { '1_a.up.sql': 'create table a (id bigint);\n' })
    const error = await failureOf(applyTrack(session, { ...someone, folder }))
    expect(error).toMatchObject({
      code: 'CHECKSUM_CHANGED',
      at: { file: join(folder, '1_a.up.sql') },
      details: { version: '1', appliedBy: 'tester', appliedAt: expect.stringMatching(/^\d{4}-.*Z$/) },
    })
    expect((await readStatus(session, { track: someone.track, folder })).counts).toMatchObject({ changed: 1 })
  })

  test('the down of an edited migration is the one that was kept', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a })
    await applyTrack(session, { ...someone, folder })
    await writeFiles(folder, { '1_a': ['create table renamed (id int);', 'drop table renamed;'] })
    const report = await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } })
    expect(report).toMatchObject({ status: 'succeeded', notices: [expect.stringContaining('was edited')] })
    expect(await tableNames(session)).toEqual([])
  })

  test('a file that is gone is refused below the newest; a database that is ahead is only told', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a, '2_b': b })
    await applyTrack(session, { ...someone, folder })
    await rm(join(folder, '2_b.up.sql'))
    await rm(join(folder, '2_b.down.sql'))
    expect(await applyTrack(session, { ...someone, folder })).toMatchObject({
      status: 'nothing-to-do',
      notices: ['The database is ahead of the folder by 1: 2.'],
    })
    await rm(join(folder, '1_a.up.sql'))
    await rm(join(folder, '1_a.down.sql'))
    await writeFiles(folder, { '3_c': c })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'FILE_GONE',
      details: { version: '1' },
    })
  })

  test('a rollback says how far, to a version that exists', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '202601010000_a': a, '202601010001_b': b })
    await applyTrack(session, { ...someone, folder })
    expect(await failureOf(rollbackTrack(session, { ...someone, folder }))).toMatchObject({ code: 'TARGET_REQUIRED' })
    const to = (version: string) => rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version } })
    expect(await failureOf(to('202601010002'))).toMatchObject({
      code: 'VERSION_UNKNOWN',
      hint: expect.stringContaining('202601010000'),
    })
    expect(await failureOf(to('latest'))).toMatchObject({ code: 'VERSION_UNKNOWN' })
    expect(await to('202601010001')).toMatchObject({ status: 'nothing-to-do' })
    expect(await to('202601010000')).toMatchObject({ status: 'succeeded', current: '202601010000' })
    const plan = await planTrack(session, {
      track: someone.track,
      folder,
      direction: 'down',
      target: { kind: 'steps', count: 5 },
    })
    expect(plan).toMatchObject({
      steps: [{ version: '202601010000' }],
      notices: [expect.stringContaining('Only 1 of the 5')],
    })
  })

  test('a syntax error stops everything before the first statement, with its place', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a, '2_b': ['select 1;\ncreate tabel b (id int);', ''] })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({
      code: 'SQL_SYNTAX',
      at: { file: join(folder, '2_b.up.sql'), line: 2, column: 8 },
    })
    expect(await tableNames(session)).toEqual([])
  })

  test('a history of a newer release is left alone', async () => {
    const session = await openSession((await emptyDatabase()).url)
    const folder = await folderOf({ '1_a': a })
    await applyTrack(session, { ...someone, folder })
    await session.query('insert into plinth.migration_ledger (version) values (99)')
    expect(await failureOf(readStatus(session, { track: someone.track, folder }))).toMatchObject({
      code: 'LEDGER_NEWER',
    })
    expect(await failureOf(applyTrack(session, { ...someone, folder }))).toMatchObject({ code: 'LEDGER_NEWER' })
  })
})
