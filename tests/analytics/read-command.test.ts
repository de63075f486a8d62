import { expect, test } from 'vitest'
import { plinth } from '../support/cli.ts'
import { event, insertEvent, makeWorld, root } from './support/world.ts'

test('plinth rollup read: a table for people, a document for programs, and status 2 for what cannot be asked', async () => {
  const world = await makeWorld()
  for (const at of ['2026-03-10T18:29:00Z', '2026-03-10T18:30:00Z', '2026-03-11T03:00:00Z'])
    await world.sql(insertEvent, event(world, { at, cost: '0.500001' }))
  await world.run()
  await world.sql(insertEvent, event(world, { at: '2026-03-11T04:00:00Z' }))
  const options = { cwd: root, env: { DATABASE_URL: world.sourceUrl, WAREHOUSE_URL: world.warehouseUrl } }
  const read = (...args: string[]) => plinth(['rollup', 'read', ...args], options)

  const week = ['--from', '2026-03-10', '--to', '2026-03-17', '--tz', 'Asia/Kolkata', '--by', 'day,organization']
  const shown = await read(...week)
  expect(shown.stderr).toBe('')
  expect(shown.status).toBe(0)
  const organization = world.tenants[0]?.organization ?? ''
  expect(shown.stdout.split('\n').map(line => line.trim().split(/\s+/).slice(0, 3).join(' '))).toEqual([
    'usage_hourly from 2026-03-09T18:30:00.000000Z',
    'day organization_id requests',
    `2026-03-10 ${organization} 1`,
    `2026-03-11 ${organization} 2`,
    expect.stringMatching(/^As of /),
    '',
  ])
  expect(shown.stdout).toContain('1 mark on 1 cell pending, 1 of them in this window')

  const model = world.models[0] ?? ''
  const exact = ['--from', '2026-03-10T18:30:00Z', '--to', '2026-03-11T18:30:00Z', '--json']
  const told = await read(...exact, '--organization', organization, '--where', `model=${model}`, '--quantiles', '0.5')
  expect(told.json.data).toMatchObject({
    transform: 'usage_hourly',
    pending: { marks: 1, cells: 1, cellsOfWindow: 1 },
    rows: [{ requests: 2, input_tokens: 20, cost: '1.000002', latency_ms_p50: expect.closeTo(120, 0) }],
  })
  expect((await read(...exact, '--organization', world.tenants[1]?.organization ?? '')).json.data.rows).toEqual([])

  const rows = await read(...week, '--format', 'csv', '--quantiles', '0.5')
  expect(rows).toMatchObject({ status: 0, stderr: '' })
  const [head, ...lines] = rows.stdout.trimEnd().split('\n')
  expect(head).toMatch(/^day,organization_id,requests,.*,cost,latency_ms_p50$/)
  expect(lines.map(line => line.split(',').slice(0, 3))).toEqual([
    ['2026-03-10', organization, '1'],
    ['2026-03-11', organization, '2'],
  ])
  const cut = await read(...week, '--format', 'csv', '--limit', '1')
  expect(cut.stdout.trimEnd().split('\n')).toHaveLength(2)
  expect(cut.stderr).toContain('more rows than --limit')

  expect((await read('--from', '2026-03-10', '--to', '2026-03-10', '--json')).json.error?.message).toMatch(/is empty/)
  expect((await read('--from', '2026-03-10', '--json')).json.error?.code).toBe('USAGE')
  const unknown = await read(...week, '--rollup', 'usage_hurly')
  expect(unknown).toMatchObject({ status: 2, stderr: expect.stringContaining('Did you mean usage_hourly?') })
})
