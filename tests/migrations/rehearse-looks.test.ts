import { expect, test } from 'vitest'
import { withSession } from '../../src/engines/brackets.ts'
import { engineOf } from '../../src/engines/registry.ts'
import type { Session } from '../../src/engines/engine.ts'
import { nextTransaction, openLooks } from '../../src/migrations/rehearse/looks.ts'
import { openRecorder } from '../../src/migrations/rehearse/recorder.ts'
import { emptyDatabase } from '../support/database.ts'

async function inTransaction(work: (session: Session) => Promise<void>): Promise<void> {
  const { url } = await emptyDatabase()
  await withSession(await engineOf(url), url, { applicationName: 'test' }, async session => {
    await session.query('begin')
    await work(session)
    await session.query('rollback')
  })
}

test.each(['the transaction itself', 'a part of it'])(
  'a look tells what the last statement of %s wrote',
  async where => {
    await inTransaction(async session => {
      const looks = openLooks(session)
      const transaction = await nextTransaction(session)
      if (where === 'a part of it') await session.query('savepoint part')
      let mark: number | null = null
      for (let at = 0; at < 5; at++) {
        await session.script(`create table t${at} (id int)`)
        const written = await looks.written({ transaction, mark }, new Set(['pg_class', 'pg_attribute']))
        expect(written.objects.map(({ name }) => name)).toEqual([`public.t${at}`, `public.t${at}.id`])
        mark = written.mark
      }
      await session.script('alter table t0 add n int; alter table t0 drop id')
      const { objects, dropped } = await looks.written({ transaction, mark }, new Set(['pg_class', 'pg_attribute']))
      expect(objects.map(({ name }) => name)).toEqual(['public.t0', 'public.t0.n'])
      expect(dropped).toHaveLength(1)
    })
  },
)

test('others who commit meanwhile hide nothing of our own', async () => {
  await inTransaction(async session => {
    const looks = openLooks(session)
    const transaction = await nextTransaction(session)
    await session.script('create table ours (id int)')
    const other = await session.sibling?.('test other')
    // One transaction of many commands, so that its rows bear high numbers.
    const many = Array.from({ length: 40 }, (_, at) => `create table others_${at} (id int)`)
    await other?.script(`begin; ${many.join(';')}; commit`)
    await other?.close()
    const first = await looks.written({ transaction, mark: null }, new Set(['pg_class']))
    expect(first.objects).toHaveLength(41)
    await session.script('create table ours_too (id int)')
    const second = await looks.written({ transaction, mark: first.mark }, new Set(['pg_class']))
    expect(second.objects.map(({ name }) => name)).toContain('public.ours_too')
  })
})

test('what a block took back and what it kept of one table', async () => {
  await inTransaction(async session => {
    const recorder = await openRecorder(session)
    await recorder.beginStep()
    await recorder.begin('in transaction')
    await session.script('create table t (id int)')
    await recorder.look()
    await session.script(`do $$ begin
      alter table t add kept int;
      begin
        alter table t alter kept set not null, add lost int;
        raise exception 'no';
      exception when others then null;
      end;
    end $$`)
    expect((await recorder.look()).changes).toEqual([
      { action: 'create', kind: 'column', name: 'public.t.kept', of: 'public.t' },
    ])
    await session.script('alter table t alter kept set not null')
    expect((await recorder.look()).changes).toEqual([
      { action: 'alter', kind: 'column', name: 'public.t.kept', of: 'public.t' },
    ])
    await session.script('alter table t drop kept')
    expect((await recorder.look()).changes).toEqual([
      { action: 'drop', kind: 'column', name: 'public.t.kept', of: 'public.t' },
    ])
  })
})

test('a table is renamed alike whether this transaction made it or not', async () => {
  const { url } = await emptyDatabase()
  await withSession(await engineOf(url), url, { applicationName: 'test' }, async session => {
    await session.script('create table older (id int primary key, n int)')
    const recorder = await openRecorder(session)
    await recorder.beginStep()
    await session.query('begin')
    await recorder.begin('in transaction')
    await session.script('create table newer (id int primary key, n int)')
    await recorder.look()
    for (const [name, other] of [
      ['older', 'elder'],
      ['newer', 'latest'],
    ]) {
      await session.script(`alter table ${name} rename to ${other}`)
      expect((await recorder.look()).changes).toEqual([
        { action: 'alter', kind: 'table', name: `public.${name}`, of: null, newName: `public.${other}` },
      ])
    }
    await session.query('rollback')
  })
})
