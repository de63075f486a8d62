/** Batches wait for a replica that falls behind: a real one, whose replay stands still. */
import { expect, test } from 'vitest'
import { openGauge } from '../../src/engines/ceiling.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { withClient } from '../support/client.ts'
import { emptyDatabase } from '../support/database.ts'
import { startReplicated, untilReplayed, withoutReplica } from '../support/replica.ts'
import { folderOf, listener, openSession, someone } from './support.ts'

test.skipIf(withoutReplica)('a backfill waits for a replica, and goes on when it has caught up', async () => {
  const { primary, replica } = await startReplicated()
  const session = await openSession(primary)
  await session.script(
    'create table items (id int primary key, n int); insert into items select i, 0 from generate_series(1, 100) i',
  )
  await untilReplayed(primary)
  const onReplica = (statement: string) =>
    withClient(replica, async client => (await client.query<{ value: string }>(statement)).rows)
  const folder = await folderOf({
    '1_fill': ['-- plinth: batch=5 pause=200ms max-lag=500ms\nupdate items set n = n + 1 where n = 0;', '-- none'],
  })
  await onReplica('select pg_wal_replay_pause()')
  const heard = listener()
  let resumed: Promise<unknown> | undefined
  const report = await applyTrack(session, {
    ...someone,
    folder,
    emit: fact => {
      heard.emit(fact)
      if (fact.type !== 'backfill.held') return
      resumed ??= onReplica('select sum(n) as value from items').then(async seen => {
        await onReplica('select pg_wal_replay_resume()')
        return seen
      })
    },
  })
  expect(report).toMatchObject({ status: 'succeeded', done: [{ rows: 100 }] })
  expect(heard.of('backfill.held')[0]).toMatchObject({ reason: 'replica lag', ceiling: 500 })
  // It was held while there was more to do, of which the replica had seen nothing.
  expect(await resumed).toEqual([{ value: '0' }])
  const facts = heard.of('progress').map(({ done }) => done)
  expect(facts.at(-1)).toBe(100)
  await untilReplayed(primary)
  expect(await onReplica('select sum(n) as value from items')).toEqual([{ value: '100' }])
})

test.skipIf(withoutReplica)('a lag counts from what was written, and only while it waits to be replayed', async () => {
  const { primary, replica } = await startReplicated()
  const session = await openSession(primary)
  await session.script('create table items (id int)')
  await untilReplayed(primary)
  let nowMs = 1_000
  const gauge = openGauge(session, () => nowMs)
  await withClient(replica, client => client.query('select pg_wal_replay_pause()'))
  await gauge()
  nowMs += 60_000
  expect(await gauge()).toMatchObject({ lagMs: 0 })
  await session.script('insert into items values (1)')
  await gauge()
  nowMs += 20_000
  expect(await gauge()).toMatchObject({ lagMs: 20_000 })
  nowMs += 5_000
  expect(await gauge()).toMatchObject({ lagMs: 25_000 })
  await withClient(replica, client => client.query('select pg_wal_replay_resume()'))
  await untilReplayed(primary)
  expect(await gauge()).toMatchObject({ lagMs: 0 })
})

test('a server without replicas has no lag', async () => {
  const gauge = openGauge(await openSession((await emptyDatabase()).url))
  expect(await gauge()).toMatchObject({ lagMs: null })
  expect(await gauge()).toMatchObject({ lagMs: null })
})
