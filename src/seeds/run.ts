/**
 * Runs a package: inserts what is missing, updates what differs, leaves the rest alone, and reads back a digest. Every table, and every
 * 20,000 rows of a large one, is a transaction of its own, so a run that failed or was killed is finished by running it again.
 */
import { withLock, withTransaction } from '../engines/brackets.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { ClassOf } from '../schema/classification.ts'
import { type Emit, silent } from '../telemetry/event.ts'
import { csvChunks } from './csv.ts'
import { mergeBatch, type Texts } from './culprit.ts'
import { addTallies, emptyTally, packageDigest, type Tally, tableDigest, tallyStaged } from './digest.ts'
import type { SeedRow } from './datum.ts'
import type { SeedPackage } from './load.ts'
import { windowOf } from './plan.ts'
import { type Protect, type RevealedSecret, storedRows } from './protect.ts'
import { resolvePackage } from './resolve.ts'
import type { Source } from './source.ts'
import { analyzeStage, compare, copyStage, countAll, createStage, insertMissing, updateChanged } from './statement.ts'

export interface SeedOptions {
  /** Where the package would be written to. Throws SEED_REFUSED unless it is seedable. */
  readonly environment: { readonly name: string; readonly seedable: boolean }
  /** Asked for when the package has protected columns, and only then. A keyring fits. */
  readonly protect: () => Promise<Protect>
  /** `reveal` puts the secrets that this run makes into the report, if the package allows it; `discard` forgets them. */
  readonly secrets: 'reveal' | 'discard'
  /** Called as soon as secrets are committed, so that they are not lost when a later table fails. */
  readonly onSecrets?: (secrets: readonly RevealedSecret[]) => void
  /** Refuses a package that would store in plain what is classified as protected. */
  readonly classOf?: ClassOf | undefined
  readonly emit?: Emit
  /** How long to wait for another seed run of this database; default 60 seconds. */
  readonly lockWaitMs?: number
  readonly signal?: AbortSignal
  /** Rows in one transaction; default 20,000. */
  readonly chunkRows?: number
}

export interface SeedReport {
  readonly package: string
  /** Over all tables; see digest.ts. */
  readonly digest: string
  readonly changed: boolean
  readonly tables: readonly TableReport[]
  /** Secrets made by this run, once; empty unless asked for and allowed. Never to be logged or stored. */
  readonly secrets: readonly RevealedSecret[]
  readonly durationMs: number
}

export interface TableReport {
  readonly table: string
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  /** Rows of the table that do not belong to the package; they are left alone. */
  readonly extra: number
  readonly digest: string
  readonly durationMs: number
}

/**
 * Throws SEED_REFUSED, SEED_INVALID, CONSTRAINT_VIOLATED (with the file and line of the row), LOCK_TIMEOUT, KEY_MISSING, CIPHER_INVALID,
 * INTERRUPTED.
 *
 *     const seedPackage = await loadPackage('db/seeds/operational', 'local-dev')
 *     const report = await runSeed(session, seedPackage, { environment, protect: async () => keyring, secrets: 'reveal' })
 */
export async function runSeed(session: Session, seedPackage: SeedPackage, options: SeedOptions): Promise<SeedReport> {
  const started = performance.now()
  const { environment, emit = silent, lockWaitMs = 60_000 } = options
  refuseUnseedable(seedPackage, environment)
  refuseEngine(session)
  return withLock(session, 'plinth:seed', { waitMs: lockWaitMs, emit, signal: options.signal }, async () => {
    const schema = await session.introspect({ schemas: schemasOf(seedPackage) })
    const sources = resolvePackage(seedPackage, schema, options.classOf)
    const protect = sources.some(needsProtection) ? await options.protect() : null
    await prepare(session, seedPackage)
    const run: Run = { session, seedPackage, options, emit, protect }
    const totals = new Map<string, Merged>()
    const tables: TableReport[] = []
    for (const [index, source] of sources.entries()) {
      const total = add(totals.get(source.table) ?? nothing, await runSource(run, source))
      totals.set(source.table, total)
      const isLast = !sources.slice(index + 1).some(later => later.table === source.table)
      if (isLast) tables.push(await finishTable(run, source.table, total))
    }
    const secrets = [...totals.values()].flatMap(total => total.secrets)
    return {
      package: seedPackage.name,
      digest: packageDigest(tables),
      changed: tables.some(table => table.inserted + table.updated > 0),
      tables,
      secrets,
      durationMs: Math.round(performance.now() - started),
    }
  })
}

/** The schemas whose catalog a package needs. */
export function schemasOf(seedPackage: SeedPackage): string[] {
  return [...new Set(seedPackage.tables.map(table => table.table.split('.')[0] ?? ''))].sort()
}

interface Run {
  readonly session: Session
  readonly seedPackage: SeedPackage
  readonly options: SeedOptions
  readonly emit: Emit
  readonly protect: Protect | null
}

interface Merged {
  readonly inserted: number
  readonly updated: number
  readonly unchanged: number
  readonly tally: Tally
  /** Those that may be told. */
  readonly secrets: readonly RevealedSecret[]
  readonly durationMs: number
}

const nothing: Merged = { inserted: 0, updated: 0, unchanged: 0, tally: emptyTally, secrets: [], durationMs: 0 }

