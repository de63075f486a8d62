import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runChecks } from '../../src/analytics/check/check.ts'
import { orderTransforms } from '../../src/analytics/project/graph.ts'
import { loadProject } from '../../src/analytics/project/load.ts'
import { runRollup } from '../../src/analytics/run/run.ts'
import { expectExact, fillEvents, makeWorld, root } from './support/world.ts'

/** A copy of the repository's project with files changed: a text replaces the file, a function edits it, null removes it. */
async function project(changes: Record<string, string | null | ((text: string) => string)>) {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-project-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'analytics'), join(folder, 'analytics'), { recursive: true })
  for (const [path, change] of Object.entries(changes)) {
    const file = join(folder, 'analytics', path)
    mkdirSync(dirname(file), { recursive: true })
    if (change === null) rmSync(file)
    else writeFileSync(file, typeof change === 'string' ? change : change(readFileSync(file, 'utf8')))
  }
  return loadProject(join(folder, 'analytics'), { root: folder })
}

function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

/** The line, counted from 1, on which `needle` first stands in the repository's file after the change. */
function lineWith(file: string, change: (text: string) => string, needle: string): number {
  const text = change(readFileSync(join(root, 'analytics', file), 'utf8'))
  return text.slice(0, text.indexOf(needle)).split('\n').length
}

const hourly = 'transforms/usage_hourly.sql'
const daily = 'transforms/usage_daily.sql'
const macros = 'macros/time.sql'
const schema = 'transforms/schema.yml'
const sources = 'transforms/sources.yml'

const replace = (from: string, to: string) => (text: string) => {
  if (!text.includes(from)) throw new Error(`the file has no "${from}"`)
  return text.replace(from, to)
}

function hourlyTransform(name: string) {
  const whose = name.startsWith('platform') ? {} : { organization: 'organization_id' }
  const cell = { bucket: 'bucket_hour', grain: 'hour', shard: 'shard', ...whose }
  return { name, schema: 'analytics', materialized: 'incremental', refs: [], sources: ['raw.usage_events'], cell }
}

function dailyTransform(name: string, ref: string) {
  const whose = name.startsWith('platform') ? {} : { organization: 'organization_id' }
  const cell = { bucket: 'bucket_day', grain: 'day', shard: 'shard', ...whose }
  return { name, schema: 'analytics', materialized: 'incremental', refs: [ref], sources: [], cell }
}

describe('the project of this repository', () => {
  test('knows its sources, transforms in order, and checks', async () => {
    const { name, sources, transforms, checks } = await project({})
    expect(name).toBe('platform')
    expect(sources.map(source => [source.group, source.name, source.columns.length, source.capture?.marks])).toEqual([
      ['raw', 'usage_events', 13, 'platform.usage_event_marks'],
    ])
    expect(
      transforms.map(({ name, schema, materialized, refs, sources, cell }) => ({
        name,
        schema,
        materialized,
        refs,
        sources,
        cell,
      })),
    ).toEqual([
      hourlyTransform('latency_hourly'),
      dailyTransform('latency_daily', 'latency_hourly'),
      {
        name: 'organization_freshness',
        schema: 'analytics',
        materialized: 'view',
        refs: [],
        sources: ['raw.usage_events'],
        cell: null,
      },
      hourlyTransform('platform_hourly'),
      dailyTransform('platform_daily', 'platform_hourly'),
      hourlyTransform('usage_hourly'),
      dailyTransform('usage_daily', 'usage_hourly'),
    ])
    expect(checks.map(check => `${check.name} ${check.severity}`)).toContain('no_usage_in_the_future warn')
    expect(checks.map(check => check.name)).toContain('usage_hourly_key_is_unique')
    expect(checks.map(check => check.name)).toContain('accepted_values_raw_usage_events_status')
  })
})

