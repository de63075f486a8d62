import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ReadRequest, readUsage } from '../../src/analytics/read/read.ts'
import { failureOf } from '../engines/conformance.ts'
import { event, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'
import { askSource } from './support/windows.ts'

const read = (world: World, request: ReadRequest) => readUsage(world.project, request, world.options())

/** Zones with whole, half and quarter hours, with changes of half an hour, across midnight, and far from UTC. */
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/St_Johns',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'America/Santiago',
  'Africa/Cairo',
  '-09:30',
]

const refused: readonly (readonly [ReadRequest, string])[] = [
  [{ from: '2026-02-30', to: '2026-03-01' }, 'is no moment'],
  [{ from: '2026-03-02', to: '2026-03-01' }, 'ends before it begins'],
  [{ from: '2026-03-01', to: '2026-03-02', timeZone: 'Europe/Berlinn' }, 'no time zone'],
  [{ from: '2026-03-01', to: '2026-03-02', by: ['hour', 'day'] }, 'at once'],
  [{ from: '2026-03-01', to: '2026-03-02', by: ['organisation'] }, 'no column "organisation"'],
  [{ from: '2026-03-01', to: '2026-03-02', by: ['organization', 'region'] }, 'No rollup tells usage apart'],
  [{ from: '2026-03-01', to: '2026-03-02', transform: 'usage_hurly' }, 'no rollup "usage_hurly"'],
  [{ from: '2026-03-01', to: '2026-03-02', quantiles: [1.5] }, 'is no quantile'],
]

