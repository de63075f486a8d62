import { assert, integer, property, record, uniqueArray } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChangedHour, hourAfter, planBatches, stretchesOf } from '../../src/analytics/run/plan.ts'

const hour = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 3_600_000).toISOString().replace('.000Z', '.000000Z')

const hours = uniqueArray(
  record({
    at: integer({ min: 0, max: 2000 }),
    rows: integer({ min: 0, max: 500 }),
    shards: uniqueArray(integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 64 }),
  }),
  {
    selector: item => item.at,
    maxLength: 60,
  },
).map(items => items.map(({ at, rows, shards }): ChangedHour => ({ hour: hour(at), rows, shards })))

describe('batches', () => {
  test('hold every hour once, in order, within the limits unless one hour alone exceeds them', () => {
    assert(
      property(hours, integer({ min: 1, max: 1000 }), integer({ min: 1, max: 200 }), (changed, rows, cells) => {
        const batches = planBatches(changed, 'no', { rows, cells, shards: 64 })
        const planned = batches.flatMap(batch => batch.hours)
        expect(planned.map(item => item.hour)).toEqual(changed.map(item => item.hour).sort())
        for (const batch of batches) {
          expect(batch.hours.length).toBeGreaterThan(0)
          if (batch.hours.length > 1) {
            expect(batch.rows).toBeLessThanOrEqual(rows)
            expect(batch.cells).toBeLessThanOrEqual(cells)
          }
          for (const item of batch.hours)
            expect(item.hour >= (batch.from ?? '') && item.hour < (batch.until ?? '~')).toBe(true)
        }
      }),
    )
  })

  test('of everything cover all of time without a gap', () => {
    assert(
      property(hours, integer({ min: 1, max: 1000 }), (changed, rows) => {
        const batches = planBatches(changed, 'yes', { rows, cells: 10_000, shards: 64 })
        expect(batches[0]?.from).toBeNull()
        expect(batches.at(-1)?.until).toBeNull()
        for (const [index, batch] of batches.slice(1).entries()) expect(batch.from).toBe(batches[index]?.until)
      }),
    )
  })

  test('stretches join consecutive hours, and near ones when there would be too many', () => {
    const changed = [0, 1, 2, 5, 7, 8].map((n): ChangedHour => ({ hour: hour(n), rows: 1, shards: [1] }))
    expect(stretchesOf(changed, 10)).toEqual([
      { from: hour(0), until: hour(3) },
      { from: hour(5), until: hour(6) },
      { from: hour(7), until: hour(9) },
    ])
    expect(stretchesOf(changed, 2)).toEqual([
      { from: hour(0), until: hour(3) },
      { from: hour(5), until: hour(9) },
    ])
    expect(hourAfter('2026-12-31T23:00:00.000000Z')).toBe('2027-01-01T00:00:00.000000Z')
  })
})
