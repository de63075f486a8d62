/** What will happen, before it happens: rehearsed elsewhere, shown in the plan, tried on the target. */
import { randomBytes } from 'node:crypto'
import { expect, inject, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { dropKeptAfterwards } from '../support/kept.ts'

async function story() {
  const mark = randomBytes(6).toString('hex')
  dropKeptAfterwards(mark)
  const cwd = temporaryFolder({
    'm/1_customers.up.sql': `create table customers (id int primary key, n int);\ncomment on table customers is '${mark}';\n`,
    'm/1_customers.down.sql': 'drop table customers;\n',
    'm/2_key.up.sql':
      "do $$ begin execute 'alter table customers add column key uuid default gen_random_uuid()'; end $$;\nupdate customers set n = 1 where id = 1;\n",
    'm/2_key.down.sql': 'alter table customers drop column key;\n',
  })
  const { url } = await emptyDatabase()
  const flags = ['--dir', 'm', '--database', url, '--rehearse-on', inject('serverUrl')]
  const run = (...args: string[]) => plinth([...args, ...flags], { cwd })
  expect((await run('apply', '--to', '1')).status).toBe(0)
  await withClient(url, client =>
    client.query('insert into customers select g, g from generate_series(1, 500000) g; analyze customers'),
  )
  return { run, url, cwd }
}

test('a plan shows who will wait, and a dry run proves it and leaves nothing', async () => {
  const { run, url } = await story()
  const rehearsed = await run('rehearse', '--json')
  expect(rehearsed.status).toBe(0)
  const [track] = rehearsed.json.data.tracks
  expect(track.forecast.steps[0].statements[0]).toMatchObject({
    lock: { relation: 'public.customers', mode: 'AccessExclusiveLock', shutsOut: 'readers and writers' },
    rewrites: ['public.customers', 'public.customers_pkey'],
    class: 'long',
  })
  expect(track.forecast.steps[0].statements[0].rows).toBeGreaterThan(400_000)
  expect(JSON.stringify(track)).not.toContain('gen_random_uuid')

  const plan = await run('plan')
  expect(plan.stdout).toMatch(
    /do +access exclusive on public\.customers +public\.customers, public\.customers_pkey +[\d,]+ +about .* long/,
  )
  expect(plan.stdout).toMatch(/reads wait for about/)

  const tried = await run('apply', '--dry-run=execute', '--json')
  expect(tried.status).toBe(0)
  expect(tried.json.data.tracks[0].report).toMatchObject({
    status: 'passed',
    steps: [{ version: '2', status: 'passed' }],
  })
  expect(tried.json.data.tracks[0].report.steps[0].statements[1].rows).toEqual([
    { table: 'public.customers', inserted: 0, updated: 1, deleted: 0 },
  ])
  await withClient(url, async client => {
    const { rows } = await client.query(
      "select attname from pg_attribute where attrelid = 'customers'::regclass and attname = 'key'",
    )
    expect(rows).toEqual([])
  })
  expect((await run('apply', '--dry-run')).stdout).toContain('1 migration up')
})

test('a file that fails is told with its place, and exits with one', async () => {
  const { run, cwd } = await story()
  const { writeFileSync } = await import('node:fs')
  writeFileSync(`${cwd}/m/3_bad.up.sql`, 'select 1;\nalter table customers add colum x int;\n')
  writeFileSync(`${cwd}/m/3_bad.down.sql`, 'select 1;\n')
  const { status, stdout } = await plinth(['rehearse', 'm/3_bad.up.sql', '--rehearse-on', inject('serverUrl')], { cwd })
  expect(status).toBe(1)
  expect(stdout).toMatch(/3 fails at line 2, column \d+/)
  expect((await run('rehearse', '--to', '2')).status).toBe(0)
})
