import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadProject } from '../../src/analytics/project/load.ts'
import { previewRollup } from '../../src/analytics/run/preview.ts'
import { runRollup } from '../../src/analytics/run/run.ts'
import { event, expectExact, fillEvents, insertEvent, makeWorld, root, type World } from './support/world.ts'

/** The platform's project in which every error counts twice. */
async function changedProject() {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-part-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(join(root, 'analytics'), join(folder, 'analytics'), { recursive: true })
  const file = join(folder, 'analytics/transforms/usage_hourly.sql')
  const text = readFileSync(file, 'utf8')
  const changed = text.replace(
    `{{ count_where("event.status = 'error'") }}`,
    `2 * {{ count_where("event.status = 'error'") }}`,
  )
  expect(changed).not.toBe(text)
  writeFileSync(file, changed)
  return loadProject(join(folder, 'analytics'), { root: folder })
}

const requests = async (world: World) => {
  const tables = ['usage_hourly', 'usage_daily', 'platform_hourly', 'platform_daily']
  const counted = tables.map(table => `(select cast(sum(requests) as integer) from analytics.${table}) as ${table}`)
  return (await world.ask(`select ${counted.join(', ')}`))[0]
}

describe('a run of some transforms', () => {
  test('gives them and what they read what is new, and the others get it from the next run', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    await world.sql(insertEvent, event(world))
    await world.sql('delete from platform.usage_events where input_tokens % 4 = 0')
    const left = Number((await world.sql('select count(*) as rows from platform.usage_events')).rows[0]?.rows)
    const part = await world.run({ select: new Set(['usage_daily']) })
    expect(Object.keys(part.sources[0]?.tables ?? {})).toEqual(['analytics.usage_hourly', 'analytics.usage_daily'])
    await expectExact(world)
    expect(await requests(world)).toEqual({
      usage_hourly: left,
      usage_daily: left,
      platform_hourly: 100,
      platform_daily: 100,
    })
    // The same again changes nothing, and the cursor still has not moved.
    await world.run({ select: new Set(['usage_daily']) })
    expect((await requests(world))?.['platform_daily']).toBe(100)
    const whole = await world.run()
    expect(whole.sources[0]).toMatchObject({ mode: 'changes', marks: part.sources[0]?.marks })
    expect(await requests(world)).toEqual({
      usage_hourly: left,
      usage_daily: left,
      platform_hourly: left,
      platform_daily: left,
    })
    await expectExact(world)
    expect(world.facts.filter(fact => fact.type === 'warning')).toEqual([])
    expect(await world.run()).toMatchObject({ status: 'nothing-to-do' })
    expect(await world.reconcile()).toMatchObject({ status: 'equal' })
  })

  test('that builds a transform anew leaves none that reads it behind for good', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    await world.run()
    const changed = await changedProject()
    await runRollup(changed, world.options({ select: new Set(['usage_hourly']) }))
    const errors = async () =>
      (
        await world.ask(
          `select (select cast(sum(errors) as integer) from analytics.usage_hourly) as hours, (select cast(sum(errors) as integer) from analytics.usage_daily) as days`,
        )
      )[0]
    expect(await errors()).toEqual({ hours: 20, days: 10 })
    const next = await runRollup(changed, world.options())
    expect(Object.keys(next.sources[0]?.tables ?? {})).toEqual(['analytics.usage_daily'])
    expect(await errors()).toEqual({ hours: 20, days: 20 })
    expect(await runRollup(changed, world.options())).toMatchObject({ status: 'nothing-to-do' })
  })

  test('is refused before everything was loaded once', async () => {
    const world = await makeWorld()
    await fillEvents(world, 10)
    await expect(world.run({ select: new Set(['usage_daily']) })).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('without --select'),
    })
    await world.run()
    await expectExact(world)
  })
})

describe('the plan of a run', () => {
  const plan = (world: World, project = world.project) => previewRollup(project, world.options())

  test('tells everything before the first load, what changed after it, and changes nothing', async () => {
    const world = await makeWorld()
    await fillEvents(world, 100)
    const first = await plan(world)
    expect(first).toMatchObject({
      status: 'pending',
      bytes: null,
      sources: [{ mode: 'whole', reason: 'first load', rows: 100 }],
    })
    expect(first.sources[0]?.transforms.map(({ action }) => action)).toContain('build anew')
    expect(await world.ask(`select count(*) as tables from duckdb_tables() where schema_name = 'plinth'`)).toEqual([
      { tables: '0' },
    ])
    await world.run()
    expect(await plan(world)).toMatchObject({ status: 'nothing-to-do', sources: [{ cells: 0, rows: 0, batches: 0 }] })
    await world.sql(insertEvent, event(world, { at: '2026-03-02T10:15:00Z' }))
    await world.sql(insertEvent, event(world, { at: '2026-03-05T11:15:00Z' }))
    const planned = await plan(world)
    expect(planned.sources[0]).toMatchObject({ mode: 'changes', reason: null, marks: 2, cells: 2, batches: 1 })
    expect(planned.sources[0]?.hours.map(({ hour, shards }) => [hour, shards])).toEqual([
      ['2026-03-02T10:00:00.000000Z', 1],
      ['2026-03-05T11:00:00.000000Z', 1],
    ])
    expect(
      Object.fromEntries(planned.sources[0]?.transforms.map(({ transform, action }) => [transform, action]) ?? []),
    ).toEqual({
      latency_hourly: 'replace cells',
      latency_daily: 'replace cells',
      organization_freshness: 'leave',
      platform_hourly: 'replace cells',
      platform_daily: 'replace cells',
      usage_hourly: 'replace cells',
      usage_daily: 'replace cells',
    })
    const run = await world.run()
    expect(run.sources[0]).toMatchObject({ marks: 2, cells: 2, batches: 1 })
    expect(await plan(world)).toMatchObject({ status: 'nothing-to-do' })
  })

  test('tells what is built anew because of its SQL', async () => {
    const world = await makeWorld()
    await fillEvents(world, 20)
    await world.run()
    const { status, sources } = await plan(world, await changedProject())
    expect(status).toBe('pending')
    expect(sources[0]?.transforms.filter(({ action }) => action !== 'leave')).toEqual([
      { transform: 'usage_hourly', action: 'build anew', reason: 'its SQL changed', bytes: null },
      { transform: 'usage_daily', action: 'build anew', reason: 'what it reads changes', bytes: null },
    ])
  })
})
