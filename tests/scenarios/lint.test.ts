/** Migrations are judged before anybody runs them: what is wrong is found and shown, bad input names itself, and apply refuses errors. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { expect, inject, test } from 'vitest'
import { plinth, type Ran, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase, withClient } from '../support/database.ts'

const users = {
  'm/1_users.up.sql': 'create table users (id bigint generated always as identity primary key, name text);\n',
  'm/1_users.down.sql': 'drop table users;\n',
}

const indexed = {
  ...users,
  'm/2_index.up.sql': '-- by name\ncreate index users_name_idx on users (name);\n',
  'm/2_index.down.sql': 'drop index users_name_idx;\n',
}

/** Rehearses on the server of the tests. */
async function lint(cwd: string, ...args: readonly string[]): Promise<Ran> {
  return plinth(['lint', ...args], { cwd, env: { PLINTH_REHEARSE_ON: inject('serverUrl') } })
}

interface Found {
  readonly rule: string
  readonly severity: string
  readonly message: string
  readonly file: string
  readonly line: number
  readonly column: number
  readonly statement: number | null
  readonly basis: string
  readonly allowed: { readonly by: string; readonly reason: string | null } | null
}

function findingsOf(ran: Ran): readonly Found[] {
  return ran.json.data.report.findings as readonly Found[]
}

/** `rule line`, of those that nothing allows; what is a matter of taste, such as names of files, left out but for the frame's own. */
function openOf(ran: Ran): readonly string[] {
  return findingsOf(ran).flatMap(one =>
    one.allowed || (one.severity === 'notice' && one.rule !== 'baseline-stale') ? [] : [`${one.rule} ${one.line}`],
  )
}

test('a folder is rehearsed and judged; an index on a table in use is an error', async () => {
  const cwd = temporaryFolder(indexed)
  const ran = await lint(cwd, 'm')
  expect(ran.status).toBe(4)
  expect(ran.stdout).toContain('m/2_index.up.sql:2:1')
  expect(ran.stdout).toMatch(/> 2 \| create index users_name_idx on users \(name\);\n\s+\| \^/)
  expect(ran.stdout).toContain('lock-index-nonconcurrent')
  expect(ran.stdout).toMatch(/1 error.* in 4 files judged, rehearsed on PostgreSQL \d+/)
})

test('a table that the same file makes is nobody’s yet', async () => {
  const cwd = temporaryFolder({
    'm/1_users.up.sql':
      'create table users (id bigint primary key, name text);\ncreate index users_name_idx on users (name);\n',
    'm/1_users.down.sql': 'drop table users;\n',
  })
  expect(openOf(await lint(cwd, 'm', '--json'))).toEqual([])
  expect(openOf(await lint(cwd, 'm', '--json', '--no-rehearsal'))).toEqual([])
})

test('a file that PostgreSQL cannot parse is one finding with its place, and hides no other', async () => {
  const cwd = temporaryFolder({
    ...indexed,
    'm/3_broken.up.sql': 'create table a (id int);\nselct 1;\ncreate tabel b;\n',
    'm/3_broken.down.sql': 'drop table a;\n',
    'm/4_later.up.sql': 'create index users_id_name_idx on users (id, name);\n',
    'm/4_later.down.sql': 'drop index users_id_name_idx;\n',
  })
  const shown = await lint(cwd, 'm')
  expect(shown.stdout).toMatch(/m\/3_broken\.up\.sql:2:1.*syntax/)
  expect(shown.stdout).toMatch(/> 2 \| selct 1;\n\s+\| \^/)
  const ran = await lint(cwd, 'm', '--json')
  expect(ran.status).toBe(4)
  expect(findingsOf(ran).filter(one => one.file === 'm/3_broken.up.sql')).toMatchObject([
    { rule: 'syntax', severity: 'error', line: 2, column: 1 },
  ])
  expect(findingsOf(ran).map(one => `${one.rule} ${one.file}`)).toEqual(
    expect.arrayContaining(['lock-index-nonconcurrent m/2_index.up.sql', 'lock-index-nonconcurrent m/4_later.up.sql']),
  )
})

