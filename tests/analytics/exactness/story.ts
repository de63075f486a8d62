/**
 * Rounds of writers and runners at once. After every run the warehouse is what the model says that the source was at the cursor's snapshot;
 * when the writers of a round have ended and nothing is pending, it is what the source is.
 */
import { randomUUID } from 'node:crypto'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { type RollupOptions, runRollup } from '../../../src/analytics/run/run.ts'
import type { Stage } from '../../../src/analytics/run/step.ts'
import { withSession } from '../../../src/engines/brackets.ts'
import { duckdb } from '../../../src/engines/duckdb/index.ts'
import { PlinthError } from '../../../src/errors.ts'
import { withClient } from '../../support/database.ts'
import { type Dice, diceOf } from '../support/random.ts'
import { event, insertEvent, makeWorld, migrateWarehouse, type World } from '../support/world.ts'
import { forgetRows, keepHistory, rowsAsOf } from './history.ts'
import { expectedFrom, expectEqual, storedIn } from './reference.ts'
import { count, type Tally } from './tally.ts'
import { abandonPrepared, type Allowance, endPrepared, write, type Writer } from './writers.ts'

export interface Size {
  readonly seed: number
  readonly rounds: number
  readonly writers: number
  /** How long a transaction stays open at most. */
  readonly holdMs: number
}

/** Plays a story and answers what happened. Fails with the place where warehouse and source differ. */
export async function play({ seed, rounds, writers: number, holdMs }: Size): Promise<Tally> {
  const world = await makeWorld()
  const tally: Tally = new Map()
  onTestFinished(() => abandonPrepared(world))
  await keepHistory(world)
  await world.sql(`select platform.ensure_usage_event_partitions('2025-12-29T00:00:00Z', '2026-04-06T00:00:00Z')`)
  const second = `duckdb:${join(dirname(world.warehouseUrl.slice('duckdb:'.length)), 'second.duckdb')}`
  await withSession(duckdb, second, {}, migrateWarehouse)
  const left: string[] = []
  const story: Story = { world, tally, dice: diceOf(seed), second, left }
  await world.run()
  await runRollup(world.project, world.options(secondOptions(second)))
  const known: string[] = []
  const writers: Writer[] = []
  for (let n = 0; n < number; n++)
    writers.push({ client: await world.connect(), dice: diceOf(seed * 1000 + n + 1), known, tally, holdMs, left })
  for (let round = 0; round < rounds; round++) {
    const allowance: Allowance = { transactions: 0, over: false }
    const state = { failed: false }
    const writing = Promise.all(writers.map(writer => write(world, writer, allowance)))
    // A writer that fails ends the story.
    writing.catch(() => (state.failed = true))
    try {
      for (const act of story.dice.shuffle(deck)) {
        if (state.failed) break
        allowance.transactions = number
        await act(story)
        if (story.dice.chance(0.3)) await endPrepared(world, story)
      }
    } finally {
      allowance.over = true
    }
    await writing
    await endPrepared(world, story)
    await settle(story)
    await changeAlone(story)
    await fallBehind(story)
  }
  return tally
}

interface Story {
  readonly world: World
  readonly tally: Tally
  readonly dice: Dice
  /** Another warehouse of the same source, which reads less often. */
  readonly second: string
  /** Prepared transactions that nobody has ended yet. */
  readonly left: string[]
}

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

/** What runners do in a round, in an order of chance. */
const deck: readonly ((story: Story) => Promise<void>)[] = [
  runOnce,
  runOnce,
  runOnce,
  ...stages.map(stage => (story: Story) => crash(story, stage)),
  crashBetweenBatches,
  twoAtOnce,
  twoAtOnce,
  ...(['leased', 'captured', 'claimed', 'replaced'] as const).map(stage => (story: Story) => oversleep(story, stage)),
  dropPartition,
  dropWhileRunning,
  truncatePartition,
  reconcileMeanwhile,
  runSecond,
  rebase,
]

async function runOnce(story: Story): Promise<void> {
  await story.world.run()
  count(story.tally, 'runs')
  await verify(story)
}

/** Dies at a stage: before the commit nothing is kept, after it everything is. */
async function crash(story: Story, stage: Stage): Promise<void> {
  await changeOne(story)
  const before = await storedIn(story.world.warehouseUrl)
  const died = await failure(story.world.run({ onStage: dieAt(stage) }))
  expect(died).toBe(`died at ${stage}`)
  count(story.tally, `crashes at "${stage}"`)
  if (stage !== 'committed' && stage !== 'acknowledged')
    expect((await storedIn(story.world.warehouseUrl)).snapshot).toBe(before.snapshot)
  await verify(story)
  await runOnce(story)
}

/** So that a run has something to do, whatever writers did. */
async function changeOne({ world }: Story): Promise<void> {
  await world.sql(insertEvent, event(world, { at: '2026-03-31T23:30:00Z' }))
}

