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
import { label, type Migration, type MigrationFolder } from './migration.ts'
import type { LossClass } from './preserve/class.ts'
import { digestTables, writeSamples } from './preserve/sample.ts'
import type { Digest, RestoreReport } from './preserve/store.ts'
import type { Report } from './run.ts'
import { applyOnScratch, makeSchemas } from './apply-on-scratch.ts'
import { type PreludeFile, runPrelude } from './prelude.ts'
import type { MissingRoles } from './rehearse/surroundings.ts'
import { rollbackTrack } from './track.ts'

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
  readonly durationMs: number
  /** VERIFY_FAILED, or why a step could not run; null when all is well. */
  readonly error: PlinthError | null
}

export interface VerifiedData {
  readonly sampled: readonly string[]
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
  const name = `plinth_verify_${randomBytes(6).toString('hex')}`
  const scratch = await options.engine.createScratch(options.url, name)
  try {
    return await withSession(options.engine, scratch.url, { applicationName: 'plinth verify' }, async session => {
      await runPrelude(session, options.prelude ?? [], options.missingRoles)
      await makeSchemas(session, options.pathSchemas ?? [])
      return verifyOn(session, folder, options)
    })
  } finally {
    await scratch.drop()
  }
}

interface Progress {
  data: VerifiedData
  readonly steps: Map<string, VerifiedStep>
  reapplied: readonly Difference[]
}

async function verifyOn(session: Session, folder: MigrationFolder, options: VerifyOptions): Promise<VerifyReport> {
  const started = performance.now()
  const progress: Progress = { steps: new Map(), reapplied: [], data: { sampled: [], tables: [] } }
  const error = await goThrough(session, folder, options, progress).catch((thrown: unknown) => {
    if (thrown instanceof PlinthError) return thrown
    throw thrown
  })
  return {
    format: 1,
    track: options.track,
    status: error ? 'failed' : 'passed',
    steps: [...progress.steps.values()],
    reapplied: progress.reapplied,
    data: progress.data,
    durationMs: performance.now() - started,
    error,
  }
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
  const sampled = proves ? await writeSamples(session) : []
  const held = proves ? await digestTables(session) : new Map<string, Digest>()
  for (const [at, migration] of [...folder.migrations.entries()].toReversed()) {
    const { durationMs: downMs } = stepOf(await rollbackTrack(session, { ...run, target: { kind: 'steps', count: 1 } }))
    const before = catalogs[at]
    const differences = before ? diffSchemas(before, await session.introspect()) : []
    const { version, slug } = migration
    const known = progress.steps.get(version)
    progress.steps.set(version, { ...(known ?? unknown), version, slug, downMs, differences })
    emit({ type: 'progress', task: 'verify', done: total - at, total, unit: 'steps' })
    // What this down left would be counted against every earlier one as well.
    if (differences.length > 0) return falseDown(migration, differences)
  }
  const again = await applyOnScratch(session, run, options.missingRoles)
  if (again.error) throw again.error
  for (const { version, preserved } of again.done) {
    const known = progress.steps.get(version)
    if (known) progress.steps.set(version, { ...known, restored: preserved?.restored ?? [] })
  }
  progress.data = { sampled, tables: compareDigests(held, proves ? await digestTables(session) : held) }
  const end = catalogs.at(-1)
  progress.reapplied = end ? diffSchemas(end, await session.introspect()) : []
  if (progress.reapplied.length > 0) return changedByRepetition(progress.reapplied)
  const lost = progress.data.tables.filter(
    ({ before, after }) => before.digest !== after?.digest || before.rows !== after.rows,
  )
  return lost.length === 0 ? null : changedRows(lost)
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

function changedRows(lost: VerifiedData['tables']): PlinthError {
  const names = lost.map(({ table }) => table.replaceAll('"', ''))
  return new PlinthError(
    'VERIFY_FAILED',
    `After everything was taken back and applied again, rows differ in ${names.slice(0, shown).join(', ')}${names.length > shown ? ` and ${names.length - shown} more` : ''}.`,
    {
      hint: 'Look for rows that the up writes with a new key each time, and that its down does not remove.',
      details: { tables: lost },
    },
  )
}

function falseDown(migration: Migration, differences: readonly Difference[]): PlinthError {
  return new PlinthError(
    'VERIFY_FAILED',
    `The down of ${label(migration)} does not undo its up: ${spell(differences)}.`,
    {
      at: { file: migration.down?.file ?? migration.up.file },
      hint: 'Correct the down file until the catalog is what it was before the up.',
      details: { version: migration.version, differences: differences.map(named) },
    },
  )
}

function changedByRepetition(differences: readonly Difference[]): PlinthError {
  return new PlinthError('VERIFY_FAILED', `Applying everything again makes another catalog: ${spell(differences)}.`, {
    hint: 'Look for a statement whose result depends on what was there before, such as "if not exists".',
    details: { differences: differences.map(named) },
  })
}

const shown = 3

function spell(differences: readonly Difference[]): string {
  const whole = wholes(differences)
  const words = whole
    .slice(0, shown)
    .map(({ change, object, property }) =>
      change === 'changed'
        ? `${property} of ${object} differs`
        : `${object} ${change === 'added' ? 'is left' : 'is missing'}`,
    )
  return words.join(', ') + (whole.length > shown ? ` and ${whole.length - shown} more` : '')
}

/** A table that is left says enough; its columns and keys need no words of their own. */
function wholes(differences: readonly Difference[]): readonly Difference[] {
  const tables = differences.flatMap(({ change, object }) =>
    change !== 'changed' && object.startsWith('table ') ? [`${object.slice('table '.length)}.`] : [],
  )
  return differences.filter(
    ({ object }) => !tables.some(table => object.slice(object.lastIndexOf(' ') + 1).startsWith(table)),
  )
}

/** Definitions may hold literals, so the error names objects and properties only. */
function named({ change, object, property }: Difference) {
  return { change, object, property }
}
