import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { withLease } from '../../src/analytics/run/lease.ts'
import type { Stage } from '../../src/analytics/run/step.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, root, type World } from './support/world.ts'

const stages: readonly Stage[] = [
  'leased',
  'captured',
  'claimed',
  'loaded',
  'replaced',
  'proved',
  'committed',
  'acknowledged',
]

function dieAt(stage: Stage) {
  return async (reached: Stage) => {
    if (reached === stage) throw new Error(`died at ${stage}`)
  }
}

/** Everything of the warehouse that a run may change. */
async function contents(world: World) {
  return world.ask(`
    select 'raw' as part, cast(count(*) as varchar) as rows, cast(sum(hash(raw)) as varchar) as hash from raw.usage_events as raw
    union all select 'hourly', count(*), sum(hash(hourly)) from analytics.usage_hourly as hourly
    union all select 'daily', count(*), sum(hash(daily)) from analytics.usage_daily as daily
    union all select 'cells', count(*), sum(hash(cell)) from analytics.reconciled_cells as cell
    order by part`)
}

describe('a run that dies', () => {
  test('at any stage of a first load is followed by one that completes', async () => {
    const world = await makeWorld()
    await fillEvents(world, 200)
    for (const stage of stages) {
      await world.warehouse(session => session.query('drop schema if exists plinth cascade'))
      await expect(world.run({ onStage: dieAt(stage) })).rejects.toThrow(`died at ${stage}`)
      await world.run()
      await expectExact(world)
    }
  })

  test('at any stage of a change keeps nothing or everything, and the next run completes', async () => {
    const world = await makeWorld()
    await fillEvents(world, 200)
    await world.run()
    for (const [index, stage] of stages.entries()) {
      await world.sql(insertEvent, event(world, { at: `2026-03-0${1 + index}T03:00:00Z` }))
      await world.sql(
        'delete from platform.usage_events where event_id in (select event_id from platform.usage_events order by occurred_at limit 5)',
      )
      const before = await contents(world)
      await expect(world.run({ onStage: dieAt(stage) })).rejects.toThrow(`died at ${stage}`)
      if (stage !== 'committed' && stage !== 'acknowledged') expect(await contents(world)).toEqual(before)
      await world.run()
      await expectExact(world)
    }
    const marks = await world.sql('select count(*)::int as marks from platform.usage_event_marks')
    expect(marks.rows).toEqual([{ marks: 0 }])
  })

  test('between the batches of a first load is started again, and of a change is repeated', async () => {
    const world = await makeWorld()
    await fillEvents(world, 400)
    let committed = 0
    const dieAfterTwo = async (stage: Stage) => {
      if (stage === 'committed' && ++committed === 2) throw new Error('died')
    }
    const limits = { rows: 100, cells: 10_000 }
    await expect(world.run({ limits, onStage: dieAfterTwo })).rejects.toThrow('died')
    expect((await world.run({ limits })).sources[0]).toMatchObject({ reason: 'first load', rows: 400 })
    await expectExact(world)
    committed = 0
    await world.sql('update platform.usage_events set cost = cost + 1')
    await expect(world.run({ limits, onStage: dieAfterTwo })).rejects.toThrow('died')
    expect((await world.run({ limits })).sources[0]).toMatchObject({ mode: 'changes', rows: 400 })
    await expectExact(world)
  })

  test('by kill -9 leaves its lease and the file free, and the next run completes', async () => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    for (const stage of ['loaded', 'committed'] as const) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'support/runner.js'), root, world.sourceUrl, world.warehouseUrl, stage],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      onTestFinished(() => void child.kill('SIGKILL'))
      await once(child.stdout, 'data')
      child.kill('SIGKILL')
      await once(child, 'exit')
      await world.run()
      await expectExact(world)
      await world.sql('update platform.usage_events set output_tokens = output_tokens + 1')
    }
  })
})

