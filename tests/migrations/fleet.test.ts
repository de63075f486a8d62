/** The order in which a fleet is visited, and what one failure does to the others. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { PlinthError } from '../../src/errors.ts'
import { type FleetOptions, type Member, type Visit, visitFleet } from '../../src/migrations/fleet.ts'
import { listener } from './support.ts'

const member = (name: string): Member => ({ name, address: `host/${name}`, schema: null })
const done: Visit = { status: 'succeeded', from: null, to: '1', stepsDone: 1, runId: 'r', error: null }
const members = ['a', 'b', 'c', 'd', 'e'].map(member)

function fleet(options: Partial<FleetOptions<Member>>): FleetOptions<Member> {
  const { emit } = listener()
  const signal = new AbortController().signal
  return { track: 't', members, canary: null, parallelism: 2, emit, signal, visit: async () => done, ...options }
}

test('the canary goes alone, the others at most so many at once, and the report keeps the order of the fleet', async () => {
  const visits: string[] = []
  let running = 0
  let mostAtOnce = 0
  let alone = true
  const report = await visitFleet(
    fleet({
      canary: 'c',
      visit: async ({ name }) => {
        visits.push(name)
        running++
        mostAtOnce = Math.max(mostAtOnce, running)
        await sleep(5)
        if (name === 'c') alone = running === 1 && visits.length === 1
        running--
        return done
      },
    }),
  )
  expect(alone).toBe(true)
  expect(visits[0]).toBe('c')
  expect(visits.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(mostAtOnce).toBe(2)
  expect(report).toMatchObject({ status: 'succeeded', canary: 'c', counts: { succeeded: 5 } })
  expect(report.databases.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a canary that fails spares the others', async () => {
  const report = await visitFleet(
    fleet({ visit: () => Promise.reject(new PlinthError('SQL_FAILED', 'no', { sqlState: '42P01' })) }),
  )
  expect(report).toMatchObject({ status: 'failed', counts: { failed: 1, skipped: 4 } })
  expect(report.databases[0]).toMatchObject({ name: 'a', error: { code: 'SQL_FAILED', sqlState: '42P01' } })
})

test('one that fails later neither stops nor hides the others, and facts bear the names of their databases', async () => {
  const facts = listener()
  const report = await visitFleet(
    fleet({
      emit: facts.emit,
      visit: async ({ name }, emit) => {
        emit({ type: 'lock.acquired', lock: 'plinth:t', waitedMs: 0 })
        if (name === 'b') throw new PlinthError('LOCK_TIMEOUT', 'held')
        return name === 'd' ? { ...done, status: 'nothing-to-do', from: '1', stepsDone: 0 } : done
      },
    }),
  )
  expect(report).toMatchObject({
    status: 'failed',
    counts: { succeeded: 3, 'nothing-to-do': 1, failed: 1, skipped: 0 },
  })
  expect(facts.of('lock.acquired')[0]).toMatchObject({ lock: 'plinth:t of a', database: 'a' })
  expect(facts.of('database.finished').map(({ name, code }) => [name, code])).toContainEqual(['b', 'LOCK_TIMEOUT'])
  expect(facts.of('progress').at(-1)).toMatchObject({ done: 5, total: 5 })
})

test('an interruption begins nothing more', async () => {
  const controller = new AbortController()
  const report = await visitFleet(
    fleet({
      signal: controller.signal,
      parallelism: 1,
      visit: async ({ name }) => {
        if (name === 'b') controller.abort()
        return done
      },
    }),
  )
  expect(report).toMatchObject({ status: 'interrupted', counts: { succeeded: 2, skipped: 3 } })
})

test('a fleet of none has nothing to do', async () => {
  expect(await visitFleet(fleet({ members: [] }))).toMatchObject({
    status: 'nothing-to-do',
    canary: null,
    databases: [],
  })
})
