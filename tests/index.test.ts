import { expect, test } from 'vitest'
import { temporaryFolder } from './support/cli.ts'
import { emptyDatabase } from './support/database.ts'

test('the package is a library: its own name gives what the command line does', async () => {
  const { applyTrack, engineOf, readStatus, withSession } = await import('plinth')
  const { url } = await emptyDatabase()
  const folder = temporaryFolder({ '1_a.up.sql': 'create table a (id int);', '1_a.down.sql': 'drop table a;' })
  const states = await withSession(await engineOf(url), url, {}, async session => {
    const before = await readStatus(session, { track: 'mine', folder })
    const report = await applyTrack(session, { track: 'mine', folder, actor: 'test' })
    const after = await readStatus(session, { track: 'mine', folder })
    return [before.counts.pending, report.done.length, after.counts.applied, after.current]
  })
  expect(states).toEqual([1, 1, 1, '1'])
})
