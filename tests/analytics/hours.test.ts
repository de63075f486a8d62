/** Hours that are reckoned here are those that PostgreSQL reckons, wherever on the line of time. */
import { expect, test } from 'vitest'
import { withHours } from '../../src/analytics/run/hours.ts'
import { withSession } from '../../src/engines/brackets.ts'
import { postgres } from '../../src/engines/postgres/index.ts'
import { readBinary } from '../../src/engines/postgres/binary.ts'
import type { BlockType } from '../../src/engines/block.ts'
import { emptyDatabase } from '../support/database.ts'

const edges = [
  null,
  'infinity',
  '-infinity',
  '4713-11-24T00:00:00.000001Z BC',
  '0001-01-01T00:59:59.999999Z BC',
  '1684-07-28T00:12:25.259008Z',
  '1969-12-31T23:00:00Z',
  '1969-12-31T23:59:59.999999Z',
  '1970-01-01T00:00:00Z',
  '1999-12-31T23:59:59.999999Z',
  '2026-03-29T01:59:59.999999Z',
  '2209-06-05T05:59:59.999999Z',
  '2255-06-05T23:47:34.740992Z',
  '2255-06-05T23:47:34.740991Z',
  '2255-06-06T00:00:00Z',
  '290000-06-01T12:34:56.789012Z',
]

test('edges of time, nulls and many blocks', async () => {
  const { url } = await emptyDatabase()
  await withSession(postgres, url, { settings: { TimeZone: 'UTC' } }, async source => {
    await source.query('create table moment (at timestamptz, shard smallint)')
    for (const at of edges) await source.query('insert into moment values ($1, 3)', [at])
    // In the order of time and out of it, before 1970 and after it.
    await source.query(
      `insert into moment select timestamptz '1969-12-20' + n * interval '11 minutes 0.000007 seconds', n % 64 from generate_series(1, 6000) as n`,
    )
    await source.query(
      `insert into moment select timestamptz '2026-01-01' - (n * 7919 % 100000) * interval '1 hour 0.000001 seconds', n % 64 from generate_series(1, 3000) as n`,
    )
    const shard: BlockType = { kind: 'int16' }
    const time: BlockType = { kind: 'timestamp' }
    const copy = (values: string) => source.copyOut(`copy (select ${values} from moment) to stdout (format binary)`)
    const hour = `date_bin('1 hour', at, timestamptz '2000-01-01T00:00:00Z')`
    const expected = await rowsOf(readBinary(copy(`at, ${hour}, shard`), [time, time, shard]))
    const reckoned = await rowsOf(withHours(readBinary(copy('at, shard'), [time, shard]), 0))
    expect(expected).toHaveLength(edges.length + 9000)
    expect(reckoned).toEqual(expected)
  })
})

/** Each row's values as texts: a null, or the words in hexadecimal digits. */
async function rowsOf(blocks: ReturnType<typeof readBinary>): Promise<string[]> {
  const rows: string[] = []
  for await (const block of blocks) {
    for (let row = 0; row < block.rows; row++)
      rows.push(
        block.columns
          .map(({ words, width, nulls }) =>
            nulls[row] === 1 ? 'null' : [...words.subarray(row * width, (row + 1) * width)].map(hexadecimal).join(' '),
          )
          .join(' | '),
      )
  }
  return rows
}

function hexadecimal(word: number): string {
  return word.toString(16)
}
