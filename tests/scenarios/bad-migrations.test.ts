/** Bad migrations, histories and surroundings: each stops before anything is changed, with its code, its place and the next step. */
import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { withLease } from '../../src/engines/lease.ts'
import { engineOf } from '../../src/engines/registry.ts'
import { plinth, type Ran, temporaryFolder } from '../support/cli.ts'
import { asUser, emptyDatabase, withClient } from '../support/database.ts'

type Files = Readonly<Record<string, string>>

const first: Files = {
  'm/1_t.up.sql': 'create table t (id int primary key, v text);\n',
  'm/1_t.down.sql': 'drop table t;\n',
}
const second: Files = {
  'm/2_drop.up.sql': '-- The column is not used.\nalter table t drop column v;\n',
  'm/2_drop.down.sql': 'alter table t add column v text;\n',
}

/** A database that is at 1, with rows; `files` come beside that. */
async function story(files: Files, settings = '') {
  const { url } = await emptyDatabase()
  const configuration = (database: string) =>
    `version: 1\ntracks:\n  operational: { migrations: m, database: "${database}" }\n${settings}`
  const cwd = temporaryFolder({ ...first, ...files, 'plinth.yaml': configuration('${HOME_DATABASE}') })
  const sql = (text: string) => withClient(url, client => client.query(text))
  const run = (args: readonly string[], as = url) => plinth(args, { cwd, env: { HOME_DATABASE: as } })
  return {
    url,
    sql,
    run,
    begin: async () => {
      const only = temporaryFolder(first)
      expect(await plinth(['apply', '--dir', 'm', '--database', url], { cwd: only })).toMatchObject({ status: 0 })
      await sql("insert into t select i, repeat('x', 500) from generate_series(1, 3000) i")
    },
    /** Every column that there is, and how many rows its table has; that somebody tried is written down. */
    state: async () =>
      (
        await sql(`
          select n.nspname || '.' || c.relname as name, a.attname as column,
            (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', n.nspname, c.relname), false, true, '')))[1]::text as rows
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relname not in ('migration_runs', 'migration_attempts')
          order by 1, 2`)
      ).rows,
  }
}

interface Refusal {
  readonly status: number
  readonly code: string
  /** As printed behind `at`. */
  readonly place: string | RegExp
  readonly next: RegExp
}

function expectRefusal(ran: Ran, { status, code, place, next }: Refusal): void {
  expect(ran.stderr).toContain(`✗ ${code}`)
  expect(ran.status).toBe(status)
  expect(ran.stderr).toMatch(typeof place === 'string' ? `\n  at ${place}` : place)
  expect(/→ (.*)/.exec(ran.stderr)?.[1]).toMatch(next)
  expect(ran.stderr).not.toMatch(/\n {4}at /)
}

test.each<[string, Files, Refusal]>([
  [
    'an unknown directive',
    { 'm/2_b.up.sql': '-- A fill.\n-- plinth: bacth=10\nupdate t set v = v;\n', 'm/2_b.down.sql': '-- none\n' },
    { status: 2, code: 'DIRECTIVE_UNKNOWN', place: 'm/2_b.up.sql:2:12', next: /Did you mean "batch"/ },
  ],
  [
    'a misspelt word before it',
    { 'm/2_b.up.sql': '-- plint: batch=10\nupdate t set v = v;\n', 'm/2_b.down.sql': '-- none\n' },
    { status: 2, code: 'DIRECTIVE_UNKNOWN', place: 'm/2_b.up.sql:1:1', next: /Did you mean "-- plinth:"/ },
  ],
  [
    'a directive with a value that it does not take',
    { 'm/2_b.up.sql': '-- plinth: batch=ten\nupdate t set v = v;\n', 'm/2_b.down.sql': '-- none\n' },
    { status: 2, code: 'DIRECTIVE_INVALID', place: 'm/2_b.up.sql:1:12', next: /whole number/ },
  ],
  [
    'two files of one version',
    { ...second, 'm/02_other.up.sql': 'select 1;\n', 'm/02_other.down.sql': '-- none\n' },
    { status: 2, code: 'VERSION_DUPLICATE', place: 'm/2_drop.up.sql', next: /version of its own/ },
  ],
  [
    'a version that jumps back',
    { 'm/0_before.up.sql': 'create table b (id int);\n', 'm/0_before.down.sql': 'drop table b;\n', ...second },
    { status: 5, code: 'OUT_OF_ORDER', place: 'm/0_before.up.sql', next: /--allow-out-of-order/ },
  ],
  [
    'a checks file without its migration',
    { ...second, 'm/7_x.checks.sql': '-- plinth: pre x\nselect 1 where false;\n' },
    { status: 2, code: 'CHECKS_WITHOUT_MIGRATION', place: 'm/7_x.checks.sql', next: /7_x\.up\.sql/ },
  ],
])('%s', async (_, files, refusal) => {
  const { begin, run, state } = await story(files)
  await begin()
  const before = await state()
  expectRefusal(await run(['apply']), refusal)
  expect(await state()).toEqual(before)
})

