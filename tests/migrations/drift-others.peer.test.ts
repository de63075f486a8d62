/** What is rarer than tables is seen on every version that is supported, and neither its own scratch server nor a newer one finds drift by itself. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { findDrift } from '../../src/migrations/drift.ts'
import { applyTrack } from '../../src/migrations/track.ts'
import { withClient } from '../support/client.ts'
import { npmServers, startNpmServer } from '../support/npm-servers.ts'
import type { OwnServer } from '../support/postgres-server.ts'
import { rareBase, rareDeeds } from './rare.ts'
import { folderOf, openSession, someone } from './support.ts'
import { failuresOf } from './way-back.ts'

/** What the version has no word for. */
const newer: Readonly<Record<number, RegExp>> = { 13: /set compression/ }

describe.each(npmServers)('PostgreSQL %i', version => {
  let server: OwnServer
  beforeAll(async () => {
    server = await startNpmServer(version)
  })
  afterAll(() => server.stop())

  async function database(name: string): Promise<string> {
    await withClient(server.url, client => client.query(`create database ${name}`))
    return Object.assign(new URL(server.url), { pathname: `/${name}` }).toString()
  }

  test('the way back from every deed', { timeout: 240_000 }, async () => {
    const session = await openSession(await database('deeds'))
    await session.script(rareBase)
    const deeds = Object.values(rareDeeds).flat()
    expect(
      await failuresOf(
        session,
        deeds.filter(deed => !newer[version]?.test(deed)),
      ),
    ).toBe('')
  })

  test('no drift by itself', { timeout: 120_000 }, async () => {
    const folder = await folderOf({ '1_shop': [rareBase, ''] })
    const session = await openSession(await database('lived'))
    expect(await applyTrack(session, { ...someone, folder, preserve: 'off' })).toMatchObject({ status: 'succeeded' })
    for (const url of [server.url, inject('serverUrl')]) {
      const scratch = { engine: await engineOf(url), url }
      expect(await findDrift(session, { ...someone, folder, scratch })).toMatchObject({ differences: [] })
    }
  })
})
