/** Writers: transactions of several changes that stay open for a while, of every kind that a source can see. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Dice } from '../support/random.ts'
import { event, insertEvent, type World } from '../support/world.ts'
import { count, type Tally } from './tally.ts'

export interface Writer {
  readonly client: Client
  readonly dice: Dice
  /** Ids of events that somebody may have written, shared by all writers. */
  readonly known: string[]
  readonly tally: Tally
  /** How long a transaction stays open at most. */
  readonly holdMs: number
  /** Names of prepared transactions that are left for later. */
  readonly left: string[]
}

/** What writers may still do: each act of a runner lets them go on, so that runners have as much to do on a slow machine as on a fast one. */
export interface Allowance {
  transactions: number
  over: boolean
}

/** Transactions one after another until it is over. */
export async function write(world: World, writer: Writer, allowance: Allowance): Promise<void> {
  while (!allowance.over) {
    if (allowance.transactions-- > 0) await transaction(world, writer)
    else await sleep(10)
  }
}

/** Ends the prepared transactions that writers left. */
export async function endPrepared(
  world: World,
  { left, dice, tally }: Pick<Writer, 'left' | 'dice' | 'tally'>,
): Promise<void> {
  for (const name of left.splice(0)) {
    const verb = dice.chance(0.7) ? 'commit' : 'rollback'
    await world.sql(`${verb} prepared '${name}'`)
    count(tally, `prepared transactions, ended after a while by ${verb}`)
  }
}

/** Whatever a story that failed left behind keeps its database from being dropped. */
export async function abandonPrepared(world: World): Promise<void> {
  const { rows } = await world.sql('select gid from pg_prepared_xacts where database = current_database()')
  for (const { gid } of rows as { gid: string }[]) await world.sql(`rollback prepared '${gid}'`)
}

const isolations = { 'read committed': 6, 'repeatable read': 3, serializable: 1 }
const ends = { commit: 7, rollback: 1, prepare: 2 }

/** What one transaction does to another is part of the story: deadlocks, conflicts, locks that take too long, a partition that is gone. */
const expectedStates: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '42P01', '23505'])

async function transaction(world: World, writer: Writer): Promise<void> {
  const { client, dice, tally, holdMs } = writer
  const isolation = dice.weighted(isolations)
  const changes = 1 + dice.below(4)
  await client.query(`begin isolation level ${isolation}`)
  await client.query(`set local lock_timeout = '700ms'`)
  const held = dice.next() * holdMs
  try {
    for (let n = 0; n < changes; n++) {
      await change(world, writer)
      await sleep(held / changes)
    }
    await end(writer)
    count(tally, `transactions, ${isolation}`)
  } catch (error) {
    const { code = '' } = error as { code?: string }
    if (!expectedStates.has(code)) throw error
    await client.query('rollback')
    count(tally, `transactions that lost (SQLSTATE ${code})`)
  }
}

async function end({ client, dice, tally, left }: Writer): Promise<void> {
  const how = dice.weighted(ends)
  if (how !== 'prepare') {
    await client.query(how)
    count(tally, how === 'commit' ? 'commits' : 'rollbacks')
    return
  }
  const name = `exactness-${randomUUID()}`
  await client.query(`prepare transaction '${name}'`)
  count(tally, 'prepared transactions')
  if (left.length < 8 && dice.chance(0.2)) {
    left.push(name)
    return
  }
  await sleep(dice.next() * 100)
  await client.query(`${dice.chance(0.8) ? 'commit' : 'rollback'} prepared '${name}'`)
}

type Kind =
  | 'insert'
  | 'copy'
  | 'again'
  | 'hour'
  | 'day'
  | 'organization'
  | 'correct'
  | 'delete'
  | 'savepoint'
  | 'partition'

const kinds: Readonly<Record<Kind, number>> = {
  insert: 30,
  copy: 6,
  again: 8,
  hour: 8,
  day: 8,
  organization: 8,
  correct: 10,
  delete: 10,
  savepoint: 10,
  partition: 6,
}

async function change(world: World, writer: Writer, allowed: Readonly<Record<string, number>> = kinds): Promise<void> {
  const { client, dice, tally, known } = writer
  const kind = known.length === 0 ? 'insert' : (dice.weighted(allowed) as Kind)
  const id = known.length === 0 ? '' : known[Math.max(0, known.length - 1 - dice.below(400))]
  const run = async (what: string, text: string, values: unknown[]) => {
    const { rowCount } = await client.query(text, values)
    count(tally, `events ${what}`, rowCount ?? 0)
  }
  switch (kind) {
    case 'insert':
      return insert(world, writer)
    case 'copy':
      return copy(world, writer)
    case 'again':
      return again(writer, id ?? '')
    case 'hour':
      return run(
        'moved across hours',
        `update platform.usage_events set occurred_at = occurred_at + interval '61 minutes' where event_id = $1`,
        [id],
      )
    case 'day':
      return run('moved across days', 'update platform.usage_events set occurred_at = $2 where event_id = $1', [
        id,
        moment(dice),
      ])
    case 'organization': {
      const { organization, key } = dice.pick(world.tenants)
      const text =
        'update platform.usage_events set organization_id = $2, api_key_id = $3 where event_id = $1 and organization_id <> $2'
      return run('moved across organizations', text, [id, organization, key])
    }
    case 'correct':
      return run(
        'corrected',
        `update platform.usage_events set cost = cost + $2, latency_ms = latency_ms / 2, model_id = $3 where event_id = $1`,
        [id, '0.000001', dice.pick(world.models)],
      )
    case 'delete':
      return run('deleted', 'delete from platform.usage_events where event_id = $1', [id])
    case 'savepoint':
      return savepoint(world, writer)
    case 'partition':
      return aimAtPartition(writer)
  }
}

