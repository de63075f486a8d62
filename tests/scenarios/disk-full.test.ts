/** The story of a warehouse whose disk is full while cells are replaced: a limit on the size of files is what a process can be given by itself. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { platformProject, plinth } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const program = join(import.meta.dirname, '../../bin/plinth.js')

test('a run that finds no room keeps the cells and the cursor as they were, and the next one completes', {
  timeout: 240_000,
}, async () => {
  const { url } = await emptyDatabase()
  const cwd = platformProject()
  const warehouse = `duckdb:${join(cwd, 'warehouse.duckdb')}`
  const env = { DATABASE_URL: url, WAREHOUSE_URL: warehouse, PLINTH_STATE: join(cwd, 'state') }
  const run = (...args: string[]) => plinth(args, { cwd, env })
  const state = () =>
    withSession(duckdb, warehouse, {}, async session => ({
      cursors: (await session.query('select source, snapshot, token from plinth.rollup_cursors')).rows,
      totals: (await session.query('select count(*) as n, sum(input_tokens) as tokens from raw.usage_events')).rows,
      hourly: (await session.query('select count(*) as n, sum(input_tokens) as tokens from analytics.usage_hourly'))
        .rows,
    }))
  for (const args of [['apply'], ['seed', '--package', 'local-dev'], ['rollup', 'run']])
    expect((await run(...args, '--quiet')).status).toBe(0)
  const before = await state()
  await withClient(url, client => client.query('update platform.usage_events set input_tokens = input_tokens + 1'))

  // The process is told that a file is too large, as it is told that a disk is full, instead of being ended by the signal.
  writeFileSync(join(cwd, 'patient.cjs'), "process.on('SIGXFSZ', () => {})\n")
  const variables = { ...env, NODE_OPTIONS: `--require=${join(cwd, 'patient.cjs')}`, NO_COLOR: '1' }
  const failed = await limited(['rollup', 'run', '--json'], cwd, variables)
  expect(JSON.parse(failed.stdout)).toMatchObject({
    error: { code: 'DISK_FULL', hint: expect.stringContaining('run the command again') },
  })
  expect(failed.status).not.toBe(0)
  expect(await state()).toEqual(before)

  expect((await run('rollup', 'run', '--quiet')).status).toBe(0)
  expect((await run('reconcile', '--dry-run', '--quiet')).status).toBe(0)
  expect((await state()).cursors).not.toEqual(before.cursors)
})

/** No file may grow beyond 64 kB. */
function limited(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
  const command = ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, program, ...args]
  return new Promise<{ readonly status: number; readonly stdout: string }>(resolve => {
    execFile('bash', command, { cwd, env: { ...process.env, ...env } }, (error, stdout) => {
      resolve({ status: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout })
    })
  })
}
