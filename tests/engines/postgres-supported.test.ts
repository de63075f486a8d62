/** Servers that are older than what Plinth rests on are refused with words, newer ones are not. A door before the real server claims the version. */
import { type AddressInfo, connect, createServer } from 'node:net'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { supported } from '../../src/engines/postgres/supported.ts'
import { applyTrack, planTrack } from '../../src/migrations/track.ts'
import type { Fact } from '../../src/telemetry/event.ts'
import { emptyDatabase, withClient } from '../support/database.ts'
import { failureOf } from './conformance.ts'

describe('a server of another version', () => {
  test('older than the oldest that is supported: refused, with its version and what to do', async () => {
    const failure = await failureOf(postgres.open(await claiming(supported.oldest - 1)))
    expect(failure).toMatchObject({
      code: 'SERVER_UNSUPPORTED',
      exitStatus: 2,
      message: expect.stringContaining(`is PostgreSQL ${supported.oldest - 1}.`),
      hint: expect.stringContaining(`PostgreSQL ${supported.oldest} and newer`),
    })
  })

  test.each([supported.oldest, supported.newest])('%i: nothing is to be said', async version => {
    await withSession(postgres, await claiming(version), {}, async session => {
      expect(session.serverVersion).toBe(version)
      const plan = await planTrack(session, { track: 'operational', folder: oneTable(), direction: 'up' })
      expect(plan.notices).toEqual([])
    })
  })

  test('newer than any that was tried: a plan and a run say so, and the run does its work', async () => {
    const folder = oneTable()
    await withSession(postgres, await claiming(supported.newest + 1), {}, async session => {
      const words = `The server is PostgreSQL ${supported.newest + 1}; this release of Plinth was tried on ${supported.oldest} to ${supported.newest}.`
      const plan = await planTrack(session, { track: 'operational', folder, direction: 'up' })
      expect(plan.notices).toEqual([words])
      const facts: Fact[] = []
      const report = await applyTrack(session, {
        track: 'operational',
        folder,
        actor: 'tester',
        emit: fact => void facts.push(fact),
      })
      expect(report.status).toBe('succeeded')
      expect(facts).toContainEqual({ type: 'warning', message: words, hint: null })
    })
  })
})

/** A database whose server says that it is of that major version. */
async function claiming(version: number): Promise<string> {
  const database = await emptyDatabase()
  const real = await withClient(inject('serverUrl'), async client => {
    const { rows } = await client.query<{ server_version_num: string }>('show server_version_num')
    return rows[0]?.server_version_num ?? ''
  })
  const { hostname, port } = new URL(database.url)
  const claim = Buffer.from(`${version}${real.slice(2)}`)
  const door = createServer(client => {
    const server = connect({ host: hostname, port: Number(port) })
    client.pipe(server)
    server.on('data', chunk => client.write(replaced(chunk, Buffer.from(real), claim)))
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  await new Promise<void>(resolve => door.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void door.close())
  const url = new URL(database.url)
  url.hostname = '127.0.0.1'
  url.port = String((door.address() as AddressInfo).port)
  url.searchParams.set('sslmode', 'disable')
  return url.toString()
}

function replaced(chunk: Buffer, from: Buffer, to: Buffer): Buffer {
  const copy = Buffer.from(chunk)
  for (let at = copy.indexOf(from); at >= 0; at = copy.indexOf(from, at + 1)) to.copy(copy, at)
  return copy
}

function oneTable(): string {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-supported-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, '202601010000_thing.up.sql'), 'create table thing (id int primary key);\n')
  writeFileSync(join(folder, '202601010000_thing.down.sql'), 'drop table thing;\n')
  return folder
}
