/** A lock as a row: heartbeats keep it, the clock frees it, and the token fences off whoever had it before. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { withFence, withLock, withTransaction } from '../../src/engines/brackets.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { type Fact, silent } from '../../src/telemetry/event.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf } from './conformance.ts'

async function sessions(count: number): Promise<[Session, Session, ...Session[]]> {
  const { url } = await emptyDatabase()
  const opened = await Promise.all(Array.from({ length: count }, () => postgres.open(url)))
  onTestFinished(async () => void (await Promise.all(opened.map(session => session.close()))))
  return opened as [Session, Session, ...Session[]]
}

const lease = { kind: 'lease', waitMs: 30_000, emit: silent } as const

/** As if its holder had slept: long unrenewed, and its server process not known. */
async function expire(session: Session): Promise<void> {
  await session.query(
    "update plinth.leases set expires_at = clock_timestamp() - interval '1 second', backend_pid = null",
  )
}

test('a heartbeat keeps it for as long as the work lasts, on a connection of its own', async () => {
  const [holder, other] = await sessions(2)
  await withLock(holder, 'story', { ...lease, leaseMs: 300 }, async held => {
    await holder.query('select pg_sleep(1)')
    expect(await failureOf(withLock(other, 'story', { ...lease, waitMs: 0 }, async () => undefined))).toMatchObject({
      code: 'LOCK_TIMEOUT',
    })
    await withTransaction(holder, () => held.fence(holder))
    expect(held.lost?.aborted).toBe(false)
  })
  await withLock(other, 'story', { ...lease, waitMs: 0 }, async () => undefined)
})

test('one that was given back is free at once, and the next holder has the next token', async () => {
  const [one, two] = await sessions(2)
  const tokens: unknown[] = []
  for (const session of [one, two, one])
    await withLock(session, 'story', lease, async ({ token }) => tokens.push(token))
  expect(tokens).toEqual([1n, 2n, 3n])
})

test('one that ended is taken over, with the name of its owner, who then changes nothing more', async () => {
  const [first, second, third] = await sessions(3)
  const facts: Fact[] = []
  await third?.query('create table written (by text)')
  const anna = { actor: 'anna@office', runId: 'run-1' }
  await withLock(first, 'story', { ...lease, owner: anna }, async held => {
    await expire(second)
    await withLock(second, 'story', { ...lease, emit: fact => facts.push(fact) }, async () => {
      // The sleeper wakes while the next one works.
      const write = () => first.query("insert into written values ('anna')")
      expect(await failureOf(withFence(first, held, write))).toMatchObject({ code: 'LEASE_LOST', exitStatus: 6 })
      await withTransaction(second, () => second.query("insert into written values ('the next')"))
    })
  })
  expect((await second.query('select by from written')).rows).toEqual([{ by: 'the next' }])
  expect(facts[0]).toMatchObject({ type: 'warning' })
  expect(JSON.stringify(facts[0])).toMatch(
    /of anna@office \(process \d+ on [^,]+, run run-1\) was last renewed at .* This run took it over/,
  )
})

test('a heartbeat that finds another holder tells so at once', async () => {
  const [first, second] = await sessions(2)
  await withLock(first, 'story', { ...lease, leaseMs: 150 }, async held => {
    await second.query("update plinth.leases set token = token + 1, owner = 'bert'")
    while (!held.lost?.aborted) await sleep(10)
    expect(held.lost.reason).toMatchObject({ code: 'LEASE_LOST' })
  })
})

test('who has passed his fence is waited for, since his transaction may still commit', async () => {
  const [first, second] = await sessions(2)
  const order: string[] = []
  await withLock(first, 'story', lease, async held => {
    await first.query('begin')
    await held.fence(first)
    await expire(second)
    const taking = withLock(second, 'story', lease, async () => void order.push('next'))
    await sleep(300)
    order.push('commit')
    await first.query('commit')
    await taking
  })
  expect(order).toEqual(['commit', 'next'])
})

test('a heartbeat does not disturb a transaction that has fixed what it sees', async () => {
  const [first, second] = await sessions(2)
  await withLock(first, 'story', lease, async held => {
    await first.query('begin isolation level serializable')
    await first.query('select 1')
    await second.query('update plinth.leases set renewed_at = clock_timestamp()')
    await held.fence(first)
    await first.query('commit')
  })
})

test('one whose server process is gone is free at once', async () => {
  const [first, second] = await sessions(2)
  await withLock(first, 'story', lease, async () => {
    await second.query('select pg_terminate_backend($1)', [first.backendId])
    await withLock(second, 'story', { ...lease, waitMs: 5000 }, async () => undefined)
  })
})

test('an interrupted waiter ends as interrupted', async () => {
  const [first, second] = await sessions(2)
  const stop = new AbortController()
  await withLock(first, 'story', lease, async () => {
    const waiting = withLock(second, 'story', { ...lease, signal: stop.signal }, async () => undefined)
    const failed = expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await sleep(50)
    stop.abort()
    await failed
  })
})

test('a waiter does not hinder the holder, who builds an index concurrently', async () => {
  const [first, second] = await sessions(2)
  await first.query('create table t (id int)')
  const waiting = new AbortController()
  await withLock(first, 'story', lease, async () => {
    const waiter = withLock(second, 'story', { ...lease, signal: waiting.signal }, async () => undefined)
    for (let at = 0; at < 5; at++) await first.script(`create index concurrently t_${at} on t (id)`)
    waiting.abort()
    await expect(waiter).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})