test('an archive that was purged', async () => {
  const { begin, run, state } = await story(second)
  await begin()
  expect((await run(['apply'])).status).toBe(0)
  expect((await run(['archive', 'purge', '--version-of', '2', '--yes'])).status).toBe(0)
  const before = await state()
  const ran = await run(['rollback', '--steps', '1', '--yes'])
  expectRefusal(ran, {
    status: 5,
    code: 'LOSS_NOT_ACCEPTED',
    place: /\n {2}at m\/2_drop\.\w+\.sql/,
    next: /--accept-loss/,
  })
  expect(ran.stderr).toMatch(/purged/)
  expect(await state()).toEqual(before)
})

test('a foreign history that does not match the catalog', async () => {
  const { sql, run, state } = await story(second)
  await sql(`create table t (id int primary key, v text, by_hand int);
    create table schema_migrations (version bigint not null primary key, dirty boolean not null);
    insert into schema_migrations values (1, false)`)
  const before = await state()
  const ran = await run(['adopt'])
  expectRefusal(ran, { status: 3, code: 'ADOPT_MISMATCH', place: 'public.schema_migrations', next: /--accept-drift/ })
  expect(ran.stderr).toContain('column public.t.by_hand is only in the database')
  expect(await state()).toEqual(before)
})

test('a lease held by a host that is gone', async () => {
  const { url, begin, sql, run, state } = await story(second, 'migrations: { lockWaitSeconds: 1 }\n')
  await begin()
  await withSession(await engineOf(url), url, {}, session =>
    withLease(session, 'plinth:operational', { waitMs: 1000, emit: () => undefined }, async () => undefined),
  )
  await sql(`update plinth.leases set owner = 'anna', host = 'gone.example', process_id = 7, backend_pid = null,
    acquired_at = now(), renewed_at = now(), expires_at = now() + interval '1 hour'`)
  const before = await state()
  const ran = await run(['apply'])
  expectRefusal(ran, { status: 6, code: 'LOCK_TIMEOUT', place: 'plinth:operational', next: /\S/ })
  expect(ran.stderr).toContain('gone.example')
  expect(await state()).toEqual(before)
})

test('a role without rights on the archive schema', async () => {
  const { url, begin, sql, run, state } = await story(second)
  await begin()
  const role = `plain_${randomBytes(6).toString('hex')}`
  await sql(`create role ${role} login; grant all on schema plinth, public to ${role};
    grant all on all tables in schema plinth to ${role}; alter table t owner to ${role}`)
  onTestFinished(() =>
    withClient(url, async client => void (await client.query(`drop owned by ${role} cascade; drop role ${role}`))),
  )
  const before = await state()
  const ran = await run(['apply'], asUser(url, role))
  expectRefusal(ran, { status: 5, code: 'ARCHIVE_REFUSED', place: 'm/2_drop.up.sql', next: /CREATE/ })
  expect(await state()).toEqual(before)
})

test('too little room for what has to be kept', async () => {
  const { begin, run, state } = await story(second, 'preserve: { archiveMegabytesMax: 0.5 }\n')
  await begin()
  const before = await state()
  const ran = await run(['apply'])
  expectRefusal(ran, { status: 5, code: 'ARCHIVE_REFUSED', place: 'm/2_drop.up.sql', next: /Make room, or raise/ })
  expect(await state()).toEqual(before)
})
