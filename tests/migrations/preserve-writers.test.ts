/** While a step takes data away, others go on writing. What they were told is written is there again after the rollback. */
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { story } from './preserve-story.ts'

const sizes = [
  { title: 'small, and locked for its copy', rows: 2_000 },
  { title: 'large, and copied beside its writers', rows: 120_000 },
]

test.each(sizes)('a column of a table that is $title', async ({ rows: size }) => {
  const { url, sql, rows, up, down } = await story({
    '1_base': ['create table t (id int primary key, n int default 0, note text);', 'drop table t;'],
    '2_drop': ['alter table t drop column note;', 'alter table t add column note text;'],
  })
  await up('1')
  await sql(`insert into t select g, 0, repeat('x', 90) || g from generate_series(1, ${size}) g`)
  const writers = await startWriters(url, size)
  await writers.settled(50)
  await up()
  await writers.settled(10)
  const written = await writers.stop()
  await down()
  const back = (await rows('select id, note from t')) as { id: number; note: string | null }[]
  const found = new Map(back.map(row => [row.id, row.note]))
  expect(written.notes.size).toBeGreaterThan(20)
  for (const [id, note] of written.notes) expect([id, found.get(id)]).toEqual([id, note])
  for (const id of written.gone) expect(found.has(id)).toBe(false)
  expect(back.filter(row => row.note === null)).toEqual([])
})

test.each([
  { title: 'drop table', up: 'drop table t;' },
  { title: 'drop table in a block of code', up: 'do $$ begin drop table t; end $$;' },
  { title: 'truncate', up: 'truncate t;' },
  { title: 'delete', up: 'delete from t;' },
])('rows that come while a step waits to $title', async ({ up: statement }) => {
  const { url, sql, rows, up, down } = await story({
    '1_base': ['create table t (id int primary key, note text);', 'drop table t;'],
    '2_go': [statement, 'create table if not exists t (id int primary key, note text);'],
  })
  await up('1')
  const other = new Client({ connectionString: url })
  await other.connect()
  try {
    // The step finds the table empty, or with one row, and has to wait for the other transaction.
    await other.query("begin; insert into t values (1, 'late')")
    const applied = up()
    await expect
      .poll(
        async () => (await other.query("select from pg_locks where not granted and relation = 't'::regclass")).rowCount,
      )
      .toBe(1)
    await other.query('commit')
    await applied
  } finally {
    await other.end()
  }
  await sql('select 1')
  await down()
  expect(await rows('select * from t')).toEqual([{ id: 1, note: 'late' }])
})

/** Each writes to its own rows, so that it knows what is there last. */
async function startWriters(url: string, size: number) {
  const notes = new Map<number, string>()
  const gone = new Set<number>()
  const state = { running: true, turns: 0 }
  const work = async (number: number) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    for (let turn = 0; state.running; turn++) {
      const id = 1 + ((turn * 8 + number) % size)
      const note = `${number}/${turn}`
      try {
        if (turn % 10 === 7) {
          await client.query('insert into t values ($1, 0, $2)', [size + turn * 8 + number, note])
          notes.set(size + turn * 8 + number, note)
        } else if (turn % 10 === 9 && !notes.has(id)) {
          await client.query('delete from t where id = $1', [id])
          gone.add(id)
        } else if (!gone.has(id)) {
          await client.query('update t set note = $2 where id = $1', [id, note])
          notes.set(id, note)
        }
      } catch {
        // The column is gone by now.
        await client.query('update t set n = n + 1 where id = $1', [id]).catch(() => undefined)
      }
      state.turns++
    }
    await client.end()
  }
  const all = Promise.all([0, 1, 2, 3].map(work))
  return {
    settled: async (count: number) => {
      const from = state.turns
      await expect.poll(() => state.turns - from).toBeGreaterThan(count)
    },
    stop: async () => {
      state.running = false
      await all
      return { notes, gone }
    },
  }
}
