/** Hours are sealed once they are proved; what comes too late waits for a decision, and retention stays behind the seals. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { eraseFromSealed } from '../../src/analytics/seal/erase.ts'
import {
  admitQuarantined,
  dismissQuarantined,
  listQuarantine,
  type SettleOptions,
} from '../../src/analytics/seal/quarantine.ts'
import { digestOf, presentSeals, readSeals } from '../../src/analytics/seal/seal-ledger.ts'
import { type SealOptions, sealBuckets } from '../../src/analytics/seal/seal.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, type World } from './support/world.ts'

const all = { from: null, until: null, shard: null }

const seal = (world: World, change: Partial<SealOptions> = {}) =>
  sealBuckets(world.project, { ...world.options(), before: '2026-03-03', afterDays: 30, signer: null, ...change })

const settle = (world: World): SettleOptions => ({ ...world.options(), selection: all, signer: null })

const usage = (world: World) =>
  world.ask<{ requests: string; cost: string }>(
    'select cast(sum(requests) as varchar) as requests, cast(sum(cost) as varchar) as cost from analytics.usage_hourly',
  )

/** Weekly partitions around the events, so that some can be retired. */
async function partitioned(world: World): Promise<void> {
  await world.sql(`select from platform.ensure_usage_event_partitions('2026-02-20T00:00:00Z', '2026-03-20T00:00:00Z')`)
}

describe('sealing', () => {
  test('what is rolled up and equal is sealed day by day, each hour with what it holds', async () => {
    const world = await makeWorld()
    await fillEvents(world, 800)
    expect((await seal(world)).sources[0]).toMatchObject({ sealedBefore: null, blocked: { reason: 'never rolled up' } })
    await world.run()
    const report = await seal(world, { signer: { keyId: 'k', sign: digest => `signed ${digest.slice(0, 4)}` } })
    expect(report).toMatchObject({
      status: 'sealed',
      sources: [{ sealedBefore: '2026-03-03T00:00:00.000000Z', blocked: null, hours: 48 }],
    })
    const seals = await world.warehouse(session => readSeals(session, 'raw.usage_events', { from: null, until: null }))
    const { rows } = await world.sql(
      `select date_trunc('hour', occurred_at, 'UTC') as hour, count(*)::text as rows, sum(input_tokens)::text as tokens, sum(cost)::text as cost
       from platform.usage_events where occurred_at < '2026-03-03T00:00:00Z' group by 1 order by 1`,
    )
    expect(seals.map(({ hour, rows: held, sums }) => [hour.slice(0, 13), held, sums[0], sums.at(-1)])).toEqual(
      rows.map(row => [(row['hour'] as Date).toISOString().slice(0, 13), row['rows'], row['tokens'], row['cost']]),
    )
    // A chain: each holds the digest of the one before, and the name of its key.
    let previous = ''
    for (const one of seals) {
      expect(one).toMatchObject({ previous, digest: digestOf('raw.usage_events', one), keyId: 'k', sealedBy: 'a test' })
      expect(one.signature).toBe(`signed ${one.digest.slice(0, 4)}`)
      previous = one.digest
    }
    expect((await seal(world)).status).toBe('nothing-to-do')
    expect((await world.sql('select sealed_before, held_from from platform.usage_event_seals')).rows).toEqual([
      { sealed_before: new Date('2026-03-03'), held_from: null },
    ])
    expect(world.facts).toContainEqual(expect.objectContaining({ type: 'rollup.sealed', hours: 48 }))
  })

  test('stops before a day with pending marks, and before a day that differs', async () => {
    const world = await makeWorld()
    await fillEvents(world, 800)
    await world.run()
    await world.sql(insertEvent, event(world, { at: '2026-03-02T05:00:00Z' }))
    expect((await seal(world)).sources[0]).toMatchObject({
      sealedBefore: '2026-03-02T00:00:00.000000Z',
      blocked: { reason: 'pending marks', day: '2026-03-02T00:00:00.000000Z' },
    })
    await world.run()
    await world.warehouse(session =>
      session.query(
        `update analytics.usage_hourly set requests = requests + 1 where bucket_hour = '2026-03-03T07:00:00Z'`,
      ),
    )
    expect((await seal(world, { before: '2026-03-05' })).sources[0]).toMatchObject({
      sealedBefore: '2026-03-03T00:00:00.000000Z',
      blocked: { reason: 'differences', day: '2026-03-03T00:00:00.000000Z' },
    })
  })
})