test('a migration that fails in the rehearsal is a finding with statement, SQLSTATE and position', async () => {
  const cwd = temporaryFolder({
    ...users,
    'm/2_fails.up.sql': 'create table orders (id bigint primary key);\n\nselect nothing\nfrom users;\n',
    'm/2_fails.down.sql': 'drop table orders;\n',
    'm/3_stands_on_it.up.sql': 'alter table orders add column note text;\n',
    'm/3_stands_on_it.down.sql': 'alter table orders drop column note;\n',
  })
  const ran = await lint(cwd, 'm', '--json')
  expect(ran.status).toBe(4)
  expect(findingsOf(ran).filter(one => one.severity === 'error')).toMatchObject([
    { rule: 'rehearsal-failed', file: 'm/2_fails.up.sql', line: 3, column: 8, statement: 1, basis: 'rehearsal' },
  ])
  expect(findingsOf(ran).find(one => one.rule === 'rehearsal-failed')?.message).toContain('42703')
})

test('a server that cannot be reached: by the text alone where it is preferred, a failure where it is required', async () => {
  const cwd = temporaryFolder({ ...indexed, 'plinth.yaml': 'version: 1\nlint: { rehearsal: preferred }\n' })
  const env = { PLINTH_REHEARSE_ON: 'postgres://me@127.0.0.1:1/none' }
  const preferred = await plinth(['lint', 'm'], { cwd, env })
  expect(preferred.status).toBe(4)
  expect(preferred.stdout).toContain('lock-index-nonconcurrent')
  expect(preferred.stdout).toMatch(/Nothing was rehearsed: .*127\.0\.0\.1/)
  expect(preferred.stdout).toMatch(/\d+ rules need a rehearsal and were not judged/)
  writeFileSync(join(cwd, 'plinth.yaml'), 'version: 1\nlint: { rehearsal: required }\n')
  const required = await plinth(['lint', 'm'], { cwd, env })
  expect(required.status).toBe(7)
  expect(required.stderr).toContain('DATABASE_UNREACHABLE')
  const without = await plinth(['lint', 'm', '--no-rehearsal'], { cwd, env })
  expect(without.status).toBe(4)
  expect(without.stdout).toMatch(/\d+ rules need a rehearsal and were not judged/)
})

test.each([
  ['a rule', 'lint:\n  rules:\n    lock-index-nonconcurent: warning\n', 'lock-index-nonconcurrent', ':4'],
  ['a severity', 'lint:\n  rules:\n    lock-index-nonconcurrent: waring\n', 'warning', ':4'],
  ['a way to apply', 'lint:\n  apply: refuze\n', 'refuse', ':3'],
])('%s that is not known names the nearest and its line', async (_, text, nearest, line) => {
  const cwd = temporaryFolder({ ...indexed, 'plinth.yaml': `version: 1\n${text}` })
  const ran = await lint(cwd, 'm')
  expect(ran.status).toBe(2)
  expect(ran.stderr).toContain('CONFIG_INVALID')
  expect(ran.stderr).toContain(`Did you mean "${nearest}"?`)
  expect(ran.stderr).toContain(`plinth.yaml${line}`)
})

test('a pattern of names that is none, and a key that nobody knows', async () => {
  const cwd = temporaryFolder({ ...indexed, 'plinth.yaml': 'version: 1\nlint:\n  naming: { index: "(" }\n' })
  const pattern = await lint(cwd, 'm')
  expect(pattern.status).toBe(2)
  expect(pattern.stderr).toContain('this is not a regular expression')
  writeFileSync(join(cwd, 'plinth.yaml'), 'version: 1\nlint:\n  tenant: a\n')
  expect((await lint(cwd, 'm')).stderr).toContain('unknown key "tenant"')
})

