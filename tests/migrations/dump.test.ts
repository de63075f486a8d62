/** A first migration that is a dump of the database as it was, as `pg_dump` writes it: fenced, without a search path, rows behind COPY. */
import { describe, expect, test } from 'vitest'
import { engineOf } from '../../src/engines/registry.ts'
import { catalogOf } from '../../src/migrations/catalog.ts'
import { applyTrack, rollbackTrack } from '../../src/migrations/track.ts'
import { emptyDatabase } from '../support/database.ts'
import { failureOf, folderOf, openSession, someone } from './support.ts'

const dump = String.raw`--
-- PostgreSQL database dump
--

\restrict Zq7

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.parts (
    id integer NOT NULL,
    label text
);

COPY public.parts (id, label) FROM stdin;
1	it's; a "part" -- $$
2	\N
3	tab\there, backslash \\, line\nbreak
\.

CREATE TABLE public."Empty" (id integer);

COPY public."Empty" (id) FROM stdin;
\.

ALTER TABLE ONLY public.parts ADD CONSTRAINT parts_pkey PRIMARY KEY (id);

\unrestrict Zq7
`

const down = 'drop table public."Empty";\ndrop table public.parts;'

async function rowsOf(url: string) {
  const session = await openSession(url)
  const { rows } = await session.query('select id, label from public.parts order by id')
  return rows
}

const rows = [
  { id: 1, label: `it's; a "part" -- $$` },
  { id: 2, label: null },
  { id: 3, label: 'tab\there, backslash \\, line\nbreak' },
]

describe.each([
  ['in one transaction', dump],
  ['statement by statement', `-- plinth: transaction=statement\n${dump}`],
  ['with line breaks of another system', dump.replaceAll('\n', '\r\n')],
])('a dump with its rows, %s', (_how, up) => {
  test('is applied, and taken back and applied again with what was written since', async () => {
    const { url } = await emptyDatabase()
    const session = await openSession(url)
    const folder = await folderOf({ '1_dump': [up, down] })
    const applied = await applyTrack(session, { ...someone, folder })
    expect(applied).toMatchObject({ status: 'succeeded', error: null, done: [{ rows: 3 }] })
    expect(await rowsOf(url)).toEqual(rows)

    await session.query("insert into public.parts values (4, 'later')")
    await rollbackTrack(session, { ...someone, folder, target: { kind: 'version', version: '0' } })
    await applyTrack(session, { ...someone, folder })
    expect(await rowsOf(url)).toEqual([...rows, { id: 4, label: 'later' }])
  })
})

test('a row that cannot be read names the statement, and nothing is left', async () => {
  const session = await openSession((await emptyDatabase()).url)
  const folder = await folderOf({ '1_dump': [dump.replace('2\t\\N', 'two\t\\N'), down] })
  const { error } = await applyTrack(session, { ...someone, folder })
  expect(error).toMatchObject({ sqlState: '22P02', at: { line: 15 } })
  expect(error?.message).not.toContain('two')
  expect(await failureOf(session.query('select from public.parts'))).toMatchObject({ sqlState: '42P01' })
})

test('the catalog that a folder makes is read without anybody accepting a loss', async () => {
  const { url } = await emptyDatabase()
  const folder = await folderOf({
    '1_a': ['create table a (id int primary key); select lo_create(0);', 'drop table a;'],
    '2_b': ['select lo_unlink(oid) from pg_largeobject_metadata;', '-- nothing'],
  })
  const { tables } = await catalogOf({ engine: await engineOf(url), url, track: 'operational', folder, actor: 'me' })
  expect(tables.map(({ name }) => name)).toEqual(['a'])
})
