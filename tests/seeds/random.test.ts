/** Random numbers by position, held against the published answers and against their own promises. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exponential, logarithm, logNormal, normal, weighted, zipfWeights } from '../../src/seeds/distribution.ts'
import { openStream, philox, unit } from '../../src/seeds/random.ts'

describe('Philox4x32-10', () => {
  // The known-answer vectors that the authors publish with their reference implementation.
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('counter %j under key %j', ([c0 = 0, c1 = 0, c2 = 0, c3 = 0], [k0 = 0, k1 = 0], expected) => {
    expect([...philox(c0, c1, c2, c3, k0, k1, new Uint32Array(4))]).toEqual(expected)
  })

  test('agrees with the definition in exact integers', () => {
    const word = fc.integer({ min: 0, max: 0xffffffff })
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        expect([...philox(...counter, ...key, new Uint32Array(4))]).toEqual(philoxExact(counter, key))
      }),
    )
  })
})

describe('a stream', () => {
  const first = (stream: ReturnType<typeof openStream>, row: number, draw = 0): number[] => [...stream.words(row, draw)]

  test('answers the same for a row whatever was asked before', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 20 }), fc.nat(), (before, row) => {
        const used = openStream('seed', 'table', 'column')
        for (const other of before) used.words(other)
        expect(first(used, row)).toEqual(first(openStream('seed', 'table', 'column'), row))
      }),
    )
  })

  test('differs by seed, table, column, row and draw', () => {
    const all = [
      first(openStream('a', 'b', 'c'), 1),
      first(openStream('x', 'b', 'c'), 1),
      first(openStream('a', 'x', 'c'), 1),
      first(openStream('a', 'b', 'x'), 1),
      first(openStream('a', 'b', 'c'), 2),
      first(openStream('a', 'b', 'c'), 1, 1),
      first(openStream('a', 'b', 'c'), 1 + 2 ** 32),
      first(openStream('ab', '', 'c'), 1),
    ].map(String)
    expect(new Set(all).size).toBe(all.length)
  })

  test('keeps its values from release to release: a change of them must raise the generator version', () => {
    const stream = openStream('local-dev', 'platform.usage_events', 'occurred_at')
    expect(first(stream, 0)).toMatchInlineSnapshot(`
      [
        926524059,
        3676445551,
        4283105257,
        1003802760,
      ]
    `)
    expect(stream.uniform(41_999)).toMatchInlineSnapshot(`0.6458504256137154`)
  })

  test('is uniform enough: no tenth of ten thousand draws is off by a fifth', () => {
    const stream = openStream('seed', 'table', 'column')
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let row = 0; row < 10_000; row++) {
      const tenth = Math.floor(stream.uniform(row) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(200)
  })

  test('a unit is at least 0 and below 1', () => {
    expect(unit(0, 0)).toBe(0)
    expect(unit(0xffffffff, 0xffffffff)).toBe(1 - 2 ** -53)
  })
})

describe('distributions', () => {
  test('exponential and logarithm agree with the library to fourteen digits', () => {
    fc.assert(
      fc.property(fc.double({ min: -50, max: 50, noNaN: true }), x => {
        expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(1e-13)
      }),
    )
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), x => {
        expect(Math.abs(logarithm(x) - Math.log(x))).toBeLessThan(1e-13)
      }),
    )
  })

  test('a normal value has mean 0 and variance 1', () => {
    const stream = openStream('seed', 'table', 'normal')
    const values = Array.from({ length: 20_000 }, (_, row) => normal(stream.words(row)))
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    expect(Math.abs(mean)).toBeLessThan(0.03)
    expect(Math.abs(variance - 1)).toBeLessThan(0.05)
  })

  test('half of the log-normal values are below the median', () => {
    const stream = openStream('seed', 'table', 'latency')
    const below = Array.from({ length: 10_000 }, (_, row) => logNormal(stream.words(row), 420, 0.8)).filter(
      value => value < 420,
    )
    expect(Math.abs(below.length - 5000)).toBeLessThan(200)
  })

  test('a choice follows its weights and never picks a weight of 0', () => {
    const choice = weighted([0, 3, 0, 1, 0])
    const counts = [0, 0, 0, 0, 0]
    for (let i = 0; i < 4000; i++) {
      const index = choice.pick(i / 4000)
      counts[index] = (counts[index] ?? 0) + 1
    }
    expect(counts).toEqual([0, 3000, 0, 1000, 0])
    expect(choice.pick(1 - 2 ** -53)).toBe(3)
    expect(choice.within(0.375)).toEqual({ index: 1, rest: 0.5 })
  })

  test('Zipf weights fall as the rank to the power of the exponent', () => {
    for (const [index, weight] of zipfWeights(50, 1.1).entries()) expect(weight).toBeCloseTo((index + 1) ** -1.1, 12)
  })
})

/** The round function as the paper writes it, in integers without bounds. */
function philoxExact(counter: readonly number[], key: readonly number[]): number[] {
  const mask = 0xffffffffn
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint]
  let [k0, k1] = key.map(BigInt) as [bigint, bigint]
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0
    const p1 = 0xcd9e8d57n * c2
    ;[c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask]
    k0 = (k0 + 0x9e3779b9n) & mask
    k1 = (k1 + 0xbb67ae85n) & mask
  }
  return [c0, c1, c2, c3].map(Number)
}
