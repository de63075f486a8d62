/** What a statement asks that older servers do not know; the peers suite asks the same statements of such servers. */
import { describe, expect, test } from 'vitest'
import { newerThan, plainCalls } from '../../src/sql/newer.ts'
import { parseSql } from '../../src/sql/parse.ts'
import { newerExamples } from './newer-examples.ts'

async function treeOf(sql: string) {
  const { statements } = await parseSql(sql, { dialect: 'postgres' })
  return statements[0]?.tree
}

describe('what came with which version', () => {
  test.each(newerExamples)('$sql', async ({ sql, newer }) => {
    const tree = await treeOf(sql)
    expect(newerThan(18, tree)).toEqual([])
    if (newer === null) return expect(newerThan(13, tree)).toEqual([])
    expect(newerThan(newer.since - 1, tree)).toEqual([newer])
    expect(newerThan(newer.since, tree)).not.toContainEqual(newer)
  })

  test('each thing is named once', async () => {
    const tree = await treeOf('create table n (a int unique nulls not distinct, b int unique nulls not distinct)')
    expect(newerThan(14, tree)).toEqual([{ what: 'nulls not distinct', since: 15 }])
  })

  test('one statement may ask for several', async () => {
    const tree = await treeOf('merge into t using u on true when not matched by source then delete returning t.a')
    expect(newerThan(14, tree).map(({ what }) => what)).toEqual([
      'merge',
      'merge … returning',
      'when not matched by source',
    ])
    expect(newerThan(16, tree).map(({ since }) => since)).toEqual([17, 17])
  })
})

test('functions are told by the names that the server looks up itself', async () => {
  const tree = await treeOf(
    "select uuidv7(), pg_catalog.lower('A'), mine.own(1), extract(year from now()), (select max(a) from t where f(a))",
  )
  expect(plainCalls(tree)).toEqual(['uuidv7', 'lower', 'now', 'max', 'f'])
})
