import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bigquery } from '../../src/engines/bigquery/index.ts'
import { failureOf } from '../../src/engines/bigquery/failure.ts'
import { withSession } from '../../src/engines/brackets.ts'

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'plinth-key-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const asking = (keyFile: string) =>
  withSession(bigquery, `bigquery://some-project?keyFile=${keyFile}`, {}, session => session.query('select 1'))

test('a key file that is not there is told as such, and as no fault of a statement', async () => {
  await expect(asking(join(folder(), 'gone.json'))).rejects.toMatchObject({
    code: 'DATABASE_AUTHENTICATION',
    message: expect.stringContaining('cannot be read'),
    hint: expect.stringContaining('keyFile='),
  })
})

test('a key file whose key was cut off is told as such, without a word of what it holds', async () => {
  const file = join(folder(), 'key.json')
  const key = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n'
  writeFileSync(file, JSON.stringify({ type: 'service_account', private_key: key, client_email: 'a@example.com' }))
  const failure: unknown = await asking(file).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'DATABASE_AUTHENTICATION', hint: expect.stringContaining('again as JSON') })
  expect(JSON.stringify(failure) + String(failure)).not.toContain('c2VjcmV0')
})

test.each([
  [
    'request to https://bigquery.googleapis.com/x failed, reason: getaddrinfo ENOTFOUND bigquery.googleapis.com',
    'bigquery.googleapis.com has no address',
  ],
  ['connect ECONNREFUSED 127.0.0.1:9', 'cannot be reached'],
])('a service that is away is no fault of a statement: %s', (message, said) => {
  const failure = failureOf(
    { status: 0, reason: 'X', message },
    { text: '', script: '', offset: 0, address: 'some-project' },
  )
  expect(failure).toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringContaining(said) })
})
