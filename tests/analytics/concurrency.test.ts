import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { expect, test } from 'vitest'
import { random } from './support/random.ts'
import { event, expectExact, insertEvent, makeWorld, type World } from './support/world.ts'

/** Hours on both sides of midnight and of a change of summer time, so that moves cross days. */
const hours = [
  '2026-03-28T22',
  '2026-03-28T23',
  '2026-03-29T00',
  '2026-03-29T01',
  '2026-03-29T02',
  '2026-10-25T01',
  '2025-02-28T23',
  '2026-12-31T23',
]

interface Writer {
  readonly client: Client
  readonly chance: () => number
  readonly known: string[]
}

async function change(world: World, { client, chance, known }: Writer): Promise<void> {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T
  const at = () =>
    `${pick(hours)}:${String(Math.floor(chance() * 60)).padStart(2, '0')}:${String(Math.floor(chance() * 60)).padStart(2, '0')}.${String(Math.floor(chance() * 1e6)).padStart(6, '0')}Z`
  const kind = chance()
  if (kind < 0.5 || known.length === 0) {
    const id = randomUUID()
    await client.query(
      insertEvent,
      event(world, {
        id,
        at: at(),
        tenant: pick(world.tenants),
        model: pick(world.models),
        inputTokens: Math.floor(chance() * 1000),
      }),
    )
    known.push(id)
  } else if (kind < 0.65) {
    await client.query('update platform.usage_events set occurred_at = $2, cost = cost + 0.5 where event_id = $1', [
      pick(known),
      at(),
    ])
  } else if (kind < 0.75) {
    const tenant = pick(world.tenants)
    await client.query('update platform.usage_events set organization_id = $2, api_key_id = $3 where event_id = $1', [
      pick(known),
      tenant.organization,
      tenant.key,
    ])
  } else if (kind < 0.9) {
    await client.query('delete from platform.usage_events where event_id = $1', [pick(known)])
  } else {
    await client.query('savepoint maybe')
    await client.query(insertEvent, event(world, { at: at(), tenant: pick(world.tenants) }))
    if (chance() < 0.5) await client.query('rollback to maybe')
  }
}

/** Transactions of several changes that stay open for a while; some are rolled back, some lose against another writer. */
async function write(world: World, writer: Writer, transactions: number): Promise<void> {
  for (let n = 0; n < transactions; n++) {
    await writer.client.query(writer.chance() < 0.3 ? 'begin isolation level repeatable read' : 'begin')
    try {
      for (let changes = 1 + Math.floor(writer.chance() * 4); changes > 0; changes--) {
        await change(world, writer)
        await sleep(writer.chance() * 40)
      }
      await writer.client.query(writer.chance() < 0.2 ? 'rollback' : 'commit')
    } catch (error) {
      // Deadlocks and conflicts are part of the story; anything else is not.
      if (!['40001', '40P01'].includes((error as { code?: string }).code ?? '')) throw error
      await writer.client.query('rollback')
    }
  }
}

test.each([1, 2, 3])(
  'writers with open transactions while runs go on (seed %i): nothing is lost and nothing counted twice',
  async seed => {
    const world = await makeWorld()
    const writers: Writer[] = []
    for (let n = 0; n < 8; n++)
      writers.push({ client: await world.connect(), chance: random(seed * 100 + n), known: [] })
    const state = { writing: true, runs: 0 }
    const running = (async () => {
      while (state.writing) {
        await world.run()
        state.runs++
      }
    })()
    // However slow the machine is, some runs begin while others write.
    do await Promise.all(writers.map(writer => write(world, writer, 12)))
    while (state.runs < 2)
    state.writing = false
    await running
    await world.run()
    await expectExact(world)
    expect(await world.reconcile({ action: 'report' })).toMatchObject({
      status: 'equal',
      sources: [{ pending: 0, different: 0 }],
    })
    expect((await world.sql('select count(*)::int as marks from platform.usage_event_marks')).rows).toEqual([
      { marks: 0 },
    ])
  },
)

test('a run in the midst of writers is what the source was at its snapshot', async () => {
  const world = await makeWorld()
  const writer = await world.connect()
  const reader = await world.connect()
  await world.sql(insertEvent, event(world))
  let expected: unknown
  await world.run({
    onStage: async stage => {
      if (stage === 'leased') {
        await writer.query('begin')
        await writer.query(insertEvent, event(world, { at: '2026-03-10T10:20:00Z' }))
      }
      if (stage === 'captured') {
        expected = (await reader.query('select count(*)::text as rows from platform.usage_events')).rows
        await writer.query('commit')
        await world.sql(insertEvent, event(world, { at: '2026-03-10T10:30:00Z' }))
      }
    },
  })
  expect(await world.ask('select cast(sum(requests) as varchar) as rows from analytics.usage_hourly')).toEqual(expected)
  await world.run()
  await expectExact(world)
})
