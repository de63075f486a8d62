import { describe, expect, test } from 'vitest'
import { rollupStatus } from '../../src/analytics/status.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld } from './support/world.ts'

describe('a run', () => {
  test('loads everything first, then only what changed, then nothing', async () => {
    const world = await makeWorld()
    await fillEvents(world, 3000)
    const first = await world.run()
    expect(first.sources[0]).toMatchObject({ mode: 'whole', reason: 'first load', rows: 3000 })
    await expectExact(world)

    await world.sql(insertEvent, event(world, { at: '2025-12-31T23:59:59.999999Z' }))
    const late = await world.run()
    expect(late.sources[0]).toMatchObject({ mode: 'changes', marks: 1, cells: 1, rows: 1, trimmed: expect.any(Number) })
    await expectExact(world)

    const idle = await world.run()
    expect(idle).toMatchObject({ status: 'nothing-to-do', sources: [{ marks: 0, cells: 0, rows: 0 }] })
    expect(await rollupStatus(world.project, world.options())).toMatchObject({
      sources: [{ loaded: 'yes', pendingMarks: 0, rows: { 'raw.usage_events': 3001 } }],
    })
    expect((await world.sql('select count(*)::int as marks from platform.usage_event_marks')).rows).toEqual([
      { marks: 0 },
    ])
  })
})
