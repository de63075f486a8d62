/**
 * Proves that each down undoes its up: on an empty database beside the target, apply one by one, roll back one by one and compare the catalog
 * after each down with the one before its up, so that a false down is known by its name. Then apply again and compare the end.
 */
import { randomBytes } from 'node:crypto'
import { withSession } from '../engines/brackets.ts'
import type { Engine, Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import { type Difference, diffSchemas } from '../schema/diff.ts'
import type { Schema } from '../schema/model.ts'
import { type Emit, silent } from '../telemetry/event.ts'
import { loadMigrations } from './load.ts'
import { dropRoles, forScratch } from './server-wide/index.ts'
import type { MigrationFolder } from './migration.ts'
import type { LossClass } from './preserve/class.ts'
import { digestTables, writeSamples } from './preserve/sample.ts'
import { type Digest, readObjects, type RestoreReport } from './preserve/store.ts'
import type { Report } from './run.ts'
import { applyOnScratch, makeSchemas } from './apply-on-scratch.ts'
import { type PreludeFile, runPrelude } from './prelude.ts'
import type { MissingRoles } from './rehearse/surroundings.ts'
import { rollbackTrack } from './track.ts'
import { changedByRepetition, changedRows, type FalseDown, falseDown, keyOf } from './verify-findings.ts'
import { type VerifiedRepeatable, verifyRepeatables } from './verify-repeat.ts'

export interface VerifyOptions {
  readonly engine: Engine
  /** The scratch database is made beside this one, and dropped afterwards. Nothing in this one is read or changed. */
  readonly url: string
  readonly track: string
  readonly folder: string | MigrationFolder
  readonly actor: string
  readonly emit?: Emit | undefined
  readonly signal?: AbortSignal | undefined
  readonly missingRoles?: MissingRoles | undefined
  /** Schemas of the search path that are there before the first migration. */
  readonly pathSchemas?: readonly string[] | undefined
  /** Run on the scratch database before the first migration. */
  readonly prelude?: readonly PreludeFile[] | undefined
}

export interface VerifyReport {
  readonly format: 1
  readonly track: string
  readonly status: 'passed' | 'failed'
  readonly steps: readonly VerifiedStep[]
  /** Between the first end and the end after everything was rolled back and applied again. */
  readonly reapplied: readonly Difference[]
  /** Tables that took rows to prove on, and what all tables held before everything was rolled back and after it was applied again. */
  readonly data: VerifiedData
  /** Each ran behind the versions, and once more. */
  readonly repeatables: readonly VerifiedRepeatable[]
  readonly durationMs: number
  /** VERIFY_FAILED, or why a step could not run; null when all is well. */
  readonly error: PlinthError | null
}

export interface VerifiedData {
  readonly sampled: readonly string[]
  /** Why no rows were made: those that were would not go down a step, which rows of users may well do. */
  readonly refused: PlinthError | null
  /** Tables in which none were made, since the migrations change or take what they find there: applied again, they would do so to those. */
  readonly spared: readonly string[]
  readonly tables: readonly { readonly table: string; readonly before: Digest; readonly after: Digest | null }[]
}

export interface VerifiedStep {
  readonly version: string
  readonly slug: string
  readonly upMs: number
  /** Null when the rollback did not come so far. */
  readonly downMs: number | null
  /** How much it can lose; null where nobody judges. */
  readonly lossClass: LossClass | null
  /** What came back when it was applied again, each with the digests of before and after. */
  readonly restored: readonly RestoreReport[]
  /** What the down left behind or took too much; empty when it is true. */
  readonly differences: readonly Difference[]
}

/** Throws only what keeps it from beginning, such as DATABASE_UNREACHABLE, FOLDER_NOT_FOUND and PRELUDE_FAILED. */
export async function verifyTrack(options: VerifyOptions): Promise<VerifyReport> {
  const folder =
    typeof options.folder === 'string'
      ? await loadMigrations(options.folder, { dialect: options.engine.name })
      : options.folder
  const first = await onScratch(folder, options, everywhere)
  const refused = refusedRow(first.report)
  if (refused) return (await onScratch(folder, options, { ...everywhere, refused })).report
  const spared = changedSamples(first)
  return spared.length > 0 ? (await onScratch(folder, options, { ...everywhere, spared })).report : first.report
}

/** Where rows are made, which is learned from what became of them before. */
type Made = Pick<VerifiedData, 'refused' | 'spared'>

const everywhere: Made = { refused: null, spared: [] }

interface Verified {
  readonly report: VerifyReport
  /** Tables of which applying everything again changed or took rows by statements of its own. */
  readonly changedAgain: ReadonlySet<string>
}

async function onScratch(folder: MigrationFolder, options: VerifyOptions, made: Made): Promise<Verified> {
  const name = `plinth_verify_${randomBytes(6).toString('hex')}`
  let roles: readonly string[] = []
  const scratch = await options.engine.createScratch(options.url, name)
  try {
    return await withSession(options.engine, scratch.url, { applicationName: 'plinth verify' }, async session => {
      await runPrelude(session, options.prelude ?? [], options.missingRoles)
      await makeSchemas(session, options.pathSchemas ?? [])
      const fitted = await forScratch(session, folder)
      roles = fitted.roles
      return verifyOn(session, fitted.folder, options, made)
    })
  } finally {
    await scratch.drop()
    await dropRoles(options.engine, options.url, roles)
  }
}

/** A down that fails at a value or a constraint fails at rows, and those that are there were made here, or by the migrations themselves. */
function refusedRow({ error, data }: VerifyReport): PlinthError | null {
  return data.sampled.length > 0 && /^2[23]/.test(error?.sqlState ?? '') ? error : null
}

/** Where only rows that were made here can differ, and nothing but the word of an up made them. */
function changedSamples({ report, changedAgain }: Verified): readonly string[] {
  const { sampled, tables } = report.data
  const changed = tables.filter(differs).map(({ table }) => table)
  return changed.every(table => changedAgain.has(table) && sampled.includes(table)) ? changed : []
}

function differs({ before, after }: VerifiedData['tables'][number]): boolean {
  return before.digest !== after?.digest || before.rows !== after.rows
}

interface Progress {
  data: VerifiedData
  changedAgain: ReadonlySet<string>
  readonly steps: Map<string, VerifiedStep>
  readonly repeatables: VerifiedRepeatable[]
  reapplied: readonly Difference[]
}

async function verifyOn(
  session: Session,
  folder: MigrationFolder,
  options: VerifyOptions,
  made: Made,
): Promise<Verified> {
  const started = performance.now()
  const data: VerifiedData = { sampled: [], ...made, tables: [] }
  const progress: Progress = { steps: new Map(), repeatables: [], reapplied: [], data, changedAgain: new Set() }
  const error = await goThrough(session, folder, options, progress).catch((thrown: unknown) => {
    if (thrown instanceof PlinthError) return thrown
    throw thrown
  })
  const report: VerifyReport = {
    format: 1,
    track: options.track,
    status: error ? 'failed' : 'passed',
    steps: [...progress.steps.values()],
    reapplied: progress.reapplied,
    data: progress.data,
    repeatables: progress.repeatables,
    durationMs: performance.now() - started,
    error,
  }
  return { report, changedAgain: progress.changedAgain }
}

async function goThrough(
  session: Session,
  folder: MigrationFolder,
  options: VerifyOptions,
  progress: Progress,
): Promise<PlinthError | null> {
  const { emit = silent } = options
  const run = {
    track: options.track,
    folder,
    actor: options.actor,
    command: 'verify',
    signal: options.signal,
    preserve: { acceptLoss: 'all' as const },
    // No version may need them, and none is taken back over them.
    repeatables: 'none' as const,
  }
  const total = folder.migrations.length * 2
  const catalogs: Schema[] = [await session.introspect()]
  for (const [done, { version, slug }] of folder.migrations.entries()) {
    const { durationMs: upMs, lossClass } = stepOf(
      await applyOnScratch(session, { ...run, target: { kind: 'version', version } }, options.missingRoles),
    )
    progress.steps.set(version, { version, slug, upMs, downMs: null, lossClass, restored: [], differences: [] })
    catalogs.push(await session.introspect())
    emit({ type: 'progress', task: 'verify', done: done + 1, total, unit: 'steps' })
  }
  const proves = session.engine.can.postgresSyntax
  const sampled = proves && progress.data.refused === null ? await writeSamples(session, progress.data.spared) : []
  progress.data = { ...progress.data, sampled }
  const held = proves ? await digestTables(session) : new Map<string, Digest>()
  const falseDowns: FalseDown[] = []
  // What a down left counts against it alone, and not against every earlier one as well.
  const known = new Set<string>()
  for (const [at, migration] of [...folder.migrations.entries()].toReversed()) {
    const report = await rollbackTrack(session, { ...run, target: { kind: 'steps', count: 1 } })
    // What a false down left may well stand in the way of an earlier one.
    if (report.error && falseDowns.length > 0) break
    const { durationMs: downMs } = stepOf(report)
    const before = catalogs[at]
    const all = before ? diffSchemas(before, await session.introspect()) : []
    const differences = all.filter(one => !known.has(keyOf(one)))
    for (const one of all) known.add(keyOf(one))
    const { version, slug } = migration
    const told = progress.steps.get(version)
    progress.steps.set(version, { ...(told ?? unknown), version, slug, downMs, differences })
    emit({ type: 'progress', task: 'verify', done: total - at, total, unit: 'steps' })
    if (differences.length > 0) falseDowns.push({ migration, differences })
  }
  const [last, ...others] = falseDowns
  if (last) return falseDown(last, others)
  const again = await applyOnScratch(session, run, options.missingRoles)
  if (again.error) throw again.error
  for (const { version, preserved } of again.done) {
    const known = progress.steps.get(version)
    if (known) progress.steps.set(version, { ...known, restored: preserved?.restored ?? [] })
  }
  progress.data = { ...progress.data, tables: compareDigests(held, proves ? await digestTables(session) : held) }
  progress.changedAgain = proves ? await sourcesOf(session, again) : new Set()
  const end = catalogs.at(-1)
  progress.reapplied = end ? diffSchemas(end, await session.introspect()) : []
  if (progress.reapplied.length > 0) return changedByRepetition(progress.reapplied)
  const lost = progress.data.tables.filter(differs)
  if (lost.length > 0) return changedRows(lost)
  await verifyRepeatables(session, folder.repeatables ?? [], {
    apply: repeatables => applyOnScratch(session, { ...run, repeatables }, options.missingRoles),
    told: one => progress.repeatables.push(one),
  })
  return null
}

/** Tables of which a run kept rows that its statements changed or took. */
async function sourcesOf(session: Session, { done }: Report): Promise<ReadonlySet<string>> {
  const archives = done.flatMap(({ preserved }) => preserved?.archiveId ?? [])
  const objects = await Promise.all(archives.map(id => readObjects(session, id)))
  return new Set(objects.flat().flatMap(({ kind, source }) => (kind === 'rows' ? [source] : [])))
}

function stepOf(report: Report): Pick<VerifiedStep, 'lossClass'> & { readonly durationMs: number } {
  if (report.error) throw report.error
  return report.done[0] ?? { durationMs: 0, lossClass: null }
}

const unknown = { upMs: 0, lossClass: null, restored: [] } as const

function compareDigests(
  before: ReadonlyMap<string, Digest>,
  after: ReadonlyMap<string, Digest>,
): VerifiedData['tables'] {
  return [...before].map(([table, digest]) => ({ table, before: digest, after: after.get(table) ?? null }))
}