describe('what is wrong in a project has a file and a line', () => {
  /** What is wrong, the edit that makes it so, what stands on the line that is to be named (null for the first), what is said. */
  test.each([
    [
      'an unknown ref',
      daily,
      "ref('usage_hourly')",
      "ref('usage_hurly')",
      'usage_hurly',
      /usage_hurly/,
      /usage_hourly/,
    ],
    ['an unknown source', hourly, "'usage_events'", "'usage_event'", "'usage_event'", /usage_event/, /usage_events/],
    [
      'an unknown macro',
      hourly,
      'in_changed_cells',
      'in_changed_cell',
      'in_changed_cell',
      /in_changed_cell/,
      /in_changed_cells/,
    ],
    ['an unknown variable', hourly, 'max(event.latency_ms)', "{{ var('nothing') }}", 'nothing', /"nothing"/, /vars/],
    ['a block without an end', hourly, '{% endif %}', '', '{% if', /never closed/, undefined],
    ['an unknown statement', hourly, '{% endif %}', '{% endiff %}', 'endiff', /endiff/, /endif/],
    ['no cells', hourly, "'grain': 'hour'", "'grain': 'century'", null, /cells/, /bucket/],
    [
      'an unknown materialization',
      hourly,
      'unique_key',
      "materialized='materialized_view', unique_key",
      null,
      /materialized_view/,
      /table/,
    ],
    ['a hook', hourly, 'unique_key', "post_hook='select 1', unique_key", null, /hooks/, /on-run-end/],
    [
      'a mistake inside a macro',
      macros,
      "adapter.dispatch('utc_day', 'platform')(column)",
      'column + none',
      'column + none',
      /none/,
      undefined,
    ],
    ['an unknown test', schema, 'data_tests: [not_null]', 'data_tests: [not_nul]', 'not_nul]', /not_nul/, /not_null/],
    [
      'a test without its argument',
      schema,
      'field: organization_id',
      'fields: organization_id',
      'relationships',
      /field/,
      undefined,
    ],
    [
      'a test of an unknown transform',
      schema,
      "to: ref('usage_hourly')",
      "to: ref('hourly_usage')",
      'relationships',
      /hourly_usage/,
      undefined,
    ],
    ['YAML that is none', schema, 'columns:', 'columns: [', undefined, /YAML/, undefined],
    [
      'a type that cannot be compared',
      sources,
      'data_type: numeric(18, 6)',
      'data_type: double',
      'name: cost',
      /double/,
      /numeric/,
    ],
    [
      'a column without a type',
      sources,
      '            data_type: numeric(18, 6)\n',
      '',
      'name: cost',
      /data_type/,
      undefined,
    ],
    ['an unknown key of ours', sources, 'shards: 64', 'shard_count: 64', undefined, /shard/, undefined],
    ['an unknown severity', 'tests/no_usage_in_the_future.sql', "'warn'", "'shout'", null, /shout/, /warn/],
  ] as const)('%s', async (_, file, from, to, needle, message, hint) => {
    const edit = replace(from, to)
    const failure = await failureOf(project({ [file]: edit }))
    const line = needle === null ? 1 : needle === undefined ? expect.any(Number) : lineWith(file, edit, needle)
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: `analytics/${file}`, line } })
    expect(String(failure)).toMatch(message)
    if (hint) expect(failure).toHaveProperty('hint', expect.stringMatching(hint))
  })

  test('two transforms of one name', async () => {
    expect(await failureOf(project({ 'transforms/more/usage_daily.sql': 'select 1' }))).toMatchObject({
      code: 'TRANSFORM_INVALID',
      at: { file: 'analytics/transforms/usage_daily.sql' },
      hint: expect.stringContaining('transforms/more'),
    })
  })

  test('a circle is named', async () => {
    const changes = { [hourly]: (text: string) => `${text}\n-- {{ ref('usage_daily') }}` }
    await expect(project(changes)).rejects.toMatchObject({
      code: 'TRANSFORM_INVALID',
      message: 'Transforms refer to each other in a circle: usage_daily → usage_hourly → usage_daily.',
    })
  })

  test('a folder without a project says where one would be', async () => {
    await expect(loadProject(join(root, 'docs'), { root })).rejects.toMatchObject({
      code: 'FOLDER_NOT_FOUND',
      at: { file: 'docs/dbt_project.yml' },
    })
  })
})

test('transforms come after what they refer to, whatever their names', () => {
  const nodes = [
    { name: 'a', refs: ['z'] },
    { name: 'm', refs: [] },
    { name: 'z', refs: ['m'] },
  ]
  expect(orderTransforms(nodes, () => ({})).map(node => node.name)).toEqual(['m', 'z', 'a'])
})

