/** What PostgreSQL alone answers for a window: its own time zones, its own sums, and quantiles of all latencies one by one. */
import type { World } from './world.ts'

export interface Asked {
  /** Microseconds since 1970. */
  readonly from: number
  readonly until: number
  readonly timeZone: string
  readonly unit: 'hour' | 'day' | 'week' | 'month' | null
  readonly keys: readonly ('organization' | 'model')[]
  readonly where: { readonly organization?: readonly string[]; readonly model?: readonly string[] }
}

const forms = { hour: 'YYYY-MM-DD"T"HH24:00:00', day: 'YYYY-MM-DD', week: 'YYYY-MM-DD', month: 'YYYY-MM' } as const

/** Rows as a reading has them. */
export async function askSource(world: World, asked: Asked): Promise<Record<string, unknown>[]> {
  const { unit, keys } = asked
  // An offset has the other sign in POSIX, which PostgreSQL reads it by.
  const zone = /^[+-]/.test(asked.timeZone)
    ? `<x>${asked.timeZone.replace(/^[+-]/, sign => (sign === '-' ? '+' : '-'))}`
    : asked.timeZone
  const local = `occurred_at at time zone $3`
  const offset = `extract(epoch from (${local}) - (occurred_at at time zone 'UTC'))::int`
  const period = unit === null ? [] : [`to_char(date_trunc('${unit}', ${local}), '${forms[unit]}')`]
  const columns = [...period, ...(unit === 'hour' ? [offset] : []), ...keys.map(key => `${key}_id::text`)]
  const groups = columns.map((_, index) => index + 1)
  const grouped = groups.length === 0 ? 'having count(*) > 0' : `group by ${groups.join(', ')}`
  const { rows } = await world.sql(
    `select ${[...columns.map((column, index) => `${column} as c${index}`), ''].join(', ')}
       count(*)::int as requests, sum(input_tokens)::int as input_tokens, sum(output_tokens)::int as output_tokens,
       (count(*) filter (where status = 'error'))::int as errors, (count(*) filter (where status = 'rate_limited'))::int as rate_limited,
       sum(latency_ms)::int as latency_ms_sum, max(latency_ms) as latency_ms_max, sum(cost)::numeric(38, 6)::text as cost,
       array_agg(latency_ms order by latency_ms) as latencies
     from platform.usage_events
     where occurred_at >= timestamptz 'epoch' + $1 * interval '1 microsecond' and occurred_at < timestamptz 'epoch' + $2 * interval '1 microsecond'
       and ($4::uuid[] is null or organization_id = any($4)) and ($5::uuid[] is null or model_id = any($5)) and $3::text is not null
     ${grouped}${groups.length === 0 ? '' : ` order by ${groups.join(', ')}`}`,
    [asked.from, asked.until, zone, asked.where.organization ?? null, asked.where.model ?? null],
  )
  const told = rows.map((row: Record<string, unknown>) => tell(row, asked))
  return unit === 'hour' ? told.sort(byMoment) : told
}

/** Local hours in the order of the clock's face, an hour that occurs twice in that of time. */
function byMoment(a: Record<string, unknown>, b: Record<string, unknown>): number {
  const [one, other] = [String(a['hour']), String(b['hour'])]
  if (one.slice(0, 19) !== other.slice(0, 19)) return one < other ? -1 : 1
  return Date.parse(one) - Date.parse(other)
}

function tell(row: Record<string, unknown>, { unit, keys }: Asked): Record<string, unknown> {
  const { latencies, ...rest } = row
  const values = Object.entries(rest)
  const place = unit === null ? 0 : unit === 'hour' ? 2 : 1
  const period =
    unit === null
      ? {}
      : { [unit]: unit === 'hour' ? `${String(row['c0'])}${offsetText(Number(row['c1']))}` : row['c0'] }
  const named = keys.map((key, index) => [`${key}_id`, row[`c${place + index}`]])
  const measures = values.filter(([name]) => !/^c\d$/.test(name))
  const quantiles = [0.5, 0.95, 0.99].map(part => [
    `latency_ms_p${part * 100}`,
    ofBin(quantile(latencies as number[], part)),
  ])
  return { ...period, ...Object.fromEntries([...named, ...measures, ...quantiles]) }
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.ceil(part * sorted.length - 1e-9) - 1] ?? Number.NaN
}

/** The value by which a sketch of one percent stands for a latency. */
function ofBin(latency: number): number {
  const gamma = 1.01 / 0.99
  const bin = Math.ceil(Math.log(latency) / Math.log(gamma))
  return latency === 0 ? 0 : Math.round(((2 * gamma ** bin) / (gamma + 1)) * 1000) / 1000
}

function offsetText(seconds: number): string {
  const minutes = Math.abs(seconds) / 60
  return `${seconds < 0 ? '-' : '+'}${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
