/** What goes wrong ends with its own code, a place, a next step and the right exit status; without a stack, a secret or a change. */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { plinth, type Ran, temporaryFolder } from '../support/cli.ts'
import { asUser, emptyDatabase, withClient } from '../support/database.ts'

const migration = { 'm/1_a.up.sql': 'create table a (id int);\n', 'm/1_a.down.sql': 'drop table a;\n' }

function expectFailure(ran: Ran, status: number, code: string): void {
  expect(ran.stderr).toContain(code)
  expect(ran.status).toBe(status)
  expect(ran.stdout).toBe('')
  expect(ran.stderr).toMatch(/→ \S/)
  expect(ran.stderr).not.toMatch(/\n {4}at /)
}

test.each([
  ['a URL without a scheme', 'localhost/db', 2, 'DATABASE_URL_INVALID'],
  ['a scheme that no engine opens', 'mysql://localhost/db', 2, 'DATABASE_URL_INVALID'],
  ['a host that does not exist', 'postgres://me:geheim@nowhere.invalid/db', 7, 'DATABASE_UNREACHABLE'],
])('%s', async (_, url, status, code) => {
  const ran = await plinth(['apply', '--dir', 'm', '--database', url], { cwd: temporaryFolder(migration) })
  expectFailure(ran, status, code)
  expect(ran.stderr).not.toContain('geheim')
})

test('a server that is down', async () => {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => probe.once('listening', resolve))
  const address = probe.address()
  const port = typeof address === 'object' && address ? address.port : 1
  await new Promise(resolve => probe.close(resolve))
  const ran = await plinth(['apply', '--dir', 'm', '--database', `postgres://me:geheim@127.0.0.1:${port}/db`], {
    cwd: temporaryFolder(migration),
  })
  expectFailure(ran, 7, 'DATABASE_UNREACHABLE')
  expect(ran.stderr).not.toContain('geheim')
})

test('a database that does not exist', async () => {
  const { url } = await emptyDatabase()
  const ran = await plinth(['apply', '--dir', 'm', '--database', `${url}_not`], { cwd: temporaryFolder(migration) })
  expectFailure(ran, 7, 'DATABASE_UNKNOWN')
})

test('a role without the right to create', async () => {
  const { url, name } = await emptyDatabase()
  const role = `weak_${randomBytes(6).toString('hex')}`
  await withClient(url, async client => {
    await client.query(`create role ${role} login password 'geheim'`)
    await client.query(`revoke all on database ${name} from public; grant connect on database ${name} to ${role}`)
  })
  onTestFinished(() =>
    withClient(url, async client => void (await client.query(`drop owned by ${role}; drop role ${role}`))),
  )
  const ran = await plinth(['apply', '--dir', 'm', '--database', asUser(url, role, 'geheim')], {
    cwd: temporaryFolder(migration),
  })
  expectFailure(ran, 1, 'PERMISSION_DENIED')
  expect(ran.stderr).not.toContain('geheim')
})

test('a folder that does not exist', async () => {
  const { url } = await emptyDatabase()
  expectFailure(
    await plinth(['apply', '--dir', 'nowhere', '--database', url], { cwd: temporaryFolder() }),
    2,
    'FOLDER_NOT_FOUND',
  )
})

test('an unknown track, environment and version', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({ ...migration, 'configs/migrate.yaml': 'version: 1\n' })
  expectFailure(await plinth(['apply', '--track', 'operatonal'], { cwd }), 2, 'TRACK_UNKNOWN')
  expectFailure(await plinth(['apply', '--env', 'prod'], { cwd }), 2, 'ENVIRONMENT_UNKNOWN')
  expectFailure(await plinth(['apply', '--dir', 'm', '--database', url, '--to', '7'], { cwd }), 2, 'VERSION_UNKNOWN')
})

test('malformed YAML names file and line, and no database is asked for', async () => {
  const cwd = temporaryFolder({
    'configs/migrate.yaml': 'version: 1\ntracks:\n  operational:\n   engine: postgres\n  migrations: [\n',
  })
  const ran = await plinth(['status'], { cwd })
  expectFailure(ran, 2, 'CONFIG_INVALID')
  expect(ran.stderr).toMatch(/configs\/migrate\.yaml:\d+/)
})

test('an unknown command or option names the nearest', async () => {
  const cwd = temporaryFolder()
  const command = await plinth(['aply'], { cwd })
  expect(command).toMatchObject({ status: 2, stderr: expect.stringContaining('apply') })
  const option = await plinth(['apply', '--alow-out-of-order'], { cwd })
  expect(option).toMatchObject({ status: 2, stderr: expect.stringContaining('--allow-out-of-order') })
})

test('a constraint that the data breaks is named, the data is not', async () => {
  const { url } = await emptyDatabase()
  await withClient(url, client =>
    client.query(
      "create table people (email text); insert into people values ('ada@example.com'), ('ada@example.com')",
    ),
  )
  const cwd = temporaryFolder({
    'm/1_unique.up.sql': 'alter table people add constraint people_email_key unique (email);\n',
    'm/1_unique.down.sql': 'alter table people drop constraint people_email_key;\n',
  })
  const ran = await plinth(['apply', '--dir', 'm', '--database', url], { cwd })
  expectFailure(ran, 1, 'CONSTRAINT_VIOLATED')
  expect(ran.stderr).toContain('people_email_key')
  expect(ran.stderr).not.toContain('ada@')
})

test('what only an interactive client can do is refused with its line', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder({
    'm/1_other.up.sql': 'create table t (id int);\n\\connect other\n',
    'm/1_other.down.sql': 'drop table t;\n',
  })
  const ran = await plinth(['apply', '--dir', 'm', '--database', url], { cwd })
  expectFailure(ran, 2, 'SQL_UNSUPPORTED')
  expect(ran.stderr).toContain('m/1_other.up.sql:2')
})

test('the JSON document of a failure has the same code, place and next step', async () => {
  const ran = await plinth(['apply', '--dir', 'm', '--database', 'postgres://127.0.0.1:1/x', '--json'], {
    cwd: temporaryFolder(migration),
  })
  expect(ran.status).toBe(7)
  expect(ran.json).toMatchObject({
    ok: false,
    data: null,
    error: { code: 'DATABASE_UNREACHABLE', hint: expect.any(String) },
  })
})

test('a project without classes has documents, and is told what is missing where it asks for classes', async () => {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder(migration)
  const written = await plinth(['docs', 'generate', '--dir', 'm', '--database', url], { cwd })
  expect(written.status).toBe(0)
  const checked = await plinth(['docs', 'check', '--dir', 'm', '--database', url], { cwd })
  expect(checked.status).toBe(0)
  expect(checked.stdout).toContain('No column is classified: there is no configs/data-classification.yml.')
  const asked = await plinth(['classify', 'check', '--dir', 'm', '--database', url], { cwd })
  expectFailure(asked, 2, 'FILE_UNREADABLE')
  expect(asked.stderr).toContain('The classification file does not exist.')
  const seeded = await plinth(['seed', '--dir', 'm', '--database', url], { cwd })
  expectFailure(seeded, 2, 'FOLDER_NOT_FOUND')
  expect(seeded.stderr).toContain('package.yaml')
})
