/** The life of a view that is written anew: made, linted, rehearsed, edited, broken, brought back, proved. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { plinth, temporaryFolder } from '../support/cli.ts'
import { emptyDatabase } from '../support/database.ts'

const people = {
  'migrations/1_people.up.sql': 'create table people (id bigint primary key, name text not null);\n',
  'migrations/1_people.down.sql': 'drop table people;\n',
}
const view = 'create or replace view everyone as select id, name from people;\n'

async function story() {
  const { url } = await emptyDatabase()
  const cwd = temporaryFolder(people)
  const flags = ['--dir', 'migrations', '--database', url]
  return {
    write: (text: string) => writeFileSync(join(cwd, 'migrations/R__everyone.sql'), text),
    remove: () => rmSync(join(cwd, 'migrations/R__everyone.sql')),
    run: (...args: string[]) => plinth([...args, ...flags, '--yes', '--json'], { cwd }),
    say: (...args: string[]) => plinth([...args, ...flags, '--yes'], { cwd }),
  }
}

test('is seen by every command, and goes back by name', async () => {
  const { write, run, say, remove } = await story()
  const made = await run('new', '--repeatable', 'Everyone')
  expect(made.json.data.files).toEqual(['migrations/R__everyone.sql'])
  expect((await run('new', '--repeatable', 'everyone')).status).not.toBe(0)
  write(view)
  expect((await say('plan')).stdout).toContain('R__everyone')
  expect((await run('lint', '--no-rehearsal')).json.data.findings ?? []).toEqual([])
  expect((await say('apply', '--dry-run=execute')).stdout).toContain('R__everyone')
  expect((await run('apply')).status).toBe(0)
  expect((await run('status')).status).toBe(0)
  expect((await run('verify')).json.data.tracks[0].report.repeatables).toMatchObject([{ version: 'R__everyone' }])

  write('create or replace view everyone as select id, lower(name) as name from people;\n')
  const pending = await run('status')
  expect(pending.status).toBe(3)
  expect(pending.json.data.tracks[0].status).toMatchObject({ current: '1', counts: { applied: 1, pending: 1 } })
  expect((await run('drift')).status).toBe(0)
  expect((await say('apply')).stdout).toContain('now at 1')
  expect((await run('apply')).json.data.tracks[0].report.status).toBe('nothing-to-do')

  const refused = await say('rollback', '--to', '0', '--repeatable', 'everyone')
  expect(refused.status).toBe(2)
  const back = await run('plan', '--rollback', '--repeatable', 'everyone')
  expect(back.json.data.tracks[0].plan.steps).toMatchObject([{ version: 'R__everyone', direction: 'down' }])
  expect((await say('rollback', '--repeatable', 'everyone')).status).toBe(0)
  write(view)
  expect((await run('status')).status).toBe(0)
  remove()
  expect((await run('drift')).status).toBe(3)
  write(view)
  expect((await say('rollback', '--to', '0')).stdout).toContain('now empty')
})
