/** Stories of the command line behind PgBouncer in transaction mode, where no session lock holds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { platformProject, plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { pooled, withoutPooler } from '../support/pgbouncer.ts'

const title = withoutPooler === null ? 'behind a transaction pooler' : `skipped, ${withoutPooler}: behind a pooler`

/** A run that takes a moment, then a table; leases are short, so that the dead are not mourned for long. */
async function slowProject() {
  const { url } = await emptyDatabase()
  const through = await pooled(url)
  const cwd = temporaryFolder({
    'plinth.yaml':
      'version: 1\nmigrations:\n  lockWaitSeconds: 30\n  leaseSeconds: 1\ntracks:\n  operational:\n    migrations: m\n',
    'm/1_quick.up.sql': 'create table quick (id int);\n',
    'm/1_quick.down.sql': 'drop table quick;\n',
    'm/2_slow.up.sql': 'create table slow (id int);\nselect pg_sleep(4);\n',
    'm/2_slow.down.sql': 'drop table slow;\n',
  })
  const flags = ['--database', through]
  return {
    url,
    start: (...args: string[]) => startPlinth([...args, ...flags], { cwd }),
    /** Resolves when the second step is at work on the server. */
    slowly: () =>
      withClient(url, async client => {
        const query =
          "select 1 from pg_stat_activity where datname = current_database() and query like '%pg_sleep(4)%' and pid <> pg_backend_pid() and state = 'active'"
        while ((await client.query(query)).rowCount === 0) await sleep(20)
      }),
    attempts: () =>
      withClient(url, async client => {
        const { rows } = await client.query<{ version: string; status: string; run_id: string }>(
          'select version, status, run_id from plinth.migration_attempts order by attempt_number',
        )
        return rows
      }),
  }
}

describe.skipIf(withoutPooler !== null)(title, () => {
  test('eight runners at once on the platform: each migration is applied exactly once, and taken back', async () => {
    const { url } = await emptyDatabase()
    const through = await pooled(url)
    const cwd = platformProject()
    const flags = ['--track', 'operational', '--database', through]
    const runs = await Promise.all(Array.from({ length: 8 }, () => plinth(['apply', ...flags, '--json'], { cwd })))
    expect(runs.map(run => [run.status, run.json.error])).toEqual(Array.from({ length: 8 }, () => [0, null]))
    const done = runs.flatMap(run =>
      run.json.data.tracks[0].report.done.map((step: { version: string }) => step.version),
    )
    expect(new Set(done).size).toBe(done.length)
    await withClient(url, async client => {
      const { rows } = await client.query(
        'select version, count(*)::int as times from plinth.migration_attempts group by version order by version',
      )
      expect(rows).toEqual([...new Set<string>(done)].sort().map(version => ({ version, times: 1 })))
      const left = await client.query("select 1 from plinth.leases where expires_at <> '-infinity'")
      expect(left.rowCount).toBe(0)
    })
    expect((await plinth(['status', ...flags], { cwd })).status).toBe(0)
    const back = await plinth(['rollback', '--to', '0', '--yes', ...flags, '--json'], { cwd })
    expect([back.status, back.json.error]).toEqual([0, null])
    expect((await plinth(['status', ...flags], { cwd })).status).toBe(3)
    const again = await plinth(['apply', ...flags, '--json'], { cwd })
    expect([again.status, again.json.error]).toEqual([0, null])
  })

  test('a runner that was killed is waited for until its lease and its statement end, and its place is taken', async () => {
    const { start, slowly, attempts } = await slowProject()
    const killed = start('apply')
    await slowly()
    killed.child.kill('SIGKILL')
    await killed.ended
    const next = await start('apply', '--events', 'ndjson', '--json').ended
    expect(next.status).toBe(0)
    expect(next.stderr).toMatch(
      /The lease \\"plinth:operational\\" of .* \(process \d+ on .*, run .*\) was last renewed at .* and never released\. This run took it over\./,
    )
    expect(next.json.data.tracks[0].report.done).toMatchObject([{ version: '2' }])
    expect((await attempts()).map(({ version, status }) => [version, status])).toEqual([
      ['1', 'applied'],
      ['2', 'applied'],
    ])
  })

  test('a runner that slept past its lease changes nothing when it wakes', async () => {
    const { start, slowly, attempts } = await slowProject()
    const sleeper = start('apply', '--json')
    await slowly()
    sleeper.child.kill('SIGSTOP')
    const next = await start('apply', '--json').ended
    expect([next.status, next.json.error]).toEqual([0, null])
    sleeper.child.kill('SIGCONT')
    const woken = await sleeper.ended
    // The server ended the transaction that nobody answered for, or the fence does.
    expect(['LEASE_LOST', 'CONNECTION_LOST']).toContain(woken.json.error?.code)
    const [first, second, ...more] = await attempts()
    expect(more).toEqual([])
    expect([first?.status, second?.status]).toEqual(['applied', 'applied'])
    expect(second?.run_id).toBe(next.json.data.tracks[0].report.runId)
    expect(first?.run_id).not.toBe(second?.run_id)
  })
})
