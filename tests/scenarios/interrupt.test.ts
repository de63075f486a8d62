/** Stories of an interruption: wherever it comes, the run ends by itself, nothing is left half-done, and the next run goes on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { plinth, startPlinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const base = {
  'm/1_t.up.sql': 'create table t (id int);\n',
  'm/1_t.down.sql': 'drop table t;\n',
}

async function story(settings: string, files: Readonly<Record<string, string>>) {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({
    'plinth.yaml': `version: 1\nmigrations: {${settings}}\ntracks:\n  operational:\n    migrations: m\n`,
    ...base,
    ...files,
  })
  const flags = ['--database', url]
  return {
    url,
    run: (...args: string[]) => plinth([...args, ...flags], { cwd }),
    start: (...args: string[]) => startPlinth([...args, ...flags], { cwd }),
    /** Resolves when the query finds a row. */
    until: (query: string) =>
      withClient(url, async client => {
        while ((await client.query(query)).rowCount === 0) await sleep(20)
      }),
    columns: () =>
      withClient(url, async client => {
        const { rows } = await client.query<{ name: string }>(
          "select attname as name from pg_attribute where attrelid = 't'::regclass and attnum > 0 and not attisdropped order by 1",
        )
        return rows.map(row => row.name)
      }),
    /** Sessions of runs that are still there. */
    leftovers: () =>
      withClient(url, async client => {
        const query =
          "select 1 from pg_stat_activity where datname = current_database() and application_name like 'plinth%'"
        for (let attempt = 0; attempt < 100 && ((await client.query(query)).rowCount ?? 0) > 0; attempt++)
          await sleep(50)
        return (await client.query(query)).rowCount
      }),
  }
}

const addsColumn = {
  'm/2_x.up.sql': 'alter table t add column a int;\nalter table t add column b int;\n',
  'm/2_x.down.sql': 'alter table t drop column a, drop column b;\n',
}
const waitsForTable = "select 1 from pg_locks where relation = 't'::regclass and not granted"

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal} while a statement waits for its lock`, async () => {
    const { url, run, start, until, columns, leftovers } = await story('lockTimeoutSeconds: 60', addsColumn)
    await run('apply', '--to', '1')
    await withClient(url, async holder => {
      await holder.query('begin; lock table t')
      const applying = start('apply', '--json')
      await until(waitsForTable)
      applying.child.kill(signal)
      const ended = await applying.ended
      expect(ended.status).toBe(130)
      expect(ended.json.error?.code).toBe('INTERRUPTED')
      await holder.query('rollback')
    })
    expect(await columns()).toEqual(['id'])
    expect(await leftovers()).toBe(0)
    expect((await run('apply')).status).toBe(0)
    expect(await columns()).toEqual(['a', 'b', 'id'])
  })

test('while it pauses between two tries', async () => {
  const { url, run, start, columns } = await story('lockTimeoutSeconds: 0.05, lockRetries: 50', addsColumn)
  await run('apply', '--to', '1')
  await withClient(url, async holder => {
    await holder.query('begin; lock table t')
    const applying = start('apply', '--events', 'ndjson', '--json')
    const retried = new Promise<void>(resolve => {
      let seen = 0
      applying.child.stderr?.on('data', (text: string) => {
        seen += text.split('"step.retried"').length - 1
        if (seen >= 4) resolve()
      })
    })
    await retried
    applying.child.kill('SIGINT')
    const ended = await applying.ended
    expect([ended.status, ended.json.error?.code]).toEqual([130, 'INTERRUPTED'])
    await holder.query('rollback')
  })
  expect(await columns()).toEqual(['id'])
  expect((await run('apply')).status).toBe(0)
  expect(await columns()).toEqual(['a', 'b', 'id'])
})

test('while another run has the lock of the track', async () => {
  const { run, start, until } = await story('lockTimeoutSeconds: 5', {
    'm/2_slow.up.sql': 'select pg_sleep(3);\n',
    'm/2_slow.down.sql': '-- nothing\n',
  })
  const working = start('apply')
  await until(
    "select 1 from pg_stat_activity where query like '%pg_sleep(3)%' and state = 'active' and pid <> pg_backend_pid() and datname = current_database()",
  )
  const waiting = start('apply', '--events', 'ndjson', '--json')
  await new Promise<void>(resolve => {
    waiting.child.stderr?.on('data', (text: string) => text.includes('"lock.waiting"') && resolve())
  })
  waiting.child.kill('SIGINT')
  const ended = await waiting.ended
  expect([ended.status, ended.json.error?.code]).toEqual([130, 'INTERRUPTED'])
  expect((await working.ended).status).toBe(0)
  expect((await run('status')).status).toBe(0)
})

test('while its own row of the history waits to be written', async () => {
  const { url, run, start, until, columns, leftovers } = await story('lockTimeoutSeconds: 60', addsColumn)
  await run('apply', '--to', '1')
  await withClient(url, async holder => {
    await holder.query('begin; lock table plinth.migration_attempts in share mode')
    const applying = start('apply', '--json')
    await until("select 1 from pg_locks where relation = 'plinth.migration_attempts'::regclass and not granted")
    applying.child.kill('SIGINT')
    const ended = await applying.ended
    expect([ended.status, ended.json.error?.code]).toEqual([130, 'INTERRUPTED'])
    await holder.query('rollback')
  })
  expect(await columns()).toEqual(['id'])
  expect(await leftovers()).toBe(0)
  expect((await run('apply')).status).toBe(0)
  expect(await columns()).toEqual(['a', 'b', 'id'])
})

test('twice: the process leaves at once, and the server rolls back what was open', async () => {
  const { url, run, start, until, columns, leftovers } = await story('lockTimeoutSeconds: 60', addsColumn)
  await run('apply', '--to', '1')
  await withClient(url, async holder => {
    await holder.query('begin; lock table t')
    const applying = start('apply')
    await until(waitsForTable)
    applying.child.kill('SIGINT')
    applying.child.kill('SIGINT')
    expect((await applying.ended).status).toBe(130)
    await holder.query('rollback')
  })
  expect(await leftovers()).toBe(0)
  expect(await columns()).toEqual(['id'])
  expect((await run('apply')).status).toBe(0)
})

test('while an index is built concurrently: the next run drops what is left of it and builds it again', async () => {
  const { url, run, start, until } = await story('lockTimeoutSeconds: 5', {
    'm/2_i.up.sql': 'create index concurrently t_id on t (id);\n',
    'm/2_i.down.sql': 'drop index concurrently t_id;\n',
  })
  await run('apply', '--to', '1')
  await withClient(url, async old => {
    await old.query('begin; insert into t values (1)')
    const applying = start('apply', '--json')
    await until("select 1 from pg_index where indrelid = 't'::regclass and not indisvalid")
    applying.child.kill('SIGINT')
    const ended = await applying.ended
    expect([ended.status, ended.json.error?.code]).toEqual([130, 'INTERRUPTED'])
    await old.query('commit')
  })
  expect((await run('apply')).status).toBe(0)
  await withClient(url, async client => {
    const { rows } = await client.query("select indisvalid from pg_index where indrelid = 't'::regclass")
    expect(rows).toEqual([{ indisvalid: true }])
  })
})
