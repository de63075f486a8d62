/** Brackets close what they open, whatever the work does. */
import { expect, onTestFinished, test } from 'vitest'
import { withLock, withSession, withTransaction } from '../../src/engines/brackets.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { type Fact, silent } from '../../src/telemetry/event.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf } from './conformance.ts'

const own = new Error('mine')

async function twoSessions(): Promise<[Session, Session]> {
  const { url } = await emptyDatabase()
  const open = async (applicationName: string): Promise<Session> => {
    const session = await postgres.open(url, { applicationName })
    onTestFinished(() => session.close())
    return session
  }
  return [await open('the holder'), await open('the waiter')]
}

function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  let open = (): void => undefined
  const passed = new Promise<void>(resolve => {
    open = resolve
  })
  return { open, passed }
}

test('a lock is released when the work fails, and the failure arrives as it was', async () => {
  const [first, second] = await twoSessions()
  const facts: Fact[] = []
  await expect(
    withLock(first, 'story', { waitMs: 0, emit: fact => facts.push(fact) }, async () => {
      expect(await second.tryLock('story')).toBe(false)
      throw own
    }),
  ).rejects.toBe(own)
  expect(await second.tryLock('story')).toBe(true)
  expect(facts.map(fact => fact.type)).toEqual(['lock.acquired', 'lock.released'])
})

test('a lock is released when its transaction failed inside', async () => {
  const [first, second] = await twoSessions()
  const failure = await failureOf(
    withLock(first, 'story', { waitMs: 0, emit: silent }, () =>
      withTransaction(first, () => first.query('select * from never_made')),
    ),
  )
  expect(failure.message).toContain('never_made')
  expect(await second.tryLock('story')).toBe(true)
})

test('a waiter gives up after its time and names the holder', async () => {
  const [first, second] = await twoSessions()
  await withLock(first, 'story', { waitMs: 0, emit: silent }, async () => {
    const failure = await failureOf(withLock(second, 'story', { waitMs: 300, emit: silent }, async () => undefined))
    expect(failure.code).toBe('LOCK_TIMEOUT')
    expect(failure.message).toContain('the holder')
    expect(failure.details?.['waitedMs']).toBeGreaterThanOrEqual(300)
  })
})

test('a waiter gets the lock when it is free and tells that it waited', async () => {
  const [first, second] = await twoSessions()
  const [held, done] = [gate(), gate()]
  const order: string[] = []
  const facts: Fact[] = []
  const holding = withLock(first, 'story', { waitMs: 0, emit: silent }, async () => {
    held.open()
    await done.passed
    order.push('holder')
  })
  await held.passed
  const emit = (fact: Fact): void => {
    facts.push(fact)
    if (fact.type === 'lock.waiting') done.open()
  }
  await withLock(second, 'story', { waitMs: 60_000, emit }, async () => void order.push('waiter'))
  await holding
  expect(order).toEqual(['holder', 'waiter'])
  expect(facts.map(fact => fact.type)).toEqual(['lock.waiting', 'lock.acquired', 'lock.released'])
  expect(facts[0]).toMatchObject({ lock: 'story', holder: expect.stringContaining('the holder') as string })
})

test('a waiter does not hinder the holder, who builds an index concurrently', async () => {
  const [first, second] = await twoSessions()
  await first.script('create table t (n integer); insert into t select generate_series(1, 1000)')
  const [held, waiting] = [gate(), gate()]
  const holding = withLock(first, 'story', { waitMs: 0, emit: silent }, async () => {
    held.open()
    await waiting.passed
    await first.query('create index concurrently t_n on t (n)')
  })
  await held.passed
  const emit = (fact: Fact): void => {
    if (fact.type === 'lock.waiting') waiting.open()
  }
  await withLock(second, 'story', { waitMs: 60_000, emit }, async () => undefined)
  await holding
  const [table] = (await second.introspect()).tables
  expect(table?.indexes).toMatchObject([{ name: 't_n', valid: true }])
})

test('a lock that was lost meanwhile is reported', async () => {
  const [first] = await twoSessions()
  const facts: Fact[] = []
  await withLock(first, 'story', { waitMs: 0, emit: fact => facts.push(fact) }, () =>
    first.query('select pg_advisory_unlock_all()'),
  )
  expect(facts.map(fact => fact.type)).toEqual(['lock.acquired', 'warning', 'lock.released'])
})

test('an interrupted waiter ends at once', async () => {
  const [first, second] = await twoSessions()
  const stop = new AbortController()
  await withLock(first, 'story', { waitMs: 0, emit: silent }, async () => {
    const emit = (): void => stop.abort()
    const failure = await failureOf(
      withLock(second, 'story', { waitMs: 60_000, emit, signal: stop.signal }, async () => undefined),
    )
    expect(failure.code).toBe('INTERRUPTED')
  })
})

test('a transaction keeps its first failure even when the rollback fails as well', async () => {
  const { url } = await emptyDatabase()
  const failure = await failureOf(
    withSession(postgres, url, {}, session =>
      withTransaction(session, () => session.query('select pg_terminate_backend(pg_backend_pid())')),
    ),
  )
  expect(failure).toMatchObject({ code: 'CONNECTION_LOST', sqlState: '57P01' })
})

test('a snapshot sees one moment and changes nothing', async () => {
  const [first, second] = await twoSessions()
  await first.query('create table t (n integer)')
  const count = async (): Promise<unknown> => (await first.query('select count(*)::integer as n from t')).rows[0]
  await withTransaction(
    first,
    async () => {
      expect(await count()).toEqual({ n: 0 })
      await second.query('insert into t values (1)')
      expect(await count()).toEqual({ n: 0 })
    },
    'snapshot',
  )
  expect(await count()).toEqual({ n: 1 })
  const failure = await failureOf(withTransaction(first, () => first.query('insert into t values (2)'), 'snapshot'))
  expect(failure.sqlState).toBe('25006')
})
