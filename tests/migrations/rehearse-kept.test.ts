import { randomBytes } from 'node:crypto'
import { expect, inject, onTestFinished, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import type { ScriptToRehearse } from '../../src/migrations/rehearse/script.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { dropKeptAfterwards, keptOf } from '../support/kept.ts'

const script = (version: string, text: string): ScriptToRehearse => ({
  version,
  direction: 'up',
  file: `${version}.up.sql`,
  text,
})

/** A history that no other test has, and the databases that are kept of it, which go when the test ends. */
function story() {
  const mark = randomBytes(6).toString('hex')
  const history = [
    script('1', `create table a (id int primary key); comment on table a is '${mark}';`),
    script('2', 'create table b (id int primary key references a);'),
    script('3', 'insert into a values (1); insert into b values (1);'),
  ]
  dropKeptAfterwards(mark)
  return { mark, history }
}

async function placeOf() {
  const { url } = await emptyDatabase()
  return { engine: await engineOf(url), url, kept: 50 }
}

test('the second rehearsal begins where the first ended, and an edit of an older file begins anew', async () => {
  const { history, mark } = story()
  const place = await placeOf()
  const pending = [script('4', 'alter table b add column n int')]
  const first = await rehearseScripts(place, { history, pending })
  expect(await keptOf(mark)).toHaveLength(1)
  const second = await rehearseScripts(place, { history, pending })
  expect(await keptOf(mark)).toHaveLength(1)
  expect(second.after).toEqual(first.after)
  expect(second.before.tables.find(({ name }) => name === 'b')?.columns).toHaveLength(1)

  const longer = await rehearseScripts(place, {
    history: [...history, ...pending],
    pending: [script('5', 'create index on b (n)')],
  })
  expect(longer.before).toEqual(first.after)
  expect(await keptOf(mark)).toHaveLength(2)

  const edited = history.with(1, script('2', 'create table b (id int primary key references a, edited text);'))
  const anew = await rehearseScripts(place, { history: edited, pending })
  expect(anew.before.tables.find(({ name }) => name === 'b')?.columns.map(({ name }) => name)).toEqual(['id', 'edited'])
  expect(await keptOf(mark)).toHaveLength(3)
})

test('several at once share one database, and steps that commit leave it as it was', async () => {
  const { history, mark } = story()
  const place = await placeOf()
  const alone = [script('4', 'alter table b add column n int')]
  const committing = [script('4', 'create index concurrently later on b (id)'), script('5', 'drop table b')]
  const all = await Promise.all(
    [alone, committing, alone, committing].map(pending => rehearseScripts(place, { history, pending })),
  )
  expect(all.map(({ steps }) => steps.map(({ failure }) => failure))).toEqual([
    [null],
    [null, null],
    [null],
    [null, null],
  ])
  expect(await keptOf(mark)).toHaveLength(1)
  const again = await rehearseScripts(place, { history, pending: [] })
  expect(again.before).toEqual(all[0]?.before)
})

test('a client that stays in a kept database keeps no rehearsal from going on', async () => {
  const { history, mark } = story()
  const place = await placeOf()
  const pending = [script('4', 'create index concurrently later on b (id)')]
  const { after } = await rehearseScripts(place, { history, pending })
  const [name] = await keptOf(mark)
  const url = new URL(place.url)
  url.pathname = `/${name}`
  await withClient(url.toString(), async visitor => {
    const ended = new Promise(resolve => void visitor.once('error', resolve))
    expect((await rehearseScripts(place, { history, pending })).after).toEqual(after)
    expect(await ended).toBeInstanceOf(Error)
  })
})

test('whoever comes by another database neither ends a rehearsal nor drops what it works in', async () => {
  const { history, mark } = story()
  const [mine, others] = [await placeOf(), await placeOf()]
  const { after } = await rehearseScripts(mine, { history, pending: [] })
  const slow = script('4', 'create table c (id int);\nselect pg_sleep(1);\nalter table c add column n int')
  const committing = [script('4', 'create index concurrently later on b (id)'), script('5', 'drop table b')]
  const [own, ...theirs] = await Promise.all([
    rehearseScripts(mine, { history, pending: [slow] }),
    rehearseScripts({ ...others, kept: 1 }, { history, pending: committing }),
    rehearseScripts({ ...others, kept: 1 }, { history: history.slice(0, 2), pending: committing }),
  ])
  expect([own, ...theirs].flatMap(({ steps }) => steps.map(({ failure }) => failure))).toEqual(Array(5).fill(null))
  expect((await rehearseScripts(mine, { history, pending: [] })).after).toEqual(after)
  // When theirs is gone, so is what was kept for it.
  expect((await keptOf(mark)).length).toBeGreaterThan(1)
  await withClient(inject('serverUrl'), client => client.query(`drop database ${nameIn(others.url)}`))
  await rehearseScripts(mine, { history: [...history, slow], pending: [] })
  expect(await keptOf(mark)).toHaveLength(2)
})

test('a maker that died leaves a database that nobody trusts', async () => {
  const { history, mark } = story()
  const place = await placeOf()
  await rehearseScripts(place, { history, pending: [] })
  const [name] = await keptOf(mark)
  await withClient(place.url, client => client.query(`comment on database "${name}" is null`))
  const url = new URL(place.url)
  url.pathname = `/${name}`
  await withClient(url.toString(), client => client.query('drop table b'))
  const { before } = await rehearseScripts(place, { history, pending: [] })
  expect(before.tables.map(({ name: table }) => table)).toEqual(['a', 'b'])
})

test('what the server lacks is said in every rehearsal, and is no fault of the migration', async () => {
  const { history } = story()
  const place = await placeOf()
  const needy = [...history, script('4', 'create extension no_such_thing; create table c (id int);')]
  for (const _ of ['cold', 'warm']) {
    const { gaps, steps } = await rehearseScripts(place, {
      history: needy,
      pending: [script('5', 'alter table c add column place no_such_type;')],
    })
    expect(gaps.join(' ')).toContain('no_such_thing is not installed')
    expect(steps[0]).toMatchObject({ failure: null, statements: [] })
  }
})

test('a missing role is made where that does no harm, and told where the server is somebody else’s', async () => {
  const { history } = story()
  const place = await placeOf()
  const role = `rehearsed_${randomBytes(4).toString('hex')}`
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), client => client.query(`drop role if exists ${role}`))
  })
  const pending = [script('4', `create table c (id int);\ngrant select on c to ${role};`)]
  const left = await rehearseScripts(place, { history, pending })
  expect(left.steps[0]).toMatchObject({ failure: null, statements: [{ index: 0 }] })
  expect(left.gaps).toEqual([expect.stringContaining(`The role ${role} is missing`)])
  const made = await rehearseScripts({ ...place, missingRoles: 'make' }, { history, pending })
  expect(made.steps[0]).toMatchObject({ failure: null, statements: [{ index: 0 }, { index: 1 }] })
  expect(made.steps[0]?.statements[1]?.changes).toEqual([
    { action: 'create', kind: 'grant', name: 'public.c', of: 'public.c' },
  ])
})

function nameIn(url: string): string {
  return new URL(url).pathname.slice(1)
}
