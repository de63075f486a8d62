// What it costs that nothing is lost. `node bench/migrate/preserve.js [--rows 10000000] [--quick] [--part table|columns|batches|additive|destructive]`,
// after `npm run build`; `--part release` is both releases. Writes preserve.json and preserve.md beside itself, unless it was quick; a part leaves the others as they were stored.
// Ten million rows take about ten minutes and 5 GB.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withServer } from '../support/server.js'
import { measureBatches, measureColumns } from './preserve/columns.js'
import { measureRelease } from './preserve/release.js'
import { measureTable } from './preserve/table.js'
import { writePreserveTable } from './preserve/report.js'

const parts = {
  table: (server, rows) => measureTable(server, rows),
  columns: (server, rows) =>
    measureColumns(
      server,
      [0.1, 0.3, 1].map(share => Math.round(rows * share)),
    ),
  batches: (server, rows) =>
    measureBatches(
      server,
      [0.03, 0.1, 0.3].map(share => Math.round(rows * share)),
    ),
  additive: (server, rows, quick) => measureRelease(server, rows, { name: 'additive', restMs: quick ? 3_000 : 10_000 }),
  destructive: (server, rows, quick) =>
    measureRelease(server, rows, { name: 'destructive', restMs: quick ? 3_000 : 10_000 }),
}
const both = { release: ['additive', 'destructive'] }

const { values } = parseArgs({
  options: { rows: { type: 'string' }, quick: { type: 'boolean', default: false }, part: { type: 'string' } },
})
const rows = Number(values.rows ?? (values.quick ? 200_000 : 10_000_000))
const chosen = values.part === undefined ? Object.keys(parts) : (both[values.part] ?? [values.part])
if (!chosen.every(name => name in parts)) throw new Error(`--part is one of ${Object.keys(parts).join(', ')}.`)

const place = name => fileURLToPath(new URL(name, import.meta.url))
const stored = existsSync(place('preserve.json')) ? JSON.parse(readFileSync(place('preserve.json'), 'utf8')) : {}

const results = await withServer(async server => {
  const measured = values.quick ? {} : { ...stored }
  for (const name of chosen) {
    const machine = machineFacts(server.version)
    measured[name] = {
      ...(await parts[name](server, rows, values.quick)),
      machine,
      loaded: isLoaded(machine),
      quick: values.quick,
    }
  }
  return measured
})
const table = writePreserveTable(results)
process.stdout.write(table)
if (!values.quick) {
  writeFileSync(place('preserve.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(place('preserve.md'), table)
}
