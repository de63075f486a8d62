/** Stories of checks and batches at the command line. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const files = {
  'm/1_items.up.sql':
    'create table items (id int primary key, n int, doubled int);\ninsert into items select i, i, null from generate_series(1, 2000) i;\n',
  'm/1_items.down.sql': 'drop table items;\n',
  'm/2_double.up.sql':
    '-- Fills the new column.\n-- plinth: batch=50 pause=20ms risk=low reason="fills doubled"\nupdate items set doubled = coalesce(doubled, 0) + n * 2;\n',
  'm/2_double.down.sql': '-- plinth: batch=500\nupdate items set doubled = null;\n',
  'm/2_double.checks.sql': `-- check: numbers_are_there before
-- Fill n first.
select from items where n is null;

-- check: all_doubled after
select from items where doubled is distinct from n * 2;
`,
}

async function story(given: Readonly<Record<string, string>>) {
  const cwd = temporaryFolder(given)
  const { url } = await emptyDatabase()
  const flags = ['--dir', 'm', '--database', url]
  return {
    url,
    write: (name: string, text: string) => writeFileSync(join(cwd, name), text),
    run: (...args: string[]) => plinth([...args, ...flags], { cwd }),
    start: (...args: string[]) => startPlinth([...args, ...flags], { cwd }),
    ask: async (query: string) =>
      withClient(url, async client => (await client.query<{ value: unknown }>(query)).rows[0]?.value),
  }
}

test('a backfill is planned, killed in the middle, resumed and proved', async () => {
  const { run, start, ask } = await story(files)
  expect((await run('apply', '--to', '1')).status).toBe(0)
  const plan = await run('plan')
  expect(plan.stdout).toContain(
    'batch=50, pause=20ms, risk=low; fills doubled; check "numbers_are_there" before; check "all_doubled" after',
  )
  const { child, ended } = start('apply')
  while (!(await ask('select exists (select from items where doubled is not null) as value')))
    await new Promise(next => setTimeout(next, 10))
  child.kill('SIGKILL')
  await ended
  while (
    await ask(
      "select exists (select from pg_stat_activity where datname = current_database() and application_name like 'plinth%') as value",
    )
  )
    await new Promise(next => setTimeout(next, 10))
  const done = Number(await ask('select count(*) as value from items where doubled is not null'))
  expect(done % 50).toBe(0)
  expect(done).toBeLessThan(2000)
  expect((await run('status')).status).toBe(3)
  const resumed = await run('apply', '--json')
  expect(resumed.status).toBe(0)
  expect(resumed.json.data.tracks[0].report.done[0]).toMatchObject({
    rows: 2000 - done,
    checks: [{ name: 'all_doubled' }],
  })
  expect(await ask('select count(*)::int as value from items where doubled = n * 2')).toBe(2000)
  expect((await run('rollback', '--steps', '1', '--yes')).status).toBe(0)
  expect(await ask('select count(*)::int as value from items where doubled is null')).toBe(2000)
})

test('an interrupted backfill ends with 130 between two batches, and goes on', async () => {
  const { run, start, ask } = await story(files)
  await run('apply', '--to', '1')
  const { child, ended } = start('apply')
  while (!(await ask('select exists (select from items where doubled is not null) as value')))
    await new Promise(next => setTimeout(next, 10))
  child.kill('SIGINT')
  expect((await ended).status).toBe(130)
  expect(Number(await ask('select count(*) as value from items where doubled is not null')) % 50).toBe(0)
  expect((await run('apply')).status).toBe(0)
  expect(await ask('select count(*)::int as value from items where doubled = n * 2')).toBe(2000)
})

test('a check stops a step with its advice, and the next run asks again', async () => {
  const { run, ask } = await story(files)
  await run('apply', '--to', '1')
  await ask('update items set n = null where id in (7, 8) returning 1 as value')
  const failed = await run('apply')
  expect(failed.status).toBe(3)
  expect(failed.stderr).toContain('CHECK_FAILED')
  expect(failed.stderr).toContain('The check "numbers_are_there" before 2_double found 2 rows.')
  expect(failed.stderr).toContain('Fill n first.')
  await ask('update items set n = id where n is null returning 1 as value')
  expect((await run('apply')).status).toBe(0)
})

test('bad input stops before anything is changed', async () => {
  const { run, write, ask } = await story(files)
  write('m/2_double.up.sql', '-- plinth: bach=50\nupdate items set doubled = 1;\n')
  const misspelt = await run('apply', '--json')
  expect(misspelt).toMatchObject({
    status: 2,
    json: { error: { code: 'DIRECTIVE_UNKNOWN', hint: 'Did you mean "batch"?', location: { line: 1 } } },
  })
  write('m/2_double.up.sql', 'select 1;\n')
  write('m/3_lonely.checks.sql', '')
  expect(await run('apply', '--json')).toMatchObject({
    status: 2,
    json: { error: { code: 'CHECKS_WITHOUT_MIGRATION' } },
  })
  expect(await ask("select to_regclass('items') as value")).toBeNull()
})