describe('what comes too late', () => {
  test('waits in quarantine, raises an alert, and is admitted: late, changed and removed events', async () => {
    const world = await makeWorld()
    await fillEvents(world, 800)
    await world.run()
    await seal(world)
    const before = await usage(world)
    await world.sql(insertEvent, event(world, { at: '2026-03-01T05:00:00Z', cost: '7.5' }))
    await world.sql(`update platform.usage_events set cost = cost + 1 where input_tokens = 40`)
    await world.sql(`delete from platform.usage_events where input_tokens = 60`)
    // What is not sealed is rolled up as ever.
    await world.sql(insertEvent, event(world, { at: '2026-03-04T05:00:00Z', cost: '0' }))
    const run = await world.run()
    expect(run.sources[0]).toMatchObject({ quarantined: 3 })
    expect(world.facts).toContainEqual(
      expect.objectContaining({ type: 'rollup.quarantined', cells: 3, oldestHour: '2026-03-01T04:00:00.000000Z' }),
    )
    expect(BigInt((await usage(world))[0]?.requests ?? 0)).toBe(BigInt(before[0]?.requests ?? 0) + 1n)
    const [listed] = await listQuarantine(world.project, world.options())
    expect(listed?.cells.map(({ kind, state }) => [kind, state]).sort()).toEqual([
      ['changed', 'open'],
      ['late', 'open'],
      ['removed', 'open'],
    ])
    expect((await world.run()).status).toBe('nothing-to-do')

    expect(await admitQuarantined(world.project, settle(world))).toMatchObject({ sources: [{ cells: 3, moved: 0 }] })
    await expectExact(world)
    const seals = await world.warehouse(session => readSeals(session, 'raw.usage_events', { from: null, until: null }))
    expect(seals.filter(({ reason }) => reason === 'admitted')).toHaveLength(3)
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('what is dismissed stays out until the source changes there again; what is undone withdraws itself', async () => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    await world.run()
    await seal(world, { before: '2026-03-02' })
    const id = randomUUID()
    await world.sql(insertEvent, event(world, { id, at: '2026-03-01T05:00:00Z' }))
    await world.run()
    await dismissQuarantined(world.project, settle(world))
    const states = async () =>
      (await listQuarantine(world.project, world.options()))[0]?.cells.map(({ state }) => state)
    expect(await states()).toEqual(['dismissed'])
    await world.sql(`update platform.usage_events set region = region where event_id = $1`, [id])
    await world.run()
    expect(await states()).toEqual(['dismissed'])
    await world.sql(`update platform.usage_events set cost = 9 where event_id = $1`, [id])
    await world.run()
    expect(await states()).toEqual(['open'])
    await world.sql(`delete from platform.usage_events where event_id = $1`, [id])
    await world.run()
    expect(await states()).toEqual(['withdrawn'])
  })
})

describe('reconciliation of what is sealed', () => {
  test('finds rollups, rows and sources that were altered behind its back, and repairs what can be', async () => {
    const world = await makeWorld()
    await fillEvents(world, 600)
    await world.run()
    await seal(world)
    await world.warehouse(async session => {
      await session.query(
        `update analytics.usage_hourly set requests = requests + 1 where bucket_hour = '2026-03-01T07:00:00Z'`,
      )
      await session.query(`delete from raw.usage_events where bucket_hour = '2026-03-01T09:00:00Z'`)
    })
    const report = await world.reconcile()
    expect(report).toMatchObject({ status: 'repaired' })
    expect(report.sources[0]?.differences).toContainEqual(
      expect.objectContaining({ table: 'raw.usage_events', bucket: '2026-03-01T09:00:00.000000Z', kind: 'missing' }),
    )
    await expectExact(world)

    // The source no longer says what was sealed, so its rows are not the ones to come back.
    await world.sql(`
      alter table platform.usage_events disable trigger user;
      set session_replication_role = replica;
      update platform.usage_events set cost = cost + 1 where date_trunc('hour', occurred_at, 'UTC') = '2026-03-01T11:00:00Z'`)
    await world.warehouse(session =>
      session.query(`update raw.usage_events set region = 'xx' where bucket_hour = '2026-03-01T11:00:00Z'`),
    )
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
    expect(await world.reconcile()).toMatchObject({ status: 'different' })
    const [listed] = await listQuarantine(world.project, world.options())
    expect(new Set(listed?.cells.map(({ hour, state }) => `${state} ${hour}`))).toEqual(
      new Set(['open 2026-03-01T11:00:00.000000Z']),
    )
    await expect(admitQuarantined(world.project, settle(world))).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
  })

  test('rotation proves each day once in so many days, the one whose proof is oldest first', async () => {
    const world = await makeWorld()
    await fillEvents(world, 700)
    await world.run()
    await seal(world, { before: '2026-03-02' })
    const proofs = async () =>
      world.ask<{ day: string; at: string }>(
        `select cast(bucket_day as varchar) as day, proved_at as at from plinth.rollup_proofs order by proved_at, bucket_day`,
      )
    // Each rotation takes the share of an hour, or of the time since the last one.
    const days = Math.ceil((Date.now() - Date.parse('2026-03-01')) / 86_400_000)
    expect(await world.reconcile({ everyDays: days * 24 })).toMatchObject({ status: 'equal' })
    expect((await proofs()).map(({ day }) => day)).toEqual(['2026-03-01'])
    await world.reconcile({ everyDays: days * 24 })
    expect((await proofs()).map(({ day }) => day)).toEqual(['2026-03-01', '2026-03-02'])
    await world.warehouse(async session => {
      await session.query(`update plinth.rollup_proofs set proved_at = proved_at - interval '3 days'`)
      await session.query(
        `update analytics.usage_hourly set requests = requests + 1 where bucket_hour = '2026-03-03T07:00:00Z'`,
      )
    })
    // Three days of four have passed: three quarters of all days are due, the altered one among them.
    expect(await world.reconcile({ everyDays: 4 })).toMatchObject({ status: 'repaired' })
    const all = await proofs()
    expect(all.length).toBeGreaterThan((days * 3) / 4 - 2)
    // A day that differed is proved by the next rotation.
    expect(all.map(({ day }) => day)).not.toContain('2026-03-03')
  })
})

describe('retention', () => {
  test('drops nothing that is not sealed, not seen or waits, and keeps the usage of what it drops', async () => {
    const world = await makeWorld()
    await partitioned(world)
    await fillEvents(world, 2500)
    await world.run()
    await world.sql('update platform.partition_settings set retention_days = 1')
    const retire = async () => (await world.sql('select * from platform.retire_usage_event_partitions()')).rows
    expect(await retire()).toEqual([])
    await seal(world, { before: '2026-03-09' })
    await world.sql(insertEvent, event(world, { at: '2026-03-03T05:00:00Z' }))
    // The weeks before are free of marks; this one has to be seen first.
    expect(await retire()).toHaveLength(2)
    await world.run()
    expect(await retire()).toEqual([])
    await admitQuarantined(world.project, settle(world))
    const before = await usage(world)
    const held = await world.sql(
      `select count(*)::text as n from platform.usage_events where occurred_at >= '2026-03-02' and occurred_at < '2026-03-09'`,
    )
    expect(await retire()).toMatchObject([{ partition_name: 'usage_events_20260302', retired_rows: held.rows[0].n }])
    await world.run()
    expect(await usage(world)).toEqual(before)
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
    // Loading everything again keeps what only the warehouse has.
    await world.run({ mode: 'rebase' })
    expect(await usage(world)).toEqual(before)
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('an event for a retired hour joins what was kept, once, and leaves the source; also when that run dies half-way', async () => {
    const world = await makeWorld()
    await partitioned(world)
    await fillEvents(world, 2500)
    await world.run()
    await world.sql('update platform.partition_settings set retention_days = 1')
    await seal(world, { before: '2026-03-09' })
    const hour = async () =>
      (
        await world.ask(
          `select cast(sum(requests) as integer) as n, cast(sum(cost) as varchar) as cost from analytics.usage_hourly where bucket_hour = '2026-03-03T05:00:00Z'`,
        )
      )[0]
    const [kept] = (
      await world.sql(
        `select count(*)::integer as n, sum(cost) as cost from platform.usage_events where date_trunc('hour', occurred_at, 'UTC') = '2026-03-03T05:00:00Z'`,
      )
    ).rows
    await world.sql('select from platform.retire_usage_event_partitions()')
    const id = randomUUID()
    await world.sql(insertEvent, event(world, { id, at: '2026-03-03T05:20:00Z', cost: '3.25' }))
    expect((await world.run()).sources[0]).toMatchObject({ quarantined: 1 })
    expect(await hour()).toEqual({ n: kept.n, cost: kept.cost })

    const dies = admitQuarantined(world.project, {
      ...settle(world),
      onStage: async stage => {
        if (stage === 'committed') throw new Error('killed')
      },
    })
    await expect(dies).rejects.toThrow('killed')
    const after = { n: kept.n + 1, cost: (Number(kept.cost) + 3.25).toFixed(6) }
    expect(await hour()).toEqual(after)
    // Another one comes before the first was taken out of the source.
    await world.sql(insertEvent, event(world, { at: '2026-03-03T05:21:00Z', cost: '1' }))
    await world.run()
    expect(await admitQuarantined(world.project, settle(world))).toMatchObject({ sources: [{ cells: 1, moved: 2 }] })
    expect(await hour()).toEqual({ n: kept.n + 2, cost: (Number(kept.cost) + 4.25).toFixed(6) })
    expect((await world.sql(`select from platform.usage_events where occurred_at < '2026-03-09'`)).rowCount).toBe(0)
    await world.run()
    const [listed] = await listQuarantine(world.project, world.options())
    expect(listed?.cells.map(({ state }) => state)).toEqual(['admitted'])
    const seals = await world.warehouse(session => readSeals(session, 'raw.usage_events', { from: null, until: null }))
    expect(presentSeals(seals).get('2026-03-03T05:00:00.000000Z')).toMatchObject({
      rows: String(kept.n + 2),
      reason: 'admitted',
    })
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('an erased organization leaves what was retired as well, and the seals say what is left', async () => {
    const world = await makeWorld()
    await partitioned(world)
    await fillEvents(world, 2500)
    await world.run()
    await world.sql('update platform.partition_settings set retention_days = 1')
    await seal(world, { before: '2026-03-09' })
    await world.sql('select from platform.retire_usage_event_partitions()')
    const [gone, other] = world.tenants
    const held = async (organization: string | undefined) =>
      world.ask<{ n: string }>(
        `select cast(sum(requests) as varchar) as n from analytics.usage_daily where organization_id = '${organization}' and bucket_day < date '2026-03-09'`,
      )
    const before = await held(other?.organization)
    const report = await eraseFromSealed(world.project, gone?.organization ?? '', { ...world.options(), signer: null })
    expect(report.sources[0]?.rows).toBeGreaterThan(100)
    expect(await held(gone?.organization)).toEqual([{ n: null }])
    expect(await held(other?.organization)).toEqual(before)
    expect((await world.reconcile({ action: 'report' })).status).toBe('equal')
  })

  test('a warehouse that never sealed refuses a source that has forgotten, unless it is told to go on', async () => {
    const world = await makeWorld()
    await partitioned(world)
    await fillEvents(world, 2500)
    await world.run()
    await world.sql('update platform.partition_settings set retention_days = 1')
    await seal(world, { before: '2026-03-09' })
    await world.sql('select from platform.retire_usage_event_partitions()')
    const other = await makeWorld(world.project)
    const elsewhere = { warehouse: other.options().warehouse, consumer: 'other' }
    await expect(world.run(elsewhere)).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    expect((await world.run({ ...elsewhere, mode: 'rebase' })).status).toBe('succeeded')
  })
})