test('a severity of the configuration, and of one environment', async () => {
  const cwd = temporaryFolder({
    ...indexed,
    'configs/migrate.yaml':
      'version: 1\nenvironments: { local: {}, production: {} }\nlint:\n  rules:\n    lock-index-nonconcurrent: warning\n',
    'configs/environments/production.yaml': 'lint:\n  rules:\n    lock-index-nonconcurrent: error\n',
  })
  expect((await lint(cwd, 'm')).status).toBe(0)
  expect((await lint(cwd, 'm', '--max-warnings', '0')).status).toBe(4)
  expect((await lint(cwd, 'm', '--env', 'production')).status).toBe(4)
})

test('an allowance silences the statement below it, with its reason', async () => {
  const cwd = temporaryFolder({
    ...indexed,
    'm/2_index.up.sql':
      '-- plinth:allow lock-index-nonconcurrent reason="ten rows" until=2999-12-31\ncreate index users_name_idx on users (name);\n',
  })
  const ran = await lint(cwd, 'm', '--json')
  expect(ran.status).toBe(0)
  expect(findingsOf(ran).filter(one => one.rule === 'lock-index-nonconcurrent')).toMatchObject([
    { allowed: { by: 'file', reason: 'ten rows' } },
  ])
})

test('allowances that are over, needless, without a reason or misspelt are findings, and silence nothing', async () => {
  const index = 'create index users_name_idx on users (name);\n'
  const allow = (words: string, text = index) => ({
    ...indexed,
    'm/2_index.up.sql': `-- plinth:allow ${words}\n${text}`,
  })
  const open = async (files: Readonly<Record<string, string>>) =>
    openOf(await lint(temporaryFolder(files), 'm', '--json'))
  expect(await open(allow('lock-index-nonconcurrent reason="soon" until=2020-01-31'))).toEqual([
    'allow-expired 1',
    'lock-index-nonconcurrent 2',
  ])
  expect(await open(allow('lock-index-nonconcurrent'))).toEqual(['allow-invalid 1', 'lock-index-nonconcurrent 2'])
  expect(await open(allow('lock-index-nonconcurent reason="x"'))).toEqual([
    'allow-invalid 1',
    'lock-index-nonconcurrent 2',
  ])
  expect(await open(allow('lock-index-nonconcurrent reason="x" until=2026-02-30'))).toEqual([
    'allow-invalid 1',
    'lock-index-nonconcurrent 2',
  ])
  expect(await open(allow('rewrite-volatile-default reason="x"', 'comment on table users is null;\n'))).toEqual([
    'allow-unused 1',
  ])
  const misspelt = await lint(temporaryFolder(allow('lock-index-nonconcurent reason="x"')), 'm')
  expect(misspelt.stdout).toContain('Did you mean "lock-index-nonconcurrent"?')
})

test('a baseline holds what was there, shows what is new, and tells what is gone', async () => {
  const cwd = temporaryFolder(indexed)
  expect((await lint(cwd, 'm', '--all', '--update-baseline')).status).toBe(0)
  const baseline = readFileSync(join(cwd, 'lint-baseline.json'), 'utf8')
  expect(JSON.parse(baseline)).toMatchObject({ format: 1 })
  expect((await lint(cwd, 'm')).status).toBe(0)
  expect((await lint(cwd, 'm', '--no-baseline')).status).toBe(4)
  // Lines that move and a file with another name change nothing.
  writeFileSync(join(cwd, 'm/2_index.up.sql'), `-- more\n-- words\n\n${indexed['m/2_index.up.sql']}`)
  expect((await lint(cwd, 'm')).status).toBe(0)
  writeFileSync(join(cwd, 'm/3_more.up.sql'), 'create index users_both_idx on users (name, id);\n')
  writeFileSync(join(cwd, 'm/3_more.down.sql'), 'drop index users_both_idx;\n')
  const more = await lint(cwd, 'm', '--json')
  expect(more.status).toBe(4)
  expect(findingsOf(more).filter(one => !one.allowed && one.severity === 'error')).toMatchObject([
    { rule: 'lock-index-nonconcurrent', file: 'm/3_more.up.sql' },
  ])
  writeFileSync(join(cwd, 'm/2_index.up.sql'), 'select 1;\n')
  writeFileSync(join(cwd, 'm/3_more.up.sql'), 'select 1;\n')
  expect(openOf(await lint(cwd, 'm', '--json'))).toContain('baseline-stale 1')
})