async function crashBetweenBatches(story: Story): Promise<void> {
  let committed = 0
  const onStage = async (stage: Stage) => {
    if (stage === 'committed' && ++committed === 2) throw new Error('died between')
  }
  const died = await failure(story.world.run({ limits: { rows: 20, cells: 10 }, onStage }))
  if (died !== null) {
    expect(died).toBe('died between')
    count(story.tally, 'crashes between batches')
  }
  await runOnce(story)
}

async function twoAtOnce(story: Story): Promise<void> {
  const ended = await Promise.allSettled([story.world.run(), story.world.run()])
  for (const one of ended)
    if (one.status === 'rejected') expect(codeOf(one.reason)).toMatch(/^(LOCK_TIMEOUT|LEASE_LOST|WAREHOUSE_BUSY)$/)
  expect(ended.map(({ status }) => status)).toContain('fulfilled')
  count(story.tally, 'two runners at once')
  await verify(story)
}

/** A runner that sleeps at a stage until its lease is over and another has been there. */
async function oversleep(story: Story, stage: Stage): Promise<void> {
  const { world, tally } = story
  await changeOne(story)
  const [asleep, wake] = gate()
  const [reached, arrive] = gate()
  const sleeper = world.run({
    onStage: async at => {
      if (at !== stage) return
      arrive()
      await asleep
    },
  })
  const outcome = failure(sleeper).then(found => {
    arrive()
    return found
  })
  await reached
  await world.sql(`update plinth.leases set expires_at = '-infinity'`)
  await sleep(story.dice.below(50))
  const other = await failure(world.run())
  wake()
  const slept = await outcome
  count(tally, 'runners that slept beyond their lease')
  // Who holds the target already keeps it, and whoever comes is refused there; who does not has lost it.
  const held = stage === 'claimed' || stage === 'replaced'
  expect([slept, other]).toEqual(held ? [null, 'WAREHOUSE_BUSY'] : ['LEASE_LOST', null])
  if (slept === 'LEASE_LOST') count(tally, 'runners that lost their lease and changed nothing')
  await runOnce(story)
}

async function dropPartition(story: Story): Promise<void> {
  await dropOldest(story)
  await runOnce(story)
}

/** What is dropped between a run's snapshot and its reading is gone for it, though its snapshot held it; the next run sees the marks. */
async function dropWhileRunning(story: Story): Promise<void> {
  const dropping: Promise<void>[] = []
  const onStage = async (stage: Stage) => {
    if (stage === 'leased') dropping.push(dropOldest(story))
    await sleep(story.dice.below(10))
  }
  await story.world.run({ onStage })
  await Promise.all(dropping)
  await runOnce(story)
}

async function dropOldest(story: Story): Promise<void> {
  const { world, tally, dice } = story
  await patiently(story, () =>
    withClient(world.sourceUrl, async client => {
      await client.query(`begin; set local lock_timeout = '1500ms'`)
      const { rows } = await client.query<{ name: string; until: string; rows: number }>(
        `select partition_name as name, upper_bound::text as until from platform.usage_event_partitions() limit 1`,
      )
      const oldest = rows[0]
      if (!oldest || oldest.until > '2026-04-01') return client.query('rollback')
      await client.query('lock table platform.usage_events in access exclusive mode')
      await forgetRows(client, `platform.${oldest.name}`)
      const answer = await client.query('select * from platform.drop_usage_event_partitions($1)', [oldest.until])
      await client.query(dice.chance(0.8) ? 'commit' : 'rollback')
      count(tally, 'partitions dropped')
      return count(
        tally,
        'events that left with their partition',
        Number((answer.rows[0] as { dropped_rows: string }).dropped_rows),
      )
    }),
  )
}

async function truncatePartition(story: Story): Promise<void> {
  const { world, tally, dice } = story
  await patiently(story, () =>
    withClient(world.sourceUrl, async client => {
      await client.query(`begin; set local lock_timeout = '1500ms'`)
      const { rows } = await client.query<{ name: string }>(
        'select partition_name as name from platform.usage_event_partitions()',
      )
      const table = `platform.${dice.pick(rows)?.name ?? 'usage_events_default'}`
      await client.query(`lock table ${table} in access exclusive mode`)
      await forgetRows(client, table)
      await client.query(`truncate ${table}`)
      await client.query('commit')
      count(tally, 'partitions truncated')
    }),
  )
  await runOnce(story)
}

async function reconcileMeanwhile(story: Story): Promise<void> {
  const report = await story.world.reconcile({ action: 'report' })
  expect(report.sources[0]?.differences).toEqual([])
  count(story.tally, 'reconciliations')
}

async function runSecond(story: Story): Promise<void> {
  const { world, second, tally } = story
  await runRollup(world.project, world.options(secondOptions(second)))
  count(tally, 'runs of the second warehouse')
  await verify(story, second)
}

async function rebase(story: Story): Promise<void> {
  await story.world.run({ mode: 'rebase' })
  count(story.tally, 'rebases')
  await verify(story)
}

function secondOptions(url: string): Partial<RollupOptions> {
  return { consumer: 'second', warehouse: { engine: duckdb, url } }
}