async function runSource(run: Run, source: Source): Promise<Merged> {
  const { session, seedPackage, options, emit, protect } = run
  const size = options.chunkRows ?? 20_000
  const reveal = options.secrets === 'reveal' && seedPackage.secrets === 'reveal'
  let total = nothing
  for (let first = 0; first < source.count; first += size) {
    refuseInterrupted(options.signal, source, first)
    const started = performance.now()
    const rows = rowsBetween(source, first, Math.min(first + size, source.count))
    const stored = await storedRows(session, source, rows, protect)
    const merged = await mergeBatch({ session, source, rows, texts: stored.rows }, texts =>
      merge(run, source, texts, first),
    )
    const secrets = reveal ? stored.secrets : []
    if (secrets.length > 0) options.onSecrets?.(secrets)
    total = add(total, { ...merged, secrets, durationMs: performance.now() - started })
    if (source.count > size) {
      const done = first + rows.length
      emit({ type: 'progress', task: `seed ${source.table}`, done, total: source.count, unit: 'rows' })
    }
  }
  return total
}

async function finishTable(run: Run, table: string, total: Merged): Promise<TableReport> {
  const { rows } = await run.session.query<{ total: string }>(countAll(table))
  const { inserted, updated, unchanged, tally } = total
  const durationMs = Math.round(total.durationMs)
  const extra = Math.max(0, Number(rows[0]?.total ?? 0) - (inserted + updated + unchanged))
  run.emit({
    type: 'seed.table.finished',
    package: run.seedPackage.name,
    table,
    inserted,
    updated,
    unchanged,
    durationMs,
  })
  return { table, inserted, updated, unchanged, extra, digest: tableDigest(table, tally), durationMs }
}

/** Brings one batch into its table, within the transaction that is open. */
async function merge(
  run: Run,
  source: Source,
  texts: Texts,
  first: number,
): Promise<Omit<Merged, 'secrets' | 'durationMs'>> {
  const { session } = run
  await session.script(createStage(source))
  await session.copyIn(copyStage(source), csvChunks(texts, first))
  if (texts.length >= 1000) await session.query(analyzeStage(source))
  const { rows } = await session.query<{ present: string; changed: string; foreign_row: number | null }>(
    compare(source),
  )
  const present = Number(rows[0]?.present ?? 0)
  const changed = Number(rows[0]?.changed ?? 0)
  refuseForeignRow(source, rows[0]?.foreign_row ?? null)
  if (present > texts.length) {
    throw new PlinthError(
      'SEED_INVALID',
      `Several rows of ${source.table} have the same natural key as one row of the package.`,
      {
        at: source.placeOf(null),
        hint: 'Choose columns as key that are unique in the table.',
      },
    )
  }
  const updated = changed === 0 ? 0 : (await session.query(updateChanged(source))).rowCount
  const inserted = present === texts.length ? 0 : (await session.query(insertMissing(source))).rowCount
  return { inserted, updated, unchanged: present - updated, tally: await tallyStaged(session, source, run.protect) }
}

/** The row is there by its key, but under another id, so what refers to it would point nowhere. */
function refuseForeignRow(source: Source, index: number | null): void {
  if (index === null) return
  const row = source.rowAt(index)
  throw new PlinthError(
    'CONSTRAINT_VIOLATED',
    `${source.table} already has a row with the natural key of "${row.label}", but another id.`,
    {
      at: source.placeOf(row),
      hint: 'It was not made by this package: rename or remove it, or give the row of the package another key.',
    },
  )
}

function refuseInterrupted(signal: AbortSignal | undefined, source: Source, first: number): void {
  if (!signal?.aborted) return
  throw new PlinthError('INTERRUPTED', `The seed run stopped before row ${first} of ${source.table}.`, {
    hint: 'Run it again to finish it.',
  })
}

async function prepare(session: Session, seedPackage: SeedPackage): Promise<void> {
  const { from, to } = windowOf(seedPackage)
  const times: Readonly<Record<string, string>> = { from, to, anchor: to }
  for (const [index, statement] of seedPackage.prepare.entries()) {
    const values: string[] = []
    const text = statement.replaceAll(/(?<!:):(from|to|anchor)\b/g, (_, name: string) => {
      values.push(times[name] ?? '')
      return `$${values.length}::timestamptz`
    })
    try {
      await withTransaction(session, () => session.query(text, values))
    } catch (error) {
      if (!(error instanceof PlinthError)) throw error
      throw new PlinthError(error.code, error.message, {
        at: seedPackage.place(['prepare', index]),
        hint: error.hint,
        sqlState: error.sqlState,
        cause: error,
      })
    }
  }
}

function refuseUnseedable(seedPackage: SeedPackage, environment: SeedOptions['environment']): void {
  if (environment.seedable) return
  throw new PlinthError(
    'SEED_REFUSED',
    `The environment "${environment.name}" is not marked seedable, so the package "${seedPackage.name}" was not written.`,
    {
      hint: `If it may hold demonstration data, set environments.${environment.name}.seedable: true in the configuration.`,
    },
  )
}

function refuseEngine(session: Session): void {
  const { can, name } = session.engine
  if (can.postgresSyntax && can.transactionalDdl) return
  throw new PlinthError('ENGINE_UNSUPPORTED', `Seed packages cannot be written to ${name}.`, {
    hint: 'Seed the operational track; rollups fill the warehouse.',
  })
}

function rowsBetween(source: Source, first: number, end: number): readonly SeedRow[] {
  return source.rows
    ? source.rows.slice(first, end)
    : Array.from({ length: end - first }, (_, index) => source.rowAt(first + index))
}

function needsProtection(source: Source): boolean {
  return source.columns.some(column => column.protection !== null)
}

function add(a: Merged, b: Merged): Merged {
  return {
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    unchanged: a.unchanged + b.unchanged,
    tally: addTallies(a.tally, b.tally),
    secrets: [...a.secrets, ...b.secrets],
    durationMs: a.durationMs + b.durationMs,
  }
}