async function insert(world: World, { client, dice, tally, known }: Writer): Promise<void> {
  for (let n = 1 + dice.below(3); n > 0; n--) {
    const id = randomUUID()
    const at = moment(dice)
    await client.query(insertEvent, event(world, { id, at, ...some(world, dice) }))
    known.push(id)
    count(tally, 'events inserted')
    if (dstDays.some(day => at.startsWith(day))) count(tally, 'events on days when clocks change')
    if (at > '2027') count(tally, 'events of the future')
  }
}

async function copy(world: World, { client, dice, tally, known }: Writer): Promise<void> {
  const lines: string[] = []
  for (let n = 5 + dice.below(10); n > 0; n--) {
    const id = randomUUID()
    const values = event(world, { id, at: moment(dice), ...some(world, dice) })
    lines.push(`${values.map(value => (value === null ? '\\N' : `${value as string | number}`)).join('\t')}\n`)
    if (n % 5 === 0) known.push(id)
  }
  const columns = insertEvent.slice(insertEvent.indexOf('('), insertEvent.indexOf('values'))
  await pipeline(Readable.from(lines), client.query(copyFrom(`copy platform.usage_events ${columns} from stdin`)))
  count(tally, 'events copied', lines.length)
}

/** The same event once more: let pass without a word, or refused, which is the end of a savepoint. */
async function again({ client, dice, tally }: Writer, id: string): Promise<void> {
  const text = 'insert into platform.usage_events select * from platform.usage_events where event_id = $1'
  if (dice.chance(0.5)) {
    const { rowCount } = await client.query(`${text} on conflict do nothing`, [id])
    count(tally, 'duplicates ignored', rowCount === 0 ? 1 : 0)
    return
  }
  await client.query('savepoint again')
  try {
    await client.query(text, [id])
  } catch (error) {
    if ((error as { code?: string }).code !== '23505') throw error
    await client.query('rollback to again')
    count(tally, 'duplicates refused')
  }
}

async function savepoint(world: World, writer: Writer): Promise<void> {
  const { client, dice, tally } = writer
  await client.query('savepoint maybe')
  await change(world, writer, { ...kinds, savepoint: 0, again: 0 })
  await client.query(dice.chance(0.5) ? 'rollback to maybe' : 'release maybe')
  count(tally, 'savepoints')
}

/** Statements that name a partition fire its triggers and not those of the table. */
async function aimAtPartition({ client, dice, tally }: Writer): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    'select partition_name as name from platform.usage_event_partitions()',
  )
  const table = `platform.${dice.pick(rows)?.name ?? 'usage_events_default'}`
  const some = `event_id in (select event_id from ${table} limit 2)`
  const text = dice.chance(0.7)
    ? `update ${table} set output_tokens = output_tokens + 1 where ${some}`
    : `delete from ${table} where ${some}`
  const { rowCount } = await client.query(text)
  count(tally, 'events changed through a partition', rowCount ?? 0)
}

const dstDays = ['2026-03-29', '2026-10-25', '2026-03-08', '2026-04-05']
const days = [
  ...dstDays,
  '2026-01-01',
  '2026-01-06',
  '2026-01-15',
  '2026-02-03',
  '2026-02-28',
  '2026-03-01',
  '2026-03-30',
  '2026-03-31',
  '2025-12-31',
  '2024-02-29',
  '2031-07-04',
]

/** Few hours, so that writers meet, on both sides of midnight. */
function moment(dice: Dice): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const micros = String(dice.below(1_000_000)).padStart(6, '0')
  return `${dice.pick(days)}T${two(dice.pick([0, 1, 2, 22, 23]))}:${two(dice.below(60))}:${two(dice.below(60))}.${micros}Z`
}

function some(world: World, dice: Dice) {
  const status = dice.pick(['success', 'success', 'success', 'error', 'rate_limited'] as const)
  return {
    tenant: dice.pick(world.tenants),
    model: dice.pick(world.models),
    inputTokens: dice.below(1000),
    status,
    errorCode: status === 'error' ? 'timeout' : null,
    cost: `${dice.below(1000)}.${String(dice.below(1_000_000)).padStart(6, '0')}`,
    latencyMs: dice.pick([0, 1, dice.below(100), dice.below(100_000)]),
    region: dice.pick(['eu-west-1', 'us-east-1']),
  }
}
