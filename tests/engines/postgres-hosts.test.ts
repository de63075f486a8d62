/** URLs that name several servers: whoever is there and will do is taken, and everything of the session goes to him. */
import { describe, expect, inject, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { emptyDatabase } from '../support/database.ts'
import { startReplicated, withoutReplica } from '../support/replica.ts'
import { failureOf } from './conformance.ts'

/** Port 1 is nobody's. */
const nobody = '127.0.0.1:1'

describe('several hosts', () => {
  test('the first that answers is taken, also for what reaches the server a second time', async () => {
    const { url, name } = await emptyDatabase()
    const { host } = new URL(url)
    const both = url.replace(host, `${nobody},${host}`)
    await withSession(postgres, both, {}, async session => {
      expect(session.address).toBe(`${host}/${name}`)
      const other = await session.sibling?.('plinth sibling')
      expect(other?.address).toBe(session.address)
      await other?.close()
      const asleep = failureOf(session.query('select pg_sleep(600)'))
      await session.cancel()
      expect((await asleep).code).toBe('INTERRUPTED')
    })
    const scratch = await postgres.createScratch(both, `${name}_scratch`)
    await withSession(postgres, scratch.url, {}, async session => {
      expect(session.address).toBe(`${host}/${name}_scratch`)
    })
    await scratch.drop()
  })

  test('nobody there names them all; a wrong user is not tried elsewhere', async () => {
    const failure = await failureOf(postgres.open('postgres://u:top-secret@127.0.0.1:1,localhost:1/d'))
    expect(failure).toMatchObject({ code: 'DATABASE_UNREACHABLE' })
    expect(failure.message).toContain('127.0.0.1:1,localhost:1/d')
    const server = new URL(inject('serverUrl')).host
    const refused = await failureOf(postgres.open(`postgres://never_made@${server},${nobody}/postgres`))
    expect(refused.code).toBe('DATABASE_AUTHENTICATION')
  })
})

describe.skipIf(withoutReplica)('a primary and its standby', () => {
  test('are told apart; a standby says that it takes no changes', async () => {
    const { primary, replica } = await startReplicated()
    const [one, two] = [new URL(primary).host, new URL(replica).host]
    const chosen = (wanted: string) =>
      withSession(
        postgres,
        `postgres://postgres@${two},${one}/postgres?target_session_attrs=${wanted}`,
        {},
        async session => session.address.replace('/postgres', ''),
      )
    expect(await chosen('any')).toBe(two)
    expect(await chosen('read-write')).toBe(one)
    expect(await chosen('primary')).toBe(one)
    expect(await chosen('standby')).toBe(two)
    expect(await chosen('read-only')).toBe(two)
    expect(await chosen('prefer-standby')).toBe(two)
    const none = await failureOf(postgres.open(`${replica}?target_session_attrs=read-write`))
    expect(none.code).toBe('DATABASE_UNREACHABLE')
    expect(none.message).toContain('open for changes')
    const failure = await failureOf(
      withSession(postgres, replica, {}, session => session.query('create table t (n integer)')),
    )
    expect(failure).toMatchObject({ code: 'DATABASE_READ_ONLY', sqlState: '25006' })
  })
})