describe('what the warehouse or the source refuses has a file and a line', () => {
  test.each([
    ['a column that raw has not', hourly, 'max(event.latency_ms)', 'max(event.latency)', 'max(event.latency)'],
    ['SQL that is none', daily, 'sum(usage.cost) as cost', 'sum(usage.cost as cost', 'sum(usage.cost as cost'],
    ['a column too many for its table', daily, 'sum(usage.cost) as cost', 'sum(usage.cost) as cost, 1 as extra', null],
    ['a column too few for its table', daily, 'sum(usage.cost) as cost', 'sum(usage.cost) as price', 'promise'],
    ['a column that the source has not', sources, 'name: region', 'name: continent', 'name: continent'],
    [
      'a table that the source has not',
      sources,
      'table: platform.usage_events',
      'table: platform.usages',
      '- name: usage_events',
    ],
  ] as const)('%s; nothing is written', async (_, file, from, to, needle) => {
    const world = await makeWorld()
    await fillEvents(world, 20)
    const edit = replace(from, to)
    const failure = await failureOf(runRollup(await project({ [file]: edit }), world.options()))
    // What a transform does not answer any more is told where the column was promised.
    const place = needle === 'promise' ? 'transforms/schema.yml' : file
    const line = needle === null ? 1 : needle === 'promise' ? expect.any(Number) : lineWith(file, edit, needle)
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: `analytics/${place}`, line } })
    expect(await world.ask('select count(*) as rows from raw.usage_events')).toEqual([{ rows: '0' }])
    await world.run()
    await expectExact(world)
  })

  test.each([
    ['cost', 'numeric(20, 8)', 'name: cost', /numeric\(20,8\), which numeric\(18, 6\) does not hold/],
    ['input_tokens', 'bigint', 'name: input_tokens', /bigint, which integer does not hold/],
  ])('a column of the source whose type changed: %s', async (column, type, needle, message) => {
    const world = await makeWorld()
    await fillEvents(world, 20)
    await world.run()
    await world.sql(`alter table platform.usage_events alter ${column} type ${type}`)
    await world.sql('update platform.usage_events set input_tokens = input_tokens + 1')
    const failure = await failureOf(world.run())
    const line = lineWith(sources, text => text, needle)
    expect(failure).toMatchObject({ code: 'TRANSFORM_INVALID', at: { file: `analytics/${sources}`, line } })
    expect(String(failure)).toMatch(message)
    // Nothing was replaced, and the cursor has not moved: the next run takes it all.
    const [before] = await world.ask('select count(*) as rows from raw.usage_events')
    expect(before).toEqual({ rows: '20' })
    await world.sql(
      `alter table platform.usage_events alter ${column} type ${column === 'cost' ? 'numeric(18, 6)' : 'integer'}`,
    )
    await world.run()
    await expectExact(world)
  })

  test('a source whose rows this user may not all see is refused', async () => {
    const world = await makeWorld()
    await fillEvents(world, 20)
    const role = `limited_${world.sourceUrl.slice(-12)}`
    await world.sql(
      `create role ${role} login; grant plinth_app to ${role}; grant usage on schema platform to ${role}; grant select on platform.usage_event_marks to ${role}`,
    )
    onTestFinished(async () => {
      await world.sql(`drop owned by ${role}; drop role ${role}`)
    })
    const url = new URL(world.sourceUrl)
    url.username = role
    const { source } = world.options()
    await expect(world.run({ source: { ...source, url: url.toString() } })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
      hint: expect.stringContaining('plinth_migrator'),
    })
  })
})