test('a baseline that is none says so', async () => {
  const cwd = temporaryFolder({ ...indexed, 'lint-baseline.json': '{}' })
  const ran = await lint(cwd, 'm')
  expect(ran.status).toBe(2)
  expect(ran.stderr).toContain('The baseline of lint cannot be read.')
})

test('standard input is judged behind what the folder makes', () => {
  const cwd = temporaryFolder(users)
  const program = join(import.meta.dirname, '../../bin/plinth.js')
  const ran = spawnSync(process.execPath, [program, 'lint', '-', '--dir', 'm', '--json'], {
    cwd,
    input: 'alter table users add column note text;\ncreate index users_name_idx on users (name);\n',
    env: { ...process.env, PLINTH_REHEARSE_ON: inject('serverUrl') },
    encoding: 'utf8',
  })
  expect(ran.status).toBe(4)
  const { findings } = JSON.parse(ran.stdout).data.report as { readonly findings: readonly Found[] }
  expect(findings.filter(one => one.severity === 'error')).toMatchObject([
    { rule: 'lock-index-nonconcurrent', file: '-', line: 2, basis: 'rehearsal' },
  ])
})

test('a file is judged alone, behind those before it; one of no folder by its text', async () => {
  const cwd = temporaryFolder({
    ...indexed,
    'loose.sql': 'create index users_name_idx on users (name);\n',
  })
  const named = await lint(cwd, 'm/2_index.up.sql', '--json')
  expect(named.json.data.report).toMatchObject({ files: 1, rehearsal: { reason: null } })
  expect(openOf(named)).toEqual(['lock-index-nonconcurrent 2'])
  const loose = await lint(cwd, 'loose.sql')
  expect(loose.stdout).toContain('of which nothing is known')
  const gone = await lint(cwd, 'm/3_gone.up.sql')
  expect(gone.status).toBe(2)
  expect(gone.stderr).toContain('FILE_UNREADABLE')
})

test('only what the database has not applied, unless every file is asked for', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder(indexed)
  const place = ['--dir', 'm', '--database', url]
  expect((await plinth(['apply', ...place], { cwd })).status).toBe(0)
  const pending = await lint(cwd, ...place)
  expect(pending.status).toBe(0)
  expect(pending.stdout).toContain('0 of 2 migrations are pending; --all lints every one.')
  expect((await lint(cwd, ...place, '--all')).status).toBe(4)
})

test('files with both directions, and paths that nobody wants judged', async () => {
  const text = (up: string, down: string) => `-- +goose Up\n${up}\n\n-- +goose Down\n${down}\n`
  const cwd = temporaryFolder({
    'm/001_users.sql': text('create table users (id bigint primary key, name text);', 'drop table users;'),
    'm/002_index.sql': text('create index users_name_idx on users (name);', 'drop index users_name_idx;'),
  })
  expect(openOf(await lint(cwd, 'm', '--json'))).toEqual(['lock-index-nonconcurrent 2'])
  writeFileSync(join(cwd, 'plinth.yaml'), 'version: 1\nlint: { ignore: ["m/002*"] }\n')
  expect(openOf(await lint(cwd, 'm', '--json'))).toEqual([])
})

