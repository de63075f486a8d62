/** How a database URL is read: like libpq, from URL and environment. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres } from '../../src/engines/postgres/index.ts'
import { describeTargets, parseTargets, parseUrl, wantedServer, withDatabase } from '../../src/engines/postgres/url.ts'
import { failureOf } from './conformance.ts'

const nothing = { PATH: '/usr/bin' }

describe('a URL', () => {
  test.each([
    [
      'postgres://ada:pw@db.example.org:6543/shop',
      { host: 'db.example.org', port: 6543, user: 'ada', password: 'pw', database: 'shop', tls: 'prefer' },
    ],
    [
      'postgresql://ada@localhost/shop',
      { host: 'localhost', port: 5432, user: 'ada', password: undefined, tls: 'disable' },
    ],
    ['postgres://ada:p%40ss%2Fword%23@h/d%20b', { password: 'p@ss/word#', database: 'd b' }],
    ['postgres://ada@[::1]:5433/d', { host: '::1', port: 5433, tls: 'disable' }],
    [
      'postgres:///d?host=/var/run/postgresql&user=ada',
      { host: '/var/run/postgresql', port: 5432, database: 'd', tls: 'disable' },
    ],
    ['postgres://ada@%2Fvar%2Frun/d', { host: '/var/run', database: 'd' }],
    ['postgres://ada@/d', { host: 'localhost', database: 'd' }],
    ['postgres://ada@h', { database: 'ada' }],
    ['postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem', { tls: 'verify-full', tlsFiles: { root: '/ca.pem' } }],
    [
      'postgres://h/d?connect_timeout=3&options=-c%20search_path%3Dx',
      { connectTimeoutMs: 3000, options: '-c search_path=x' },
    ],
    ['postgres://h/d?search_path=app,public', { options: '-c search_path=app,public' }],
    ['postgres://h/d?currentSchema=app&options=-c%20a%3Db', { options: '-c a=b -c search_path=app' }],
    ['postgres://h/d?schema=Our%20App', { options: '-c search_path="Our\\ App"' }],
    ['postgres://h/d?ssl=true', { tls: 'require' }],
    ['postgres://h/d?sslmode=require&channel_binding=require', { channelBinding: 'require' }],
    ['postgres://h/d?x-migrations-table=versions&x-statement-timeout=5', { database: 'd', options: undefined }],
  ])('%s', (url, expected) => {
    expect(parseUrl(url, nothing)).toMatchObject(expected)
  })

  test('leaves the rest to the environment', () => {
    const environment = {
      PGHOST: 'h',
      PGPORT: '6000',
      PGUSER: 'u',
      PGPASSWORD: 'p',
      PGDATABASE: 'd',
      PGSSLMODE: 'require',
      PGOPTIONS: '-c a=b',
    }
    expect(parseUrl('postgres://', environment)).toMatchObject({
      host: 'h',
      port: 6000,
      user: 'u',
      password: 'p',
      database: 'd',
      tls: 'require',
      options: '-c a=b',
    })
    expect(parseUrl('postgres://me:mine@here:1/it?sslmode=disable', environment)).toMatchObject({
      host: 'here',
      port: 1,
      user: 'me',
      password: 'mine',
      database: 'it',
      tls: 'disable',
    })
    expect(parseUrl('postgres://h/d', nothing).user).toBe(userInfo().username)
  })

  test('finds the password in the password file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'plinth-pass-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'pass')
    writeFileSync(file, '# mine\nother:5432:*:ada:wrong\nh:*:d:ada:with\\:colon\n*:*:*:*:last\n')
    const environment = { PGPASSFILE: file }
    expect(parseUrl('postgres://ada@h/d', environment).password).toBe('with:colon')
    expect(parseUrl('postgres://bob@h/d', environment).password).toBe('last')
    expect(parseUrl('postgres://ada:given@h/d', environment).password).toBe('given')
  })

  test.each([
    ['postgres://ada@h1:1,h2:2,h3/d', 'h1:1,h2:2,h3:5432/d'],
    ['postgres://ada@[::1]:5433,h2/d', '[::1]:5433,h2:5432/d'],
    ['postgres:///d?host=h1,h2&port=7', 'h1:7,h2:7/d'],
    ['postgres:///d?host=h1,h2&port=7,8', 'h1:7,h2:8/d'],
    ['postgres://ada@%2Fvar%2Frun:99,h2/d', '/var/run:99,h2:5432/d'],
  ])('may name several hosts: %s', (url, hosts) => {
    expect(describeTargets(parseTargets(url, nothing))).toBe(hosts)
    expect(describeTargets(parseTargets(withDatabase(url, 'other'), nothing))).toBe(hosts.replace(/d$/, 'other'))
  })

  test('says which of them will do', () => {
    expect(wantedServer('postgres://h1,h2/d?target_session_attrs=read-write', nothing)).toBe('read-write')
    expect(wantedServer('postgres://h1,h2/d', { PGTARGETSESSIONATTRS: 'standby' })).toBe('standby')
    expect(() => wantedServer('postgres://h/d?target_session_attrs=best', nothing)).toThrow(/target_session_attrs/)
  })

  test('leaves to a service what it does not say itself', () => {
    const folder = mkdtempSync(join(tmpdir(), 'plinth-service-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'services')
    writeFileSync(
      file,
      '# ours\n[other]\nhost=wrong\n\n[shop]\nhost = h\nport=6000\nuser=ada\npassword=top-secret\ndbname=shop\nsslmode=require\n',
    )
    const environment = { PGSERVICEFILE: file, PGUSER: 'nobody', PGDATABASE: 'none' }
    const all = { host: 'h', port: 6000, user: 'ada', password: 'top-secret', database: 'shop', tls: 'require' }
    expect(parseUrl('postgres://?service=shop', environment)).toMatchObject(all)
    expect(parseUrl('postgres://', { ...environment, PGSERVICE: 'shop' })).toMatchObject(all)
    expect(parseUrl('postgres://bob@here/d?service=shop', environment)).toMatchObject({
      host: 'here',
      user: 'bob',
      database: 'd',
      password: 'top-secret',
    })
    expect(() => parseUrl('postgres://?service=gone', environment)).toThrow(/service/)
  })

  test.each([
    'postgres://ada:top-secret#1@h/d',
    'postgres://ada:top-secret%zz@h/d',
    'postgres://ada:top-secret@h:notaport/d',
    'postgres://ada:top-secret@h:99999/d',
    'postgres://ada:top-secret@h/d?sslmode=perhaps',
    'mysql://ada:top-secret@h/d',
    'top-secret',
  ])('that cannot be read says so without the password: %#', async url => {
    const failure = await failureOf(postgres.open(url))
    expect(failure.code).toBe('DATABASE_URL_INVALID')
    expect(failure.hint).toBeTruthy()
    expect(
      JSON.stringify([failure.message, failure.hint, failure.at, failure.details, String(failure.cause)]),
    ).not.toContain('top-secret')
    expect(postgres.describe(url)).not.toContain('top-secret')
  })

  test('is described without user and password', () => {
    expect(postgres.describe('postgres://ada:top-secret@h:1/d')).toBe('h:1/d')
    expect(postgres.describe('postgres://ada@[::1]/d')).toBe('[::1]:5432/d')
  })

  test('is led to another database of the same server', () => {
    expect(
      parseUrl(withDatabase('postgres://ada:p%40@h:1/d?dbname=e&sslmode=require', 'ne w/"x"'), nothing),
    ).toMatchObject({ database: 'ne w/"x"', password: 'p@', tls: 'require' })
    expect(parseUrl(withDatabase('postgres:///d?host=/run', 'x'), nothing)).toMatchObject({
      host: '/run',
      database: 'x',
    })
  })
})

describe('nobody there', () => {
  test.each([
    ['postgres://u@127.0.0.1:1/d', 'nothing listens there'],
    ['postgres://u@no-such-host.invalid/d', 'host name'],
    ['postgres:///d?host=/no/such/folder&user=u', 'no such socket'],
  ])('%s', async (url, reason) => {
    const failure = await failureOf(postgres.open(url))
    expect(failure.code).toBe('DATABASE_UNREACHABLE')
    expect(failure.message).toContain(reason)
    expect(failure.hint).toBeTruthy()
  })
})
