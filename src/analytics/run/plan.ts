/** Which cells are replaced together. Pure: the same changes give the same plan. */

/** An hour that changed. */
export interface ChangedHour {
  /** Start of the hour, ISO 8601 in UTC. */
  readonly hour: string
  /** Shards that changed in ascending order, or all of them. */
  readonly shards: readonly number[] | 'all'
  /** Rows of the source in these cells, as far as they were counted. */
  readonly rows: number
  /** By shard: the only organizations that changed there. Undefined where any may have. */
  readonly organizations?: ReadonlyMap<number, readonly string[]> | undefined
}

/** The column that tells whose a row is, with its type as the warehouse knows it. */
export interface OrganizationColumn {
  readonly name: string
  readonly type: string
}

/**
 * Cells that are replaced in one transaction. A batch of `all` replaces whatever the warehouse has between its bounds, which are open
 * (null) at both ends of history, so that cells that only the warehouse has go as well.
 */
export interface Batch {
  readonly from: string | null
  readonly until: string | null
  readonly hours: readonly ChangedHour[]
  readonly whole: 'yes' | 'no'
  readonly rows: number
  readonly cells: number
  /** Its hours name the organizations that changed, whose rows alone are replaced in raw and wherever rows are told apart by this column. */
  readonly named?: OrganizationColumn | undefined
  /** Other cells that are replaced in the same transaction, before these. */
  readonly before?: Batch | undefined
}

export interface BatchLimits {
  /** A batch closes before it would exceed this many rows; an hour is never split. */
  readonly rows: number
  readonly cells: number
  readonly shards: number
}

/**
 * Changed cells are named one by one in a query, everything by its bounds alone; both keep what is held in memory bounded, and large
 * enough that a day is rarely computed twice.
 */
export const defaultLimits = {
  no: { rows: 4_000_000, cells: 20_000 },
  yes: { rows: 8_000_000, cells: 400_000 },
} as const

/**
 * Batches in the order of time. A whole rebuild always has at least one, since the warehouse may hold what the source has not; it begins at
 * `floor`, before which nothing may be replaced.
 */
export function planBatches(
  hours: readonly ChangedHour[],
  whole: Batch['whole'],
  limits: BatchLimits,
  floor: string | null = null,
): Batch[] {
  const groups: ChangedHour[][] = []
  let rows = 0
  let cells = 0
  for (const hour of [...hours].sort((a, b) => (a.hour < b.hour ? -1 : 1))) {
    const width = hour.shards === 'all' ? limits.shards : hour.shards.length
    const last = groups.at(-1)
    const full = rows + hour.rows > limits.rows || cells + width > limits.cells
    // A day that would not fit as a whole anyway begins a batch of its own, so that it is computed once.
    const ripe = hour.hour.slice(11, 13) === '00' && (rows * 2 > limits.rows || cells * 2 > limits.cells)
    if (!last || full || ripe) {
      groups.push([hour])
      rows = 0
      cells = 0
    } else last.push(hour)
    rows += hour.rows
    cells += width
  }
  if (groups.length === 0 && whole === 'yes') groups.push([])
  return groups.map((group, index) => ({
    from: whole === 'yes' && index === 0 ? floor : (group[0]?.hour ?? null),
    until: untilOf(group, groups[index + 1], whole),
    hours: group,
    whole,
    rows: group.reduce((sum, hour) => sum + hour.rows, 0),
    cells: group.reduce((sum, hour) => sum + (hour.shards === 'all' ? limits.shards : hour.shards.length), 0),
  }))
}

/** Stretches of whole days that together hold all time, for building what depends on these hours anew. */
export function planDays(hours: readonly Omit<ChangedHour, 'shards'>[], rows: number): Batch[] {
  const days = new Map<string, number>()
  for (const hour of hours) {
    const day = `${hour.hour.slice(0, 10)}T00:00:00.000000Z`
    days.set(day, (days.get(day) ?? 0) + hour.rows)
  }
  const whole = [...days].map(([hour, rows]) => ({ hour, shards: 'all' as const, rows }))
  return planBatches(whole, 'yes', { rows, cells: Number.POSITIVE_INFINITY, shards: 1 })
}

/**
 * Stretches of time that hold the hours, so that a query reads little beside them. They are conditions that every row is held against,
 * so there are at most `limit`: the shortest gaps are read over.
 */
export function stretchesOf(
  hours: readonly ChangedHour[],
  limit: number,
): { readonly from: string; readonly until: string }[] {
  const gaps = hours.slice(1).map((next, index) => Date.parse(next.hour) - Date.parse(hours[index]?.hour ?? next.hour))
  const widest = [...gaps].sort((a, b) => b - a)[limit - 1] ?? 0
  const stretches: { from: string; until: string }[] = []
  for (const [index, { hour }] of hours.entries()) {
    const last = stretches.at(-1)
    const gap = gaps[index - 1] ?? 0
    if (last && (gap <= 3_600_000 || gap <= widest)) last.until = hourAfter(hour)
    else stretches.push({ from: hour, until: hourAfter(hour) })
  }
  return stretches
}

export function hourAfter(hour: string): string {
  return new Date(Date.parse(hour) + 3_600_000).toISOString().replace('.000Z', '.000000Z')
}

/** In a whole rebuild batches touch each other, so that no hour between them is left out. */
function untilOf(
  group: readonly ChangedHour[],
  next: readonly ChangedHour[] | undefined,
  whole: Batch['whole'],
): string | null {
  if (whole === 'yes') return next?.[0]?.hour ?? null
  const last = group.at(-1)
  return last ? hourAfter(last.hour) : null
}
