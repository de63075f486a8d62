import type { Pending, ReadRequest, UsageReading } from '../../analytics/read/read.ts'
import { PlinthError } from '../../errors.ts'
import { type CommandSpec, type Context, text, wholeNumber } from '../command.ts'
import { count, paint, table } from '../print.ts'

export const rollupRead: CommandSpec = {
  name: 'rollup read',
  summary: 'answer the usage of any window, in any time zone',
  description:
    'Whole hours come from a rollup, hours in which the window or a local day begins or ends from the raw rows beside it, so the answer is exact for windows that are not aligned and for time zones with half hours. Names the snapshot of the source that it is as of, and how many marks are pending.',
  group: 'data',
  options: [
    { flags: '--from <time>', description: 'a date or time of the time zone, or a moment with Z or an offset' },
    { flags: '--to <time>', description: 'the end, which is not included' },
    { flags: '--tz <zone>', description: 'name or offset of the time zone, such as Asia/Kolkata; default UTC' },
    {
      flags: '--by <columns>',
      description: 'hour, day, week or month, and columns such as organization, model or region, with commas',
    },
    { flags: '--organization <ids>', description: 'only these organizations, with commas' },
    { flags: '--where <conditions>', description: 'only these values, such as model=ID,region=eu-west-1' },
    {
      flags: '--rollup <name>',
      description: 'the rollup to read; default the one with the fewest columns that can answer',
    },
    {
      flags: '--quantiles <numbers>',
      description: 'of latencies, between 0 and 1, with commas; default 0.5,0.95,0.99',
    },
    { flags: '--limit <rows>', description: 'rows at most; default 10000' },
    { flags: '--format <format>', description: 'a table to be read, or CSV for other tools', choices: ['text', 'csv'] },
  ],
  examples: [
    'plinth rollup read --from 2026-03-01 --to 2026-04-01 --by day --tz Asia/Kolkata',
    'plinth rollup read --from 2026-03-10T08:15 --to 2026-03-10T17:40 --tz Europe/Berlin --by organization,model',
    'plinth rollup read --from 2026-03-01 --to 2026-04-01 --by region --quantiles 0.9,0.999 --json',
    'plinth rollup read --from 2026-03-01 --to 2026-04-01 --by day,organization --format csv > march.csv',
  ],
  async run(context) {
    const reading = await context.foundation.readRollup(requestOf(context))
    if (text(context, 'format') !== 'csv') return { data: reading, text: describe(reading) }
    // What is piped into another tool is rows alone, so what was left out is said beside them.
    if (reading.cut === 'yes') process.stderr.write(`${leftOut}\n`)
    return { data: reading, text: csvOf(reading) }
  },
}

function requestOf(context: Context): ReadRequest {
  const [from, to] = [text(context, 'from'), text(context, 'to')]
  if (from === undefined || to === undefined)
    throw new PlinthError('USAGE', 'A reading needs --from and --to.', {
      hint: 'For a day: plinth rollup read --from 2026-03-01 --to 2026-03-02',
    })
  const organizations = listOf(text(context, 'organization'))
  return {
    from,
    to,
    timeZone: text(context, 'tz'),
    by: listOf(text(context, 'by')),
    organizations: organizations.length === 0 ? undefined : organizations,
    where: conditionsOf(listOf(text(context, 'where'))),
    transform: text(context, 'rollup'),
    quantiles: text(context, 'quantiles') === undefined ? undefined : listOf(text(context, 'quantiles')).map(numberOf),
    rowsMax: wholeNumber(context, 'limit'),
  }
}

function listOf(given: string | undefined): string[] {
  return (given ?? '')
    .split(',')
    .map(part => part.trim())
    .filter(Boolean)
}

function numberOf(given: string): number {
  if (!Number.isNaN(Number(given))) return Number(given)
  throw new PlinthError('USAGE', `"${given}" is no quantile.`, {
    hint: 'Write numbers above 0 and up to 1, such as 0.95.',
  })
}

function conditionsOf(conditions: readonly string[]): Record<string, string[]> {
  const where: Record<string, string[]> = {}
  for (const condition of conditions) {
    const [, column, value] = /^([^=]+)=(.+)$/.exec(condition) ?? []
    if (column === undefined || value === undefined)
      throw new PlinthError('USAGE', `"${condition}" is no condition.`, { hint: 'Write --where column=value.' })
    where[column.trim()] = [...(where[column.trim()] ?? []), value.trim()]
  }
  return where
}

/** RFC 4180, but for line ends, which are those of other tools of the shell. */
function csvOf({ columns, rows }: UsageReading): string {
  const field = (value: string | number | null) => {
    const written = String(value ?? '')
    return /[",\n\r]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written
  }
  return [columns, ...rows.map(row => columns.map(column => row[column] ?? null))]
    .map(line => line.map(field).join(','))
    .join('\n')
}

const rowsShown = 200
const leftOut = 'There are more rows than --limit let through.'

function describe(reading: UsageReading): string {
  const { transform, timeZone, from, until, asOf, columns, rows, cut } = reading
  const shown = rows.slice(0, rowsShown).map(row => columns.map(column => shownValue(row[column] ?? null)))
  const left = rows.length - shown.length
  return [
    `${paint.bold(transform)} from ${from} to ${until} (${timeZone})`,
    rows.length === 0 ? 'No usage.' : table(columns, shown),
    left > 0 ? paint.dim(`… and ${left} more, see --json`) : '',
    cut === 'yes' ? paint.dim(leftOut) : '',
    paint.dim(`As of ${asOf.movedAt}, snapshot ${asOf.snapshot}; ${describePending(reading.pending)}.`),
  ]
    .filter(Boolean)
    .join('\n')
}

function describePending(pending: Pending | null): string {
  if (pending === null) return 'what is pending is unknown'
  if (pending.marks === 0) return 'nothing pending'
  return `${count(pending.marks, 'mark')} on ${count(pending.cells, 'cell')} pending, ${pending.cellsOfWindow} of them in this window`
}

function shownValue(value: string | number | null): string {
  return typeof value === 'number' ? value.toLocaleString('en-US') : (value ?? '')
}
