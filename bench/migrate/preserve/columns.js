// DROP COLUMN: rows a second into the archive and back, at three sizes, and what that means for a hundred million. Back in one piece, while
// the table is locked, or in batches beside its users.
import { round } from '../../support/statistics.js'
import { apply, digestOf, makeFacts, rollback, writeFolder } from './stage.js'

export async function measureColumns(server, sizes) {
  const measured = []
  for (const rows of sizes) measured.push(await measureColumn(server, rows, 'together'))
  const extrapolated = 100_000_000
  return {
    targetArchivedPerSecond: 1_000_000,
    targetRestoredPerSecond: 500_000,
    sizes: measured,
    extrapolated: {
      rows: extrapolated,
      archiveSeconds: round(lineThrough(measured, one => one.archiveMs)(extrapolated) / 1000, 0),
      restoreSeconds: round(lineThrough(measured, one => one.restoreMs)(extrapolated) / 1000, 0),
    },
  }
}

/** As it is without a word in the file, for tables of that size. */
export async function measureBatches(server, sizes) {
  const measured = []
  for (const rows of sizes) measured.push(await measureColumn(server, rows, 'batches'))
  const extrapolated = 100_000_000
  const restoreSeconds = round(lineThrough(measured, one => one.restoreMs)(extrapolated) / 1000, 0)
  return { sizes: measured, extrapolated: { rows: extrapolated, restoreSeconds } }
}

async function measureColumn(server, rows, how) {
  const url = await server.freshDatabase()
  await makeFacts(url, rows)
  const folder = writeFolder(server, 'drop-column', [
    [
      '1_drop_note',
      'alter table facts drop column note;',
      `-- plinth: restore=${how}\nalter table facts add column note text;`,
    ],
  ])
  const before = await digestOf(url)
  const archive = (await apply(url, folder)).steps[0].ms
  const { steps } = await rollback(url, folder)
  // The column comes back behind the others, so rows are compared without their order of columns by what was restored.
  const restored = steps[0].restored.reduce((sum, one) => sum + one.restored, 0)
  if (restored !== rows) throw new Error(`${restored} of ${rows} rows came back (${before}).`)
  await server.dropDatabase(url)
  return {
    rows,
    archiveMs: round(archive, 0),
    archivedPerSecond: Math.round((rows / archive) * 1000),
    restoreMs: round(steps[0].ms, 0),
    restoredPerSecond: Math.round((rows / steps[0].ms) * 1000),
  }
}

/** Least squares. */
function lineThrough(points, valueOf) {
  const meanX = points.reduce((sum, { rows }) => sum + rows, 0) / points.length
  const meanY = points.reduce((sum, point) => sum + valueOf(point), 0) / points.length
  const over = points.reduce((sum, point) => sum + (point.rows - meanX) * (valueOf(point) - meanY), 0)
  const slope = over / points.reduce((sum, { rows }) => sum + (rows - meanX) ** 2, 0)
  return rows => meanY + slope * (rows - meanX)
}