/** The warehouse is what the source was at the cursor's snapshot, as the model tells. */
async function verify({ world, tally }: Story, url = world.warehouseUrl): Promise<void> {
  const { contents, snapshot } = await storedIn(url)
  if (snapshot === null) return
  const wanted = await expectedFrom(world.sourceUrl, rowsAsOf(snapshot))
  count(tally, 'cells and rows compared', expectEqual(contents, wanted, `at snapshot ${snapshot}`))
  count(tally, 'comparisons')
}

/** Nobody writes: both warehouses are what the source is, nothing is pending, and no mark is left. */
async function settle(story: Story): Promise<void> {
  const { world, second, tally } = story
  await world.run()
  await runRollup(world.project, world.options(secondOptions(second)))
  const marks = await world.sql('select count(*)::int as marks from platform.usage_event_marks')
  expect(marks.rows).toEqual([{ marks: 0 }])
  const wanted = await expectedFrom(world.sourceUrl, 'select * from platform.usage_events')
  for (const url of [world.warehouseUrl, second]) {
    const { contents } = await storedIn(url)
    count(tally, 'cells and rows compared', expectEqual(contents, wanted, 'when nothing is pending'))
    count(tally, 'comparisons with the source itself')
  }
  expect(await world.reconcile({ action: 'report' })).toMatchObject({ status: 'equal', sources: [{ pending: 0 }] })
}

/**
 * Nobody else writes, and each change has a run of its own: what a run does for one cell or two must not lean on what others changed beside it.
 * Every kind of change, by which a cell appears, alters, moves and vanishes, in the last hour of a day.
 */
async function changeAlone({ world, tally }: Story): Promise<void> {
  const id = randomUUID()
  const [first, second] = world.tenants
  const at = (moment: string) =>
    [`update platform.usage_events set occurred_at = $2 where event_id = $1`, [id, moment]] as const
  const changes: readonly (readonly [text: string, values: readonly unknown[]])[] = [
    [insertEvent, event(world, { id, at: '2026-05-09T23:10:00Z', tenant: first })],
    ['update platform.usage_events set cost = cost + 1, latency_ms = latency_ms + 500 where event_id = $1', [id]],
    ['update platform.usage_events set model_id = $2 where event_id = $1', [id, world.models[1]]],
    at('2026-05-09T23:50:00Z'),
    at('2026-05-09T22:50:00Z'),
    at('2026-05-10T00:00:00Z'),
    [
      'update platform.usage_events set organization_id = $2, api_key_id = $3 where event_id = $1',
      [id, second?.organization, second?.key],
    ],
    ['delete from platform.usage_events where event_id = $1', [id]],
  ]
  for (const [text, values] of changes) {
    await world.sql(text, [...values])
    const [source] = (await world.run()).sources
    expect(source?.cells, text).toBeGreaterThan(0)
    expect(source?.cells, text).toBeLessThanOrEqual(2)
    const wanted = await expectedFrom(world.sourceUrl, 'select * from platform.usage_events')
    const { contents } = await storedIn(world.warehouseUrl)
    count(tally, 'cells and rows compared', expectEqual(contents, wanted, `after ${text}`))
    count(tally, 'changes that had a run of their own')
  }
}

/** A transaction is open while the second warehouse reads and over when the first one does: its marks must wait for the second. */
async function fallBehind({ world, second, tally }: Story): Promise<void> {
  const runBehind = () => runRollup(world.project, world.options(secondOptions(second)))
  const writer = await world.connect()
  await writer.query('begin')
  await writer.query(insertEvent, event(world, { at: '2026-05-11T05:10:00Z' }))
  await world.sql(insertEvent, event(world, { at: '2026-05-12T06:10:00Z' }))
  await runBehind()
  await writer.query('commit')
  await world.run()
  await runBehind()
  const wanted = await expectedFrom(world.sourceUrl, 'select * from platform.usage_events')
  for (const url of [world.warehouseUrl, second])
    count(
      tally,
      'cells and rows compared',
      expectEqual((await storedIn(url)).contents, wanted, 'with one behind the other'),
    )
  count(tally, 'marks that waited for the slower warehouse')
}

function dieAt(stage: Stage) {
  return async (reached: Stage) => {
    if (reached === stage) throw new Error(`died at ${stage}`)
  }
}

/** Null for a run that succeeded, else its code or message. */
async function failure(run: Promise<unknown>): Promise<string | null> {
  return run.then(
    () => null,
    (error: unknown) => codeOf(error),
  )
}

function codeOf(error: unknown): string {
  return error instanceof PlinthError ? error.code : (error as Error).message
}

function gate(): [Promise<void>, () => void] {
  let open = (): void => undefined
  const opened = new Promise<void>(resolve => {
    open = resolve
  })
  return [opened, open]
}

/** Again while writers are in the way. */
async function patiently(story: Story, work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      await work()
      return
    } catch (error) {
      if (!['55P03', '40P01', '42P01'].includes((error as { code?: string }).code ?? '')) throw error
      count(story.tally, 'partitions that were in use')
      await endPrepared(story.world, story)
    }
  }
}
