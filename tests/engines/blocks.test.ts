/** Rows go from PostgreSQL's binary form into DuckDB and out again unchanged, whatever their values. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import type { BlockType } from '../../src/engines/block.ts'
import { withSession, withTransaction } from '../../src/engines/brackets.ts'
import { duckdb } from '../../src/engines/duckdb/index.ts'
import { loadBlocks, readColumns } from '../../src/engines/duckdb/write.ts'
import { readBinary, wireType } from '../../src/engines/postgres/binary.ts'
import type { Session } from '../../src/engines/engine.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { createFold } from '../../src/analytics/run/fold.ts'
import { emptyDatabase } from '../support/database.ts'

const columns: readonly { readonly name: string; readonly type: BlockType; readonly stored: string }[] = [
  { name: 'id', type: { kind: 'uuid' }, stored: 'uuid' },
  { name: 'note', type: { kind: 'text' }, stored: 'varchar' },
  { name: 'ready', type: { kind: 'boolean' }, stored: 'boolean' },
  { name: 'day', type: { kind: 'date' }, stored: 'date' },
  { name: 'small', type: { kind: 'int16' }, stored: 'smallint' },
  { name: 'whole', type: { kind: 'int32' }, stored: 'integer' },
  { name: 'wide', type: { kind: 'int64' }, stored: 'bigint' },
  { name: 'price', type: { kind: 'decimal', precision: 18, scale: 6 }, stored: 'decimal(18, 6)' },
  { name: 'rate', type: { kind: 'decimal', precision: 5, scale: 4 }, stored: 'decimal(5, 4)' },
  { name: 'sum', type: { kind: 'decimal', precision: 38, scale: 10 }, stored: 'decimal(38, 10)' },
  { name: 'bucket', type: { kind: 'timestamp' }, stored: 'timestamptz' },
  { name: 'shard', type: { kind: 'int16' }, stored: 'smallint' },
]

const edges: readonly (readonly unknown[])[] = [
  columns.map(({ name }) => (name === 'bucket' ? '1969-12-31T23:59:59.999999Z' : name === 'shard' ? 0 : null)),
  [
    '00000000-0000-0000-0000-000000000000',
    '',
    false,
    '0001-01-01',
    -32768,
    -2147483648,
    '-9223372036854775808',
    '-999999999999.999999',
    '-0.9999',
    '-9999999999999999999999999999.9999999999',
    '0001-01-01T00:00:00Z',
    32767,
  ],
  [
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    'x'.repeat(5000),
    true,
    '9999-12-31',
    32767,
    2147483647,
    '9223372036854775807',
    '999999999999.999999',
    '0.9999',
    '9999999999999999999999999999.9999999999',
    '9999-12-31T23:59:59.999999Z',
    1,
  ],
  [
    '80000000-0000-4000-8000-000000000001',
    'twelve bytes',
    true,
    '2000-02-29',
    0,
    0,
    '4294967296',
    '0.000001',
    '0.0001',
    '0.0000000001',
    '2000-01-01T00:00:00Z',
    63,
  ],
  [
    '7fffffff-ffff-4fff-bfff-ffffffffffff',
    'thirteen byte',
    false,
    '1970-01-01',
    -1,
    -1,
    '-4294967297',
    '10000',
    '0',
    '123456789012345678901234567.1',
    '2026-03-10T10:15:00.123456Z',
    63,
  ],
  [
    randomUUID(),
    'é😀 "quoted", comma\nline\t\\N',
    true,
    'infinity',
    1,
    1,
    '1',
    '9999.0001',
    '0.5',
    '-1',
    'infinity',
    5,
  ],
]

test('values at the edges of their types, nulls, long and short texts, over many blocks', async () => {
  const { url } = await emptyDatabase()
  await withSession(postgres, url, { settings: { TimeZone: 'UTC', DateStyle: 'ISO, YMD' } }, async source => {
    await source.query(
      `create table thing (${columns.map(({ name, type }) => `${name} ${wireType(type)}`).join(', ')})`,
    )
    const places = columns.map((_, index) => `$${index + 1}`).join(', ')
    for (const row of edges) await source.query(`insert into thing values (${places})`, row as never)
    // Enough for several blocks, and texts of every length around the one from which they are kept elsewhere.
    await source.query(
      `insert into thing select gen_random_uuid(), case when n % 7 > 0 then repeat(chr(97 + n % 26), n % 40) end, n % 2 = 0,
         date '1999-12-01' + n, n % 30000, n * 7919, n::bigint * 1000000007 * 65537, (n * 1.000001)::numeric(18, 6), (n % 9999) * 0.0001,
         n * 123456789.0123456789, timestamptz '2026-01-01' + n * interval '7.000019 seconds', n % 64
       from generate_series(1, 9000) as n`,
    )
    await withSession(duckdb, 'duckdb::memory:', {}, async warehouse => {
      await warehouse.query(
        `create table copy (extra integer default 7, ${columns.map(({ name, stored }) => `${name} ${stored}`).join(', ')})`,
      )
      await warehouse.query(`create table exact (${columns.map(({ name, stored }) => `${name} ${stored}`).join(', ')})`)
      const list = columns.map(({ name, type }) => `${name}::${wireType(type)}`).join(', ')
      const types = columns.map(({ type }) => type)
      const rows = () => readBinary(source.copyOut(`copy (select ${list} from thing) to stdout (format binary)`), types)
      const expected = createFold()
      for await (const block of rows()) expected.add(block)
      for (const name of ['copy', 'exact']) {
        const loaded = await withTransaction(warehouse, () =>
          loadBlocks(warehouse, { schema: 'main', name }, columns, rows()),
        )
        expect(loaded).toBe(edges.length + 9000)
        const found = createFold()
        for await (const block of readColumns(warehouse, columns, name)) found.add(block)
        expect(sorted(found.cells())).toEqual(sorted(expected.cells()))
        // Both sides write the same texts, so the arrays did not only agree with themselves.
        const texts = async (session: Session, engine: 'duckdb' | 'postgres', from: string) =>
          (await session.query<{ text: string }>(`select ${written(engine)} as text from ${from}`)).rows
            .map(row => row.text)
            .sort()
        expect(await texts(warehouse, 'duckdb', name)).toEqual(await texts(source, 'postgres', 'thing'))
      }
    })
  })
})

test('a value that no decimal column holds is refused, and so is a stream that was cut', async () => {
  const { url } = await emptyDatabase()
  const types: readonly BlockType[] = [{ kind: 'decimal', precision: 18, scale: 6 }]
  await withSession(postgres, url, {}, async source => {
    const copy = `copy (select 'NaN'::numeric(18, 6)) to stdout (format binary)`
    await expect(drain(readBinary(source.copyOut(copy), types))).rejects.toMatchObject({ code: 'SQL_FAILED' })
    const whole: Buffer[] = []
    for await (const chunk of source.copyOut('copy (select 1.5::numeric(18, 6)) to stdout (format binary)'))
      whole.push(chunk)
    const bytes = Buffer.concat(whole)
    await drain(readBinary(pieces([...bytes].map(byte => Buffer.from([byte]))), types))
    await expect(drain(readBinary(pieces([bytes.subarray(0, -3)]), types))).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
    await expect(drain(readBinary(pieces([bytes]), [...types, ...types]))).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
    })
  })
})

test('a fold tells cells apart that differ by one value, by a value that moved and by a row that is there twice', async () => {
  await withSession(duckdb, 'duckdb::memory:', {}, async session => {
    await session.query(
      `create table thing as select n as a, n * 2 as b, case when n % 3 > 0 then 'text ' || n end as note, timestamptz '2026-01-01' as bucket,
         cast(0 as smallint) as shard from range(3000) as numbers (n)`,
    )
    const before = await digest(session)
    const changes = [
      'update thing set b = b + 1 where a = 17',
      'update thing set b = case a when 4 then 10 else 8 end where a in (4, 5)',
      'update thing set a = b, b = a where a = 9',
      `update thing set note = null where a = 1`,
      `update thing set note = '' where a = 3`,
      'insert into thing select * from thing where a = 2',
      'delete from thing where a = 2',
    ]
    for (const change of changes) {
      await session.query('begin')
      await session.query(change)
      expect(await digest(session), change).not.toEqual(before)
      await session.query('rollback')
    }
    await session.query('create or replace table thing as select * from thing order by random()')
    expect(await digest(session)).toEqual(before)
  })
})

async function digest(session: Session) {
  const fold = createFold()
  const thing = [
    { name: 'a', type: { kind: 'int64' } },
    { name: 'b', type: { kind: 'int64' } },
    { name: 'note', type: { kind: 'text' } },
    { name: 'bucket', type: { kind: 'timestamp' } },
    { name: 'shard', type: { kind: 'int16' } },
  ] as const
  for await (const block of readColumns(session, thing, 'thing')) fold.add(block)
  return fold.cells()
}

function written(engine: 'duckdb' | 'postgres'): string {
  const text = (name: string, type: BlockType) => {
    if (type.kind === 'timestamp')
      return engine === 'duckdb'
        ? `case when isfinite(${name}) then cast(epoch_us(${name}) as varchar) else 'infinity' end`
        : `case when isfinite(${name}) then (extract(epoch from ${name}) * 1000000)::bigint::text else 'infinity' end`
    if (type.kind === 'date') return engine === 'duckdb' ? `cast(${name} as varchar)` : `${name}::text`
    return `cast(${name} as ${engine === 'duckdb' ? 'varchar' : 'text'})`
  }
  return columns.map(({ name, type }) => `coalesce(${text(name, type)}, '-')`).join(` || '|' || `)
}

function sorted<T extends { readonly hour: string; readonly shard: number }>(cells: readonly T[]): T[] {
  const key = ({ hour, shard }: T) => `${hour} ${shard}`
  return [...cells].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

async function drain(blocks: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of blocks);
}

async function* pieces(parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts
}
