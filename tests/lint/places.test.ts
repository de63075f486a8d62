/** Where a defect of the catalog is told: at the statement that made it, whatever the object is called by now. */
import { expect, inject, test } from 'vitest'
import type { Story } from '../support/corpus.ts'
import { judgeStory, rehearseStory } from '../support/corpus-runs.ts'

async function placesOf(rule: string, ...texts: readonly string[]) {
  const steps = texts.map((text, at) => ({ version: `20260101000${at}`, slug: 'step', text, labels: [] }))
  const story: Story = {
    name: 'story',
    since: 15,
    settings: {},
    classes: {},
    before: 'create schema shop;',
    rows: '',
    steps,
  }
  const { findings } = await judgeStory(story, await rehearseStory(story, inject('serverUrl')))
  return findings.filter(one => one.rule === rule).map(({ version, line, object }) => ({ version, line, object }))
}

const orders = `create table shop.orders (id bigint generated always as identity primary key);

alter table shop.orders enable row level security;`

test('a table that was renamed since is told where its security was switched on', async () => {
  expect(await placesOf('tenant-policy-missing', orders, 'alter table shop.orders rename to purchases;')).toEqual([
    { version: '202601010000', line: 3, object: 'shop.purchases' },
  ])
})

test('an index of a table that was renamed since is told where it was made', async () => {
  const both = 'create index orders_at_idx on shop.orders (id);'
  const places = await placesOf('index-duplicate', orders, both, 'alter table shop.orders rename to purchases;')
  expect(places).toEqual([{ version: '202601010001', line: 1, object: expect.stringContaining('orders_at_idx') }])
})

test('a name that is wrong is told where it was given', async () => {
  const renamed = '\nalter table shop.orders rename to "Purchases";'
  const places = await placesOf('name-snake-case', orders, renamed)
  expect(places).toContainEqual({ version: '202601010001', line: 2, object: 'shop.orders' })
})
