// What it costs that nothing is lost. `node bench/migrate/preserve.js [--rows 10000000] [--quick]`, after `npm run build`.
// Writes preserve.json and preserve.md beside itself, unless it was quick. Ten million rows take about ten minutes and 5 GB.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isLoaded, machineFacts } from '../support/machine.js'
import { withServer } from '../support/server.js'
import { measureColumns } from './preserve/columns.js'
import { measureRelease } from './preserve/release.js'
import { measureTable } from './preserve/table.js'
import { writePreserveTable } from './preserve/report.js'

const { values } = parseArgs({ options: { rows: { type: 'string' }, quick: { type: 'boolean', default: false } } })
const rows = Number(values.rows ?? (values.quick ? 200_000 : 10_000_000))

const results = await withServer(async server => {
  const machine = machineFacts(server.version)
  const sizes = [0.1, 0.3, 1].map(share => Math.round(rows * share))
  return {
    machine,
    loaded: isLoaded(machine),
    quick: values.quick,
    rows,
    table: await measureTable(server, rows),
    columns: await measureColumns(server, sizes),
    release: await measureRelease(server, rows, values.quick ? 3_000 : 10_000),
  }
})
const table = writePreserveTable(results)
process.stdout.write(table)
if (!values.quick) {
  const place = name => fileURLToPath(new URL(name, import.meta.url))
  writeFileSync(place('preserve.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(place('preserve.md'), table)
}
