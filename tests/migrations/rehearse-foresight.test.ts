import { expect, inject, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { foresightOf } from '../../src/migrations/rehearse/foresight.ts'
import { scriptsOfPlan } from '../../src/migrations/rehearse/of-plan.ts'
import { rehearseScripts } from '../../src/migrations/rehearse/rehearse.ts'
import { applyTrack, readPlan } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { folderOf, listener, openSession, someone, writeFiles } from './support.ts'

const history = {
  '1_a': ['create table a (id int primary key, n int); create table b (id int primary key);', 'drop table a, b;'],
} as const

const pending = {
  '2_b': [
    "alter table a add column m uuid default gen_random_uuid();\ncreate index on b (id);\ninsert into a select g, g from generate_series(1, 9) g;\ndo $$ begin execute 'alter table a add foreign key (n) references b not valid'; end $$;",
    'alter table a drop column m;',
  ],
} as const

async function begun() {
  const { url } = await emptyDatabase()
  const session = await openSession(url)
  const folder = await folderOf(history)
  await applyTrack(session, { ...someone, folder })
  await writeFiles(folder, pending)
  const foresee = async () => {
    const scripts = await scriptsOfPlan(session, await readPlan(session, { ...someone, folder, direction: 'up' }))
    const server = inject('serverUrl')
    return foresightOf(await rehearseScripts({ engine: await engineOf(server), url: server, kept: 0 }, scripts))
  }
  return { session, folder, foresee }
}

test('a target that is what it was taken for says nothing', async () => {
  const { session, folder, foresee } = await begun()
  const heard = listener()
  const report = await applyTrack(session, { ...someone, folder, foresee, emit: heard.emit })
  expect(report.status).toBe('succeeded')
  expect(heard.of('lock.unforeseen')).toEqual([])
})

test('a trigger that only the target has, and what it locks, is told', async () => {
  const { session, folder, foresee } = await begun()
  await session.script(`
    create table hidden (id int);
    create function take() returns trigger language plpgsql as $$ begin lock table hidden in exclusive mode; lock table b in access exclusive mode; return null; end $$;
    create trigger take after insert on a for each statement execute function take()`)
  const heard = listener()
  const report = await applyTrack(session, { ...someone, folder, foresee, emit: heard.emit })
  expect(report.status).toBe('succeeded')
  expect(heard.of('lock.unforeseen')).toEqual([
    {
      type: 'lock.unforeseen',
      track: 'operational',
      version: '2',
      direction: 'up',
      relation: 'public.b',
      predicted: 'ShareRowExclusiveLock',
      observed: 'AccessExclusiveLock',
    },
  ])
})
