// DROP TABLE: how much longer it takes when the table is kept.
import { withClient } from '../../support/server.js'
import { median, round } from '../../support/statistics.js'
import { apply, columnsOfFacts, digestOf, makeFacts, rollback, writeFolder } from './stage.js'

export async function measureTable(server, rows) {
  const url = await server.freshDatabase()
  await makeFacts(url, rows)
  const kept = []
  for (let turn = 0; turn < 3; turn++) {
    kept.push((await apply(url, folderOf(server))).steps[0].ms)
    await putBack(url)
  }
  const unkept = (await apply(url, folderOf(server), { preserve: 'off' })).steps[0].ms
  await server.dropDatabase(url)
  const small = await dropSmall(server)
  const restoredRows = Math.round(rows / 10)
  return {
    rows,
    keptMs: round(median(kept), 1),
    mostKeptMs: round(Math.max(...kept), 1),
    unkeptMs: round(unkept, 1),
    unkeptSmallMs: round(small, 1),
    addedMs: round(median(kept) - small, 1),
    restoredRows,
    restoredMs: round(await restore(server, restoredRows), 1),
    targetAddedMs: 50,
  }
}

/** The table comes back by the migration's own down, which copies its rows. */
async function restore(server, rows) {
  const url = await server.freshDatabase()
  await makeFacts(url, rows)
  const before = await digestOf(url)
  await apply(url, folderOf(server))
  const { steps } = await rollback(url, folderOf(server))
  if ((await digestOf(url)) !== before) throw new Error('The table is not what it was before.')
  await server.dropDatabase(url)
  return steps[0].ms
}

/** Without keeping, a large table takes longer to drop than to keep, so what keeping adds is counted beyond a table of one row. */
async function dropSmall(server) {
  const times = []
  for (let turn = 0; turn < 3; turn++) {
    const url = await server.freshDatabase()
    await makeFacts(url, 1)
    times.push((await apply(url, folderOf(server), { preserve: 'off' })).steps[0].ms)
    await server.dropDatabase(url)
  }
  return median(times)
}

/** By hand and without a trace, so that the same large table can be dropped again. */
async function putBack(url) {
  await withClient(url, async client => {
    const { rows } = await client.query("select copy from plinth.archive_objects where kind = 'table'")
    if (rows.length !== 1) throw new Error('The table was not kept.')
    const [{ copy }] = rows
    await client.query(
      `alter table ${copy} no force row level security; alter table ${copy} disable row level security`,
    )
    await client.query(`alter table ${copy} rename to facts; alter table plinth_archive.facts set schema public`)
    await client.query('drop schema plinth cascade; drop schema plinth_archive cascade')
  })
}

function folderOf(server) {
  const down = `create table facts (${columnsOfFacts});\ncreate index facts_created_at_idx on facts (created_at);`
  return writeFolder(server, 'drop-table', [['1_drop_facts', 'drop table facts;', down]])
}
