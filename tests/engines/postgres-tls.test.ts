/** Encrypted connections, on a server with a certificate of its own. */
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { removeEmbedded, startEmbedded, stopEmbedded } from '../../src/engines/postgres/embedded.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf } from './conformance.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe('a server without TLS', () => {
  test('is spoken to in the clear where that is allowed, and refused where not', async () => {
    const { url } = await emptyDatabase()
    for (const mode of ['disable', 'allow', 'prefer']) {
      expect(await encrypted(`${url}?sslmode=${mode}`)).toBe(false)
    }
    for (const mode of ['require', 'no-verify', 'verify-ca', 'verify-full']) {
      const failure = await failureOf(postgres.open(`${url}?sslmode=${mode}`))
      expect(failure.code).toBe('DATABASE_UNREACHABLE')
      expect(failure.hint).toContain('sslmode')
    }
  })
})

describe.skipIf(!hasOpenssl)('a server with TLS', () => {
  const base = mkdtempSync(join(tmpdir(), 'plinth-tls-'))
  const folder = join(base, 'server')
  const certificate = join(base, 'certificate.pem')
  let url = ''

  beforeAll(async () => {
    const key = join(base, 'key.pem')
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      ...name,
      '-keyout',
      key,
      '-out',
      certificate,
    ])
    const { dataFolder } = await startEmbedded({ folder, durable: false })
    await stopEmbedded({ folder })
    const owner = statSync(dataFolder)
    for (const [from, to] of [
      [certificate, 'server.crt'],
      [key, 'server.key'],
    ] as const) {
      const file = join(dataFolder, to)
      spawnSync('cp', [from, file])
      chownSync(file, owner.uid, owner.gid)
      chmodSync(file, 0o600)
    }
    writeFileSync(join(dataFolder, 'postgresql.auto.conf'), 'ssl = on\n')
    url = (await startEmbedded({ folder, durable: false })).url.replace('127.0.0.1', 'localhost')
  })

  afterAll(async () => {
    await removeEmbedded({ folder })
    rmSync(base, { recursive: true, force: true })
  })

  test.each([
    ['sslmode=disable', false],
    ['sslmode=allow', false],
    ['sslmode=prefer', true],
    ['sslmode=require', true],
    ['sslmode=no-verify', true],
    [`sslmode=require&sslrootcert=${certificate}`, true],
    [`sslmode=verify-ca&sslrootcert=${certificate}`, true],
    [`sslmode=verify-full&sslrootcert=${certificate}`, true],
  ])('with %s', async (parameters, expected) => {
    expect(await encrypted(`${url}?${parameters}`)).toBe(expected)
  })

  test('is not trusted without its certificate, nor under another name', async () => {
    const unknown = await failureOf(postgres.open(`${url}?sslmode=verify-full`))
    expect(unknown.code).toBe('DATABASE_UNREACHABLE')
    expect(unknown.hint).toContain('sslrootcert')
    const other = url.replace('localhost', '127.0.0.1')
    expect(await encrypted(`${other}?sslmode=verify-ca&sslrootcert=${certificate}`)).toBe(true)
    expect((await failureOf(postgres.open(`${other}?sslmode=verify-full&sslrootcert=${certificate}`))).code).toBe(
      'DATABASE_UNREACHABLE',
    )
    expect((await failureOf(postgres.open(`${url}?sslmode=verify-full&sslrootcert=/no/such.pem`))).code).toBe(
      'FILE_UNREADABLE',
    )
  })
})

async function encrypted(url: string): Promise<unknown> {
  return withSession(postgres, url, {}, async session => {
    const { rows } = await session.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    return rows[0]?.ssl
  })
}