describe('usage of any window', () => {
  test('equals what the source answers, for random windows, zones and columns', async () => {
    const world = await makeWorld()
    await fillEvents(world, 3000)
    // Changes of the clocks in both directions, some in the middle of a day and of an hour.
    for (const at of [
      '2026-03-29T00:59:59.999999Z',
      '2026-03-29T01:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
    ])
      await world.sql(insertEvent, event(world, { at }))
    for (const at of ['2026-04-04T14:45:00Z', '2026-04-04T15:15:00Z', '2026-04-05T02:59:00Z', '2026-04-05T03:01:00Z'])
      await world.sql(insertEvent, event(world, { at, cost: '1234567.654321' }))
    await world.run()
    const moment = fc
      .tuple(fc.integer({ min: 0, max: 60 * 24 * 45 }), fc.constantFrom(0, 0, 1, 1_500_001, 59_999_999))
      .map(([minutes, micros]) => Date.UTC(2026, 2, 1) * 1000 + minutes * 60_000_000 + micros)
    const window = fc.tuple(moment, moment).filter(([a, b]) => a !== b)
    const by = fc.tuple(
      fc.constantFrom('hour', 'day', 'week', 'month', null),
      fc.subarray(['organization', 'model'] as const),
    )
    const filter = fc.constantFrom('none', 'none', 'organization', 'model')
    await fc.assert(
      fc.asyncProperty(window, fc.constantFrom(...zones), by, filter, async ([a, b], timeZone, [unit, keys], only) => {
        const where = {
          ...(only === 'organization'
            ? { organization: world.tenants.slice(0, 2).map(each => each.organization) }
            : {}),
          ...(only === 'model' ? { model: [world.models[0] ?? ''] } : {}),
        }
        const asked = { from: Math.min(a, b), until: Math.max(a, b), timeZone, unit, keys, where }
        const reading = await read(world, {
          from: iso(asked.from),
          to: iso(asked.until),
          timeZone,
          by: [...(unit === null ? [] : [unit]), ...keys],
          where,
        })
        expect(reading.rows).toEqual(await askSource(world, asked))
        expect(reading.pending).toEqual({ marks: 0, cells: 0, cellsOfWindow: 0 })
      }),
      { numRuns: 60 },
    )
  })

  test('an hour that occurs twice is two, a day may have 23 or 25, and half hours are told apart', async () => {
    const world = await makeWorld()
    for (const at of [
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-24T22:00:00Z',
      '2026-10-25T22:59:59.999999Z',
    ])
      await world.sql(insertEvent, event(world, { at }))
    for (const at of ['2026-03-10T18:29:59.999999Z', '2026-03-10T18:30:00Z'])
      await world.sql(insertEvent, event(world, { at }))
    await world.run()
    const told = async (request: ReadRequest, unit: string) =>
      (await read(world, request)).rows.map(row => [row[unit], row['requests']])
    const berlin = { from: '2026-10-25', to: '2026-10-26', timeZone: 'Europe/Berlin' }
    expect(await told({ ...berlin, by: ['hour'] }, 'hour')).toEqual([
      ['2026-10-25T00:00:00+02:00', 1],
      ['2026-10-25T02:00:00+02:00', 1],
      ['2026-10-25T02:00:00+01:00', 1],
      ['2026-10-25T23:00:00+01:00', 1],
    ])
    expect(await told({ ...berlin, by: ['day'] }, 'day')).toEqual([['2026-10-25', 4]])
    const kolkata = { from: '2026-03-10', to: '2026-03-12', timeZone: 'Asia/Kolkata' }
    expect(await told({ ...kolkata, by: ['day'] }, 'day')).toEqual([
      ['2026-03-10', 1],
      ['2026-03-11', 1],
    ])
    expect(await told({ ...kolkata, by: ['hour'] }, 'hour')).toEqual([
      ['2026-03-10T23:00:00+05:30', 1],
      ['2026-03-11T00:00:00+05:30', 1],
    ])
    const instant = { from: '2026-03-10T18:29:59.999999Z', to: '2026-03-10T18:30:00Z' }
    expect((await read(world, instant)).rows).toMatchObject([{ requests: 1, latency_ms_p50: expect.closeTo(120, -1) }])
  })

  test('names the snapshot that it is as of, and what is pending in the window and beside it', async () => {
    const world = await makeWorld()
    await fillEvents(world, 50)
    expect((await failureOf(read(world, { from: '2026-03-01', to: '2026-03-02' }))).code).toBe('WAREHOUSE_FAILED')
    const run = await world.run()
    await world.sql(insertEvent, event(world, { at: '2026-03-01T10:00:00Z' }))
    await world.sql(insertEvent, event(world, { at: '2026-05-01T10:00:00Z' }))
    const reading = await read(world, { from: '2026-03-01T10:30', to: '2026-03-02' })
    expect(reading).toMatchObject({
      asOf: { source: 'raw.usage_events', snapshot: run.sources[0]?.snapshot },
      pending: { marks: 2, cells: 2, cellsOfWindow: 1 },
    })
    // The answer stands without the source.
    const gone = world.options({ source: { ...world.options().source, url: 'postgres://nobody@127.0.0.1:1/none' } })
    expect(await readUsage(world.project, { from: '2026-03-01T10:30', to: '2026-03-02' }, gone)).toEqual({
      ...reading,
      pending: null,
    })
  })

  test('a rollup with the columns that are asked for answers, a total from the one with the fewest', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    const window = { from: '2026-03-01', to: '2026-04-01' }
    expect(await read(world, { ...window, by: ['region'] })).toMatchObject({
      transform: 'platform_hourly',
      rows: [{ region: 'eu-west-1', requests: 100 }],
    })
    const first = await read(world, { ...window, by: ['hour', 'organization'], rowsMax: 3 })
    expect(first).toMatchObject({ transform: 'usage_hourly', cut: 'yes' })
    expect(first.rows).toHaveLength(3)
    expect(await read(world, { from: '2030-01-01', to: '2030-02-01' })).toMatchObject({ rows: [], cut: 'no' })
  })

  test('what cannot be asked is refused with what can be', async () => {
    const world = await makeWorld()
    await world.run()
    for (const [request, message] of refused) {
      const failure = await failureOf(read(world, request))
      expect(failure).toMatchObject({ code: 'USAGE', message: expect.stringContaining(message) })
      expect(failure.hint).not.toBe('')
    }
  })
})

function iso(micros: number): string {
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`
}