test('apply refuses an error before it takes a lock; the plan shows it, and an allowance lets it through', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder(indexed)
  const place = ['--dir', 'm', '--database', url]
  expect((await plinth(['apply', ...place, '--to', '1'], { cwd })).status).toBe(0)
  await withClient(url, async client => {
    await client.query(`insert into users (name) select 'n' || i from generate_series(1, 20000) i`)
    await client.query('analyze users')
  })
  const plan = await plinth(['plan', ...place, '--json'], { cwd })
  const findings = plan.json.data.tracks[0].plan.findings as readonly Found[]
  expect(findings.filter(one => one.severity === 'error')).toMatchObject([
    { rule: 'lock-index-nonconcurrent', version: '2', allowed: null },
  ])
  expect((await plinth(['plan', ...place], { cwd })).stdout).toContain('lock-index-nonconcurrent')
  const refused = await plinth(['apply', ...place], { cwd })
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain('LINT_REFUSED')
  expect(refused.stderr).toMatch(/2_index\.up\.sql:2:1/)
  expect(refused.stderr).toContain('-- plinth:allow lock-index-nonconcurrent reason="…"')
  await withClient(url, async client => {
    const { rows } = await client.query('select count(*)::int as runs from plinth.migration_runs')
    expect(rows).toEqual([{ runs: 1 }])
  })
  writeFileSync(
    join(cwd, 'm/2_index.up.sql'),
    '-- plinth:allow lock-index-nonconcurrent reason="nobody writes at night"\ncreate index users_name_idx on users (name);\n',
  )
  expect((await plinth(['apply', ...place], { cwd })).status).toBe(0)
})

test('a folder that was written before is applied as it stands, once its findings are the baseline', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({
    'plinth.yaml': `version: 1\ntracks: { operational: { engine: postgres, migrations: m, database: "${url}" } }\n`,
    'm/1_members.up.sql': 'create table members (nick text primary key, password text not null);',
    'm/1_members.down.sql': 'drop table members;',
  })
  const refused = await plinth(['apply'], { cwd })
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain('plinth lint --all --update-baseline')
  expect((await plinth(['lint', '--all', '--no-rehearsal', '--update-baseline'], { cwd })).status).toBe(0)
  expect((await plinth(['apply'], { cwd })).status).toBe(0)
})

test('on a small table nobody waits, so the same step is applied', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder(indexed)
  const ran = await plinth(['apply', '--dir', 'm', '--database', url], { cwd })
  expect(ran.status).toBe(0)
})

test('a project that declares lint rehearses before it applies, and finds what a block hides', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({
    ...users,
    'm/2_hidden.up.sql': `do $$ begin execute 'create index users_name_idx on users (name)'; end $$;\n`,
    'm/2_hidden.down.sql': 'drop index users_name_idx;\n',
    'plinth.yaml': 'version: 1\nlint: { smallTableRows: 0 }\n',
  })
  const place = ['--dir', 'm', '--database', url]
  const env = { PLINTH_REHEARSE_ON: inject('serverUrl') }
  expect((await plinth(['apply', ...place, '--to', '1'], { cwd, env })).status).toBe(0)
  const refused = await plinth(['apply', ...place], { cwd, env })
  expect(refused.status).toBe(4)
  expect(refused.stderr).toContain('lock-index-nonconcurrent')
  writeFileSync(join(cwd, 'plinth.yaml'), 'version: 1\nlint: { smallTableRows: 0, apply: report }\n')
  const reported = await plinth(['apply', ...place], { cwd, env })
  expect(reported.status).toBe(0)
  expect(reported.stderr).toContain('lock-index-nonconcurrent')
})

test('the rules can be listed', async () => {
  const ran = await plinth(['lint', '--rules', '--json'], { cwd: temporaryFolder() })
  expect(ran.status).toBe(0)
  expect(ran.json.data.rules.length).toBeGreaterThanOrEqual(70)
})

test('what is certain is written into the file, and judged again', async () => {
  const cwd = temporaryFolder(indexed)
  const fixed = await lint(cwd, 'm', '--fix')
  expect([fixed.status, fixed.stdout]).toEqual([
    0,
    expect.stringContaining('m/2_index.up.sql:2  Build it concurrently'),
  ])
  expect(readFileSync(join(cwd, 'm/2_index.up.sql'), 'utf8')).toBe(
    '-- by name\ncreate index concurrently users_name_idx on users (name);\n',
  )
  expect(openOf(await lint(cwd, 'm', '--json'))).toEqual([])
  const again = await lint(cwd, 'm', '--fix', '--json')
  expect(again.json.data.fixed).toEqual([])
})