describe('two runners', () => {
  test('at once: one works, the other waits and finds nothing left to do', async () => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    const reports = await Promise.all([world.run(), world.run()])
    expect(reports.map(report => report.status).sort()).toEqual(['nothing-to-do', 'succeeded'])
    await expectExact(world)
  })

  test('a lease that is not given up in time is an error that names its holder', async () => {
    const world = await makeWorld()
    await world.run()
    await withSession(postgres, world.sourceUrl, {}, session =>
      withLease(
        session,
        'rollup raw.usage_events warehouse',
        { owner: 'anna@office', waitMs: 0, ttlMs: 30_000, emit: () => undefined },
        async () => {
          await expect(world.run({ waitMs: 100 })).rejects.toMatchObject({
            code: 'LOCK_TIMEOUT',
            message: expect.stringContaining('anna@office'),
          })
        },
      ),
    )
    await world.run()
  })

  test.each(['leased', 'captured', 'claimed'] as const)(
    'one that slept past its lease at "%s" changes nothing',
    async stage => {
      const world = await makeWorld()
      await fillEvents(world, 100)
      await world.run()
      await world.sql(insertEvent, event(world))
      let wake = (): void => undefined
      const asleep = new Promise<void>(resolve => {
        wake = resolve
      })
      let reached = (): void => undefined
      const sleeping = new Promise<void>(resolve => {
        reached = resolve
      })
      const sleeper = world.run({
        onStage: async at => {
          if (at !== stage) return
          reached()
          await asleep
        },
      })
      const outcome = sleeper.then(
        () => 'succeeded',
        (error: unknown) => error,
      )
      await sleeping
      await world.sql(`update plinth.leases set expires_at = '-infinity'`)
      await world.sql(insertEvent, event(world, { at: '2026-03-10T10:45:00Z' }))
      if (stage !== 'claimed') {
        await world.run()
        const after = await contents(world)
        wake()
        expect(await outcome).toMatchObject({ code: 'LEASE_LOST' })
        expect(await contents(world)).toEqual(after)
      } else {
        // It holds the target already, so whoever comes is refused there until it ends.
        await expect(world.run()).rejects.toMatchObject({ code: 'WAREHOUSE_BUSY' })
        wake()
        expect(await outcome).toBe('succeeded')
        await world.run()
      }
      await expectExact(world)
    },
  )
})

describe('a source that is not the one of the cursor', () => {
  test.each([
    ['another system', `system_identifier = '42'`],
    ['another timeline', `timeline = '0000002A'`],
    ['transactions set back', `snapshot = '99999999999:99999999999:'`],
    ['leases set back', 'token = 1000000'],
  ])('%s is refused until a rebase is asked for', async (_, change) => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.warehouse(session => session.query(`update plinth.rollup_cursors set ${change}`))
    await world.sql(insertEvent, event(world))
    const before = await contents(world)
    await expect(world.run()).rejects.toMatchObject({ code: 'SOURCE_RESTORED', exitStatus: 5 })
    await expect(world.reconcile()).rejects.toMatchObject({ code: 'SOURCE_RESTORED' })
    expect(await contents(world)).toEqual(before)
    expect((await world.run({ mode: 'rebase' })).sources[0]).toMatchObject({ reason: 'asked for', rows: 101 })
    await expectExact(world)
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
  })

  test('marks of transactions that only another server began, as a restored dump has them, are taken once', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.sql('update platform.usage_events set cost = cost + 1')
    await world.sql('update platform.usage_event_marks set xid = xid + 1000000000')
    expect((await world.run()).sources[0]).toMatchObject({ rows: 100 })
    await expectExact(world)
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
  })

  test('a warehouse that was set back behind trimmed marks is loaded anew', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    const [old] = await world.ask<{ snapshot: string; token: string }>(
      'select snapshot, token from plinth.rollup_cursors',
    )
    await world.sql('update platform.usage_events set cost = cost + 1')
    await world.run()
    await world.warehouse(session =>
      session.query('update plinth.rollup_cursors set snapshot = $1, token = $2', [
        old?.snapshot ?? '',
        old?.token ?? '',
      ]),
    )
    expect((await world.run()).sources[0]).toMatchObject({ mode: 'whole', reason: 'warehouse was set back' })
    await expectExact(world)
  })
})

describe('a warehouse', () => {
  test('that another process has open is waited for, then named', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    const holder = spawn(
      process.execPath,
      [join(import.meta.dirname, 'support/holder.js'), world.warehouseUrl.slice('duckdb:'.length)],
      {
        cwd: root,
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    onTestFinished(() => void holder.kill('SIGKILL'))
    await once(holder.stdout, 'data')
    await expect(world.run({ waitMs: 200 })).rejects.toMatchObject({
      code: 'WAREHOUSE_BUSY',
      message: expect.stringContaining(String(holder.pid)),
    })
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    await world.run()
    await expectExact(world)
  })

  test('without its tables says how to make them; emptied, it is filled again', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.warehouse(session => session.query('truncate raw.usage_events'))
    expect((await world.run()).sources[0]).toMatchObject({ reason: 'warehouse table was emptied' })
    await expectExact(world)
    await world.warehouse(session => session.query('drop table raw.usage_events'))
    await expect(world.run()).rejects.toMatchObject({
      code: 'WAREHOUSE_FAILED',
      hint: expect.stringContaining('plinth apply'),
    })
  })
})
