/**
 * Service levels, out of the ledgers: how far behind the warehouse is, how fresh, how long runs take, what came late, what differed. Totals are
 * sums over the ledger, so they survive processes that run once.
 */
import { withSession, withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { inspectSource, pendingMarks } from './run/capture.ts'
import { type RollupOptions, withWarehouse } from './run/desk.ts'
import { lastRun, readCursor } from './ledger.ts'
import { capturedSources, type CapturedSource, type Project, sourceKey } from './project/project.ts'
import { readHorizon, readQuarantine } from './seal/seal-ledger.ts'
import { rawTable } from './run/step.ts'

export interface Levels {
  readonly sources: readonly SourceLevels[]
  /** Sources of which the last look at freshness said that they are too old; null before there was one. */
  readonly staleSources: number | null
  /** Of the last run of checks; null before there was one. */
  readonly checks: {
    readonly ran: number
    readonly failed: number
    readonly warned: number
    readonly at: string
  } | null
}

/** Times in seconds; null where there is nothing to measure yet. */
export interface SourceLevels {
  readonly source: string
  /** Since when changes of the source wait for a run; 0 when none do. */
  readonly lagSeconds: number | null
  /** Since the source was last read. */
  readonly ageSeconds: number | null
  /** Since the newest event that is in the warehouse happened; negative for events of the future. */
  readonly freshnessSeconds: number | null
  readonly pendingMarks: number
  readonly pendingCells: number
  readonly lastRunSeconds: number | null
  readonly runs: number
  readonly runSeconds: number
  /** How many runs took no longer than a bound and longer than the one before it; the last has no bound. */
  readonly runDurations: readonly { readonly upToSeconds: number | null; readonly runs: number }[]
  /** When the first run committed: totals are since then. */
  readonly since: string | null
  readonly rows: number
  readonly cells: number
  readonly lateEvents: number
  readonly lateCells: number
  readonly reconciliations: number
  /** Cells that differed in the last reconciliation and were not repaired, and all that ever differed. */
  readonly differentCells: number | null
  readonly differedCells: number
  readonly reconciledSecondsAgo: number | null
  readonly quarantinedCells: number
  readonly sealedBefore: string | null
}

export type LevelsOptions = Pick<RollupOptions, 'source' | 'warehouse' | 'waitMs' | 'emit'>

/** Takes no lease and changes nothing. Throws WAREHOUSE_BUSY when another process keeps the warehouse longer than `waitMs`. */
export async function readLevels(project: Project, options: LevelsOptions): Promise<Levels> {
  const full: RollupOptions = { ...options, runId: 'levels', owner: 'levels' }
  const sources = capturedSources(project)
  const stored = await withWarehouse(full, async warehouse => ({
    sources: await inOrder(sources, source => readStored(warehouse, source)),
    checks: await lastChecks(warehouse),
    staleSources: await lastStale(warehouse),
  }))
  const { engine, url } = options.source
  const onSource = (work: (reader: Session) => Promise<{ readonly marks: number; readonly cells: number }[]>) =>
    sources.length === 0 ? [] : withSession(engine, url, { applicationName: 'plinth levels' }, work)
  const pending = await onSource(reader =>
    inOrder(sources, async (source, index) => {
      const snapshot = stored.sources[index]?.snapshot ?? null
      if (snapshot === null) return { marks: 0, cells: 0 }
      await inspectSource(reader, source)
      const { marks, hours } = await withTransaction(reader, () => pendingMarks(reader, source, snapshot), 'snapshot')
      return { marks, cells: hours.reduce((sum, { shards }) => sum + shards.length, 0) }
    }),
  )
  return {
    checks: stored.checks,
    staleSources: stored.staleSources,
    sources: stored.sources.map(({ levels }, index) => {
      const { marks = 0, cells = 0 } = pending[index] ?? {}
      return {
        ...levels,
        lagSeconds: marks === 0 ? levels.lagSeconds && 0 : levels.lagSeconds,
        pendingMarks: marks,
        pendingCells: cells,
      }
    }),
  }
}

interface Stored {
  readonly snapshot: string | null
  readonly levels: Omit<SourceLevels, 'pendingMarks' | 'pendingCells'>
}

async function readStored(warehouse: Session, source: CapturedSource): Promise<Stored> {
  const key = sourceKey(source)
  const cursor = await readCursor(warehouse, key)
  const since = (at: string | null | undefined) => (at ? round((Date.now() - Date.parse(at)) / 1000) : null)
  const one = async (query: string) =>
    (await warehouse.query<Record<string, string | null>>(query, [key])).rows[0] ?? {}
  const number = (value: string | number | null | undefined) => Number(value ?? 0)
  const runs = await one(
    `select count(*) as runs, sum(duration_ms) as ms, sum(rows) as written, sum(cells) as cells, min(finished_at) as since,
       ${durationBoundsSeconds.map((bound, index) => `sum(case when duration_ms <= ${bound * 1000} then 1 else 0 end) as within_${index}`).join(', ')}
     from plinth.rollup_runs where source = $1`,
  )
  const late = await one('select sum(cells) as cells, sum(events) as events from plinth.rollup_late where source = $1')
  const proofs = await one(
    'select count(*) as proofs, sum(different) as differed from plinth.reconciliations where source = $1',
  )
  const proof = await one(
    'select different - repaired as open, finished_at from plinth.reconciliations where source = $1 order by finished_at desc limit 1',
  )
  const snapshot = cursor?.snapshot ?? null
  const age = snapshot === null ? null : since(cursor?.movedAt)
  const newest = snapshot === null ? null : await newestEvent(warehouse, source)
  const quarantine = await readQuarantine(warehouse, key)
  const last = await lastRun(warehouse, key)
  const levels = {
    source: key,
    lagSeconds: age,
    ageSeconds: age,
    freshnessSeconds: since(newest),
    lastRunSeconds: last === null ? null : last.durationMs / 1000,
    runs: number(runs['runs']),
    runSeconds: number(runs['ms']) / 1000,
    runDurations: [...durationBoundsSeconds, null].map((upToSeconds, index) => ({
      upToSeconds,
      runs:
        number(upToSeconds === null ? runs['runs'] : runs[`within_${index}`]) -
        number(index === 0 ? 0 : runs[`within_${index - 1}`]),
    })),
    since: runs['since'] ?? null,
    rows: number(runs['written']),
    cells: number(runs['cells']),
    lateEvents: number(late['events']),
    lateCells: number(late['cells']),
    reconciliations: number(proofs['proofs']),
    differentCells: proof['open'] === undefined ? null : number(proof['open']),
    differedCells: number(proofs['differed']),
    reconciledSecondsAgo: since(proof['finished_at']),
    quarantinedCells: quarantine.filter(({ state }) => state === 'open' || state === 'moving').length,
    sealedBefore: (await readHorizon(warehouse, key))?.sealedBefore ?? null,
  }
  return { snapshot, levels }
}

/** From a run that had little to do up to the pause between two runs. */
const durationBoundsSeconds = [1, 5, 15, 60, 300, 900, 3600]

async function newestEvent(warehouse: Session, source: CapturedSource): Promise<string | null> {
  const { rows } = await warehouse.query<{ newest: string | null }>(
    `select max(${source.capture.timeColumn}) as newest from ${rawTable(warehouse, source)}`,
  )
  return rows[0]?.newest ?? null
}

async function lastChecks(warehouse: Session): Promise<Levels['checks']> {
  const { rows } = await warehouse.query<Record<string, string>>(
    `select count(*) as ran, sum(case when status in ('failed', 'error') then 1 else 0 end) as failed,
       sum(case when status = 'warned' then 1 else 0 end) as warned, max(finished_at) as told_at
     from plinth.check_runs group by run_id order by 4 desc limit 1`,
  )
  const row = rows[0]
  if (!row) return null
  return {
    ran: Number(row['ran']),
    failed: Number(row['failed']),
    warned: Number(row['warned']),
    at: row['told_at'] ?? '',
  }
}

async function lastStale(warehouse: Session): Promise<number | null> {
  const { rows } = await warehouse.query<{ stale: string }>(
    `select sum(case when status in ('failed', 'error') then 1 else 0 end) as stale, max(finished_at) as told_at
     from plinth.freshness_runs group by run_id order by 2 desc limit 1`,
  )
  return rows[0] ? Number(rows[0].stale) : null
}

async function inOrder<A, B>(list: readonly A[], work: (item: A, index: number) => Promise<B>): Promise<B[]> {
  const results: B[] = []
  for (const [index, item] of list.entries()) results.push(await work(item, index))
  return results
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}