test('a rewrite is neither made where it is allowed nor asked of standard input', async () => {
  const allowed =
    '-- plinth:allow lock-index-nonconcurrent reason="small"\ncreate index users_name_idx on users (name);\n'
  const cwd = temporaryFolder({ ...indexed, 'm/2_index.up.sql': allowed })
  expect((await lint(cwd, 'm', '--fix')).status).toBe(0)
  expect(readFileSync(join(cwd, 'm/2_index.up.sql'), 'utf8')).toBe(allowed)
  const refused = await lint(cwd, '-', '--fix')
  expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('standard input')])
})

test('seeds are judged with their project: secrets that stand in them are errors, shown by no output', async () => {
  const awsKey = ['AKIA', 'Q7XNMBPLR4TVWZ2K'].join('')
  const cwd = temporaryFolder({
    'configs/migrate.yaml':
      'version: 1\nproject: app\ntracks:\n  operational:\n    engine: postgres\n    migrations: m\nseeds: seeds\n',
    ...users,
    'seeds/dev/package.yaml':
      'description: A few users\nseed: dev\nanchor: "2026-01-01T00:00:00Z"\nweeks: 1\ntables: [../tables/users.yaml, ../tables/broken.yaml]\n',
    'seeds/tables/users.yaml': `# from ${awsKey}
table: public.users
kind: demo
key: [id]
columns: { password: { secret: pw } }
rows:
  first: { id: 1, password: correct-horse-battery }
  second: { id: 2, password: "$2b$12$abcdefghijklmnopqrstuuKZ0b2m1mQy9w0Zr8m8dQeYJm5lq3f9C" }
  third: { id: 3, name: password }
`,
    'seeds/tables/broken.yaml': 'table: users\nkind: other\n',
  })
  const ran = await lint(cwd, '--no-rehearsal')
  expect(ran.status).toBe(4)
  for (const secret of ['correct-horse', awsKey]) expect(ran.stdout + ran.stderr).not.toContain(secret)
  expect(ran.stdout).toContain('seeds/tables/users.yaml:7')
  const json = await lint(cwd, '--no-rehearsal', '--json')
  const seeds = findingsOf(json).filter(one => one.file.startsWith('seeds/'))
  expect(seeds.map(one => `${one.rule} ${one.file} ${one.line}`).sort()).toEqual([
    'security-inserted-secret seeds/tables/users.yaml 7',
    'security-secret-literal seeds/tables/users.yaml 1',
    'syntax seeds/tables/broken.yaml 1',
  ])
  // A file by its name, and what a baseline holds of it.
  const named = await lint(cwd, '--no-rehearsal', '--json', 'seeds/tables/users.yaml')
  expect(findingsOf(named).map(one => one.line)).toEqual([1, 7])
  expect((await lint(cwd, '--no-rehearsal', '--all', '--update-baseline')).status).toBe(0)
  const again = await lint(cwd, '--no-rehearsal', '--all')
  expect(again.status, again.stdout).toBe(0)
})

test('a file is judged although the database of its track says nothing', async () => {
  // It takes every connection, and would be waited for ten minutes.
  const silent = createServer(socket => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
  await new Promise(resolve => silent.once('listening', resolve))
  const { port } = silent.address() as AddressInfo
  try {
    const database = `postgres://me@127.0.0.1:${port}/x?connect_timeout=600`
    const configuration = `version: 1\ntracks:\n  operational:\n    migrations: m\n    database: ${database}\n`
    const cwd = temporaryFolder({ ...indexed, 'configs/migrate.yaml': configuration })
    const { stdout } = await lint(cwd, 'm/2_index.up.sql')
    expect(stdout).toContain('lock-index-nonconcurrent')
    expect(stdout).toContain('rehearsed on PostgreSQL')
  } finally {
    silent.close()
  }
})