describe('a transform that changed', () => {
  test('is built anew with what depends on it, though no event changed', async () => {
    const world = await makeWorld()
    await fillEvents(world, 200)
    await world.run()
    const changed = await project({
      'transforms/usage_hourly.sql': replace("event.status = 'error'", "event.status <> 'success'"),
    })
    const report = await runRollup(changed, world.options())
    expect(report.status).toBe('succeeded')
    expect(Object.keys(report.sources[0]?.tables ?? {})).toEqual(['analytics.usage_hourly', 'analytics.usage_daily'])
    const [total] = await world.ask(
      `select (select sum(errors) from analytics.usage_daily) as counted, (select count(*) from raw.usage_events where status <> 'success') as present`,
    )
    expect(total?.['counted']).toBe(total?.['present'])
    expect(await runRollup(changed, world.options())).toMatchObject({ status: 'nothing-to-do' })
    await world.run()
    await expectExact(world)
  })

  test("tables and views of one's own are made and kept up to date", async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    const more = await project({
      'transforms/busiest_models.sql': `{{ config(materialized='table') }}\nselect model_id, sum(requests) as requests from {{ ref('usage_daily') }} group by 1`,
      'transforms/a_view.sql': `{{ config(materialized='view') }}\nselect count(*) as models from {{ ref('busiest_models') }}`,
    })
    await runRollup(more, world.options())
    expect(await world.ask('select models from analytics.a_view')).toEqual([{ models: '2' }])
    await world.sql('delete from platform.usage_events')
    await runRollup(more, world.options())
    expect(await world.ask('select models from analytics.a_view')).toEqual([{ models: '0' }])
    expect(await runRollup(more, world.options())).toMatchObject({ status: 'nothing-to-do' })
  })

  test('a transform that forgets to look at changed cells alone is slow, not wrong', async () => {
    const world = await makeWorld()
    await fillEvents(world, 200)
    const forgetful = await project({
      'transforms/usage_hourly.sql': replace(
        "{% if is_incremental() %}\nwhere {{ in_changed_cells('event.bucket_hour', 'event.shard', 'hour', 'event.organization_id') }}\n{% endif %}",
        '',
      ),
    })
    await runRollup(forgetful, world.options())
    await world.sql('delete from platform.usage_events where input_tokens % 3 = 0')
    await runRollup(forgetful, world.options())
    await expectExact(world)
  })
})

describe('checks', () => {
  const check = async (world: Awaited<ReturnType<typeof makeWorld>>, from = world.project) =>
    world.warehouse(warehouse => runChecks(from, { warehouse, emit: fact => world.facts.push(fact) }))

  test('pass after a run, and tell each by its name', async () => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    await world.run()
    const report = await check(world)
    expect(report.checks.filter(result => result.status !== 'passed')).toEqual([])
    expect(report.status).toBe('passed')
    expect(world.facts.filter(fact => fact.type === 'check.finished')).toHaveLength(world.project.checks.length)
  })

  test.each([
    [
      'update analytics.usage_hourly set requests = requests + 1',
      ['hours_hold_every_event', 'days_are_the_sum_of_their_hours'],
      'failed',
    ],
    [
      'insert into analytics.usage_hourly select * from analytics.usage_hourly limit 1',
      ['usage_hourly_key_is_unique', 'hours_hold_every_event'],
      'failed',
    ],
    [`update raw.usage_events set status = 'lost'`, ['accepted_values_raw_usage_events_status'], 'failed'],
    [
      'update analytics.usage_daily set organization_id = gen_random_uuid()',
      ['relationships_usage_daily_organization_id'],
      'failed',
    ],
    [
      `insert into raw.usage_events select * replace (timestamptz '2099-01-01T00:00:00Z' as bucket_hour, timestamptz '2099-01-01T00:30:00Z' as occurred_at) from raw.usage_events limit 1;
      insert into analytics.usage_hourly select * replace (timestamptz '2099-01-01T00:00:00Z' as bucket_hour) from analytics.usage_hourly where requests = 1 limit 1`,
      ['no_usage_in_the_future'],
      undefined,
    ],
  ])('fail when: %s', async (harm, failing, status) => {
    const world = await makeWorld()
    await fillEvents(world, 300)
    await world.run()
    await world.warehouse(session => session.script(harm))
    const report = await check(world)
    for (const name of failing)
      expect(report.checks.find(result => result.check === name)).toMatchObject({
        failures: expect.any(Number),
        status: name === 'no_usage_in_the_future' ? 'warned' : 'failed',
      })
    if (status) expect(report.status).toBe(status)
  })

  test('that cannot run are errors with a place, and the others still run', async () => {
    const world = await makeWorld()
    const broken = await project({ 'tests/broken.sql': "select 1\nfrom {{ ref('usage_daily') }}\nwhere colour = 3" })
    const report = await check(world, broken)
    expect(report.status).toBe('failed')
    expect(report.checks.find(result => result.check === 'broken')).toMatchObject({
      status: 'error',
      error: { code: 'TRANSFORM_INVALID', at: { file: expect.stringContaining('tests/broken.sql'), line: 3 } },
    })
    expect(report.checks).toHaveLength(broken.checks.length)
  })
})
