/** Databases for tests: each test takes its own, made from a template, so that tests run in parallel and leave nothing behind. */
import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject, onTestFinished } from 'vitest'
import { withClient } from './client.ts'

export { withClient } from './client.ts'

export interface TestDatabase {
  readonly url: string
  readonly name: string
}

/** An empty database that is dropped when the test ends. */
export async function emptyDatabase(): Promise<TestDatabase> {
  return createFrom('template0')
}

/** A database with every operational migration of the platform applied, dropped when the test ends. */
export async function platformDatabase(): Promise<TestDatabase> {
  return createFrom(await platformTemplate())
}

/** The same server and database under another user. */
export function asUser(url: string, user: string, password = ''): string {
  const other = new URL(url)
  other.username = user
  other.password = password
  return other.toString()
}

async function createFrom(template: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await withClient(inject('serverUrl'), client => client.query(`create database ${name} template ${template}`))
  onTestFinished(async () => {
    await withClient(inject('serverUrl'), client => client.query(`drop database if exists ${name} with (force)`))
  })
  const url = new URL(inject('serverUrl'))
  url.pathname = `/${name}`
  return { url: url.toString(), name }
}

/** Makes the template once a server and content; several workers may ask at the same time. */
async function platformTemplate(): Promise<string> {
  const folder = join(import.meta.dirname, '../../db/migrations/operational')
  const files = readdirSync(folder)
    .filter(file => file.endsWith('.up.sql'))
    .sort()
  const scripts = files.map(file => readFileSync(join(folder, file), 'utf8'))
  const name = `platform_${createHash('sha256').update(scripts.join('\0')).digest('hex').slice(0, 16)}`
  await withClient(inject('serverUrl'), async client => {
    await client.query('select pg_advisory_lock(7446)')
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rowCount) return
    const draft = `${name}_draft`
    await client.query(`drop database if exists ${draft} with (force)`)
    await client.query(`create database ${draft} template template0`)
    const url = new URL(inject('serverUrl'))
    url.pathname = `/${draft}`
    await withClient(url.toString(), async inner => {
      for (const script of scripts) await inner.query(script)
    })
    await client.query(`alter database ${draft} rename to ${name}`)
  })
  return name
}
