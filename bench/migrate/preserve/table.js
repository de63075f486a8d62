// DROP TABLE: how much longer it takes when the table is kept.
import { median, round } from '../../support/statistics.js'
import { apply, columnsOfFacts, digestOf, makeFacts, rollback, writeFolder } from './stage.js'

export async function measureTable(server, rows) {
  const url = await server.freshDatabase()
  await makeFacts(url, rows)
  const before = await digestOf(url)
  const folder = writeFolder(server, 'drop-table', [
    [
      '1_drop_facts',
      'drop table facts;',
      `create table facts (${columnsOfFacts});\ncreate index facts_created_at_idx on facts (created_at);`,
    ],
  ])
  const kept = []
  const restored = []
  for (let round = 0; round < 2; round++) {
    kept.push((await apply(url, folder)).steps[0].ms)
    restored.push((await rollback(url, folder)).steps[0].ms)
    if ((await digestOf(url)) !== before) throw new Error('The table is not what it was before.')
  }
  const unkept = (await apply(url, folder, { preserve: 'off' })).steps[0].ms
  const small = await dropSmall(server)
  await server.dropDatabase(url)
  return {
    rows,
    keptMs: round(median(kept), 1),
    leastKeptMs: round(Math.min(...kept), 1),
    unkeptMs: round(unkept, 1),
    unkeptSmallMs: round(small, 1),
    addedMs: round(Math.min(...kept) - small, 1),
    restoredMs: round(median(restored), 1),
    targetAddedMs: 50,
  }
}

/** Without keeping, a large table takes longer to drop than to keep, so what keeping adds is counted beyond a table of one row. */
async function dropSmall(server) {
  const times = []
  for (let round = 0; round < 3; round++) {
    const url = await server.freshDatabase()
    await makeFacts(url, 1)
    const folder = writeFolder(server, 'drop-small', [
      ['1_drop_facts', 'drop table facts;', `create table facts (${columnsOfFacts});`],
    ])
    times.push((await apply(url, folder, { preserve: 'off' })).steps[0].ms)
    await server.dropDatabase(url)
  }
  return Math.min(...times)
}
