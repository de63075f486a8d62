/** Migrations on the tracks of a project. */
import { openChecksums } from '../config/checksums.ts'
import type { Config, Track } from '../config/load.ts'
import type { Session } from '../engines/engine.ts'
import { PlinthError } from '../errors.ts'
import type { Plan } from '../migrations/plan.ts'
import type { Report } from '../migrations/run.ts'
import type { Target } from '../migrations/select.ts'
import type { TrackStatus } from '../migrations/status.ts'
import type { PlanInFull } from '../migrations/track.ts'
import type { VerifyReport } from '../migrations/verify.ts'
import { type Desk, type OnTrack, onTracks } from './desk.ts'
import { folderOf, valuesOf } from './folder.ts'
import { forecastAtHand, foresightAtHand } from './forecast.ts'
import type { DryRun } from '../migrations/rehearse/dry-run.ts'
import { hooksOf } from './hooks.ts'
import { findingsOf, refusal } from './lint-plan.ts'
import { scratchAlongPath } from './search-path.ts'

export interface ApplyRequest {
  readonly target?: Target | undefined
  readonly allowOutOfOrder?: boolean | undefined
  readonly retryFailed?: boolean | undefined
  /** Versions whose loss is accepted. */
  readonly acceptLoss?: readonly string[] | 'all' | undefined
}

export interface PlanRequest extends ApplyRequest {
  readonly direction: 'up' | 'down'
}

export async function planTracks(desk: Desk, request: PlanRequest): Promise<OnTrack<Plan>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { planOf, readPlan } = await import('../migrations/track.ts')
  return onTracks(desk, async (session, track) => {
    const { otherHistory } = desk.config.migrations
    const full = await readPlan(session, {
      ...request,
      track: track.name,
      folder: await folderOf(desk.config, track),
      otherHistory,
    })
    const plan = planOf(full)
    const findings = await findingsOf(desk, { session, track, plan, folder: full.folder })
    const { forecast, reason } = await forecastAtHand(desk, session, full, track)
    return { ...plan, findings, forecast, forecastReason: reason }
  })
}

/** Runs what is planned in a transaction that is rolled back. Throws what a statement of it fails with, with the report among its details. */
export async function dryRunTracks(desk: Desk, request: PlanRequest): Promise<OnTrack<DryRun>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { dryRunTrack } = await import('../migrations/track.ts')
  return onTracks(desk, async (session, track) => {
    const folder = await folderOf(desk.config, track)
    const report = await dryRunTrack(session, { ...request, ...runOptions(desk, track, request.acceptLoss), folder })
    return unbroken(report)
  })
}

export async function applyTracks(desk: Desk, request: ApplyRequest): Promise<OnTrack<Report>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const ahead = await readAhead(desk, desk.config.tracks.slice(0, 1))
  const { applyTrack } = await import('../migrations/track.ts')
  return onTracks(desk, async (session, track) => {
    const foresee = (_: Session, full: PlanInFull) => foresightAtHand(desk, session, full, track)
    const options = {
      ...runOptions(desk, track, request.acceptLoss),
      folder: await ahead.readyFolderOf(track),
      foresee,
    }
    const report = await applyTrack(session, { ...request, ...options })
    ahead.keep(track)
    return unbroken(report)
  })
}

/** Later tracks build on earlier ones, so they are taken back first. */
export async function rollbackTracks(desk: Desk, request: ApplyRequest): Promise<OnTrack<Report>[]> {
  refuseAmbiguousTarget(desk.config, request.target)
  const { rollbackTrack } = await import('../migrations/track.ts')
  const rollback = async (...[session, track]: Parameters<Parameters<typeof onTracks>[1]>) =>
    unbroken(
      await rollbackTrack(session, {
        ...request,
        ...runOptions(desk, track, request.acceptLoss),
        folder: await folderOf(desk.config, track),
      }),
    )
  return onTracks(desk, rollback, 'last first')
}

export async function redoTracks(
  desk: Desk,
  count: number,
  acceptLoss?: ApplyRequest['acceptLoss'],
): Promise<OnTrack<Report>[]> {
  const { redoTrack } = await import('../migrations/track.ts')
  const redo = async (...[session, track]: Parameters<Parameters<typeof onTracks>[1]>) => {
    const folder = await folderOf(desk.config, track)
    return (await redoTrack(session, { ...runOptions(desk, track, acceptLoss), folder, count })).map(unbroken)
  }
  const both = await onTracks(desk, redo, 'last first')
  return both.flatMap(({ track, address, result }) => result.map(report => ({ track, address, result: report })))
}

export async function statusOfTracks(desk: Desk): Promise<OnTrack<TrackStatus>[]> {
  const ahead = await readAhead(desk, desk.config.tracks)
  const { readStatus } = await import('../migrations/status.ts')
  return onTracks(desk, async (session, track) => {
    const status = await readStatus(session, { track: track.name, folder: await ahead.readyFolderOf(track) })
    ahead.keep(track)
    return status
  })
}

/**
 * Folders of these tracks are looked at while their servers are on their way to answer; what is wrong with one is said when it is asked for. Files
 * that are as they were when they were last compared are not read.
 */
async function readAhead({ config }: Desk, tracks: readonly Track[]) {
  const begun = new Map(
    tracks.map(track => {
      const checksums = openChecksums(config.state, track.name)
      return [track.name, { checksums, folder: folderOf(config, track, { checksums }) }]
    }),
  )
  for (const { folder } of begun.values()) folder.catch(() => undefined)
  return {
    readyFolderOf: async (track: Track) => (await begun.get(track.name)?.folder) ?? folderOf(config, track),
    keep: ({ name }: Track) => begun.get(name)?.checksums.keep(),
  }
}

export async function verifyTracks(desk: Desk): Promise<OnTrack<VerifyReport>[]> {
  const { verifyTrack } = await import('../migrations/verify.ts')
  const reports: OnTrack<VerifyReport>[] = []
  for (const track of desk.config.tracks) {
    const place = await scratchAlongPath(desk, track)
    const { engine, url } = place
    const { actor, emit, signal } = desk
    const folder = await folderOf(desk.config, track)
    const result = await verifyTrack({ ...place, track: track.name, folder, actor, emit, signal })
    reports.push({ track: track.name, address: engine.describe(url), result })
  }
  return reports
}

/** The two files that were written, up first; one of a repeatable. */
export async function createMigrationFiles(
  { config }: Desk,
  title: string,
  kind: 'version' | 'repeatable' = 'version',
): Promise<string[]> {
  const { createMigration, createRepeatable } = await import('../migrations/create.ts')
  const [track] = config.tracks
  if (!track) {
    throw new PlinthError('TRACK_UNKNOWN', 'The configuration has no track.', {
      hint: 'Add one under "tracks", or pass --dir.',
    })
  }
  const place = { folder: track.migrations, ...valuesOf(config, track), title }
  if (kind === 'repeatable') return [await createRepeatable(place)]
  const { up, down } = await createMigration(place)
  return up === down ? [up] : [up, down]
}

export function isIdle({ result }: OnTrack<Report>): boolean {
  return result.status === 'nothing-to-do'
}

export function runOptions(desk: Desk, track: Track, acceptLoss?: ApplyRequest['acceptLoss']) {
  const { config, emit, signal, actor, traceId, version } = desk
  const {
    lockWaitSeconds,
    lockTimeoutSeconds,
    statementTimeoutSeconds,
    lockRetries,
    lock,
    leaseSeconds,
    otherHistory,
  } = config.migrations
  return {
    track: track.name,
    actor,
    emit,
    signal,
    traceId,
    toolVersion: version,
    lockWaitMs: lockWaitSeconds * 1000,
    lockTimeoutMs: lockTimeoutSeconds * 1000,
    statementTimeoutMs: statementTimeoutSeconds * 1000,
    lockRetries,
    lock,
    leaseMs: leaseSeconds * 1000,
    otherHistory,
    hooks: hooksOf(config, emit),
    environment: config.environment.name,
    preserve: preserveOf(config, track, acceptLoss),
    beforeLock: refusal(desk, track),
  }
}

/** What a track's runs keep, and what of it may be lost. */
export function preserveOf({ preserve }: Config, track: Track, acceptLoss: ApplyRequest['acceptLoss'] = []) {
  if (track.preserve === false) return 'off' as const
  const { policy, tenantColumn, archiveMegabytesMax } = preserve
  const archiveBytesMax = archiveMegabytesMax === 0 ? null : archiveMegabytesMax * 1024 * 1024
  return { policy, tenantColumn, archiveBytesMax, acceptLoss }
}

/** A report that failed becomes the failure, with what was done among its details. */
function unbroken<T extends Pick<Report, 'error'>>(report: T): T {
  const { error, ...rest } = report
  if (!error) return report
  const { at, hint, sqlState, details } = error
  throw new PlinthError(error.code, error.message, {
    at,
    hint,
    sqlState,
    details: { ...details, report: rest },
    cause: error,
  })
}

/** Versions, steps and runs belong to one track; only `latest` and `0` mean the same on all of them. */
function refuseAmbiguousTarget(config: Config, target: Target | undefined): void {
  if (config.tracks.length < 2 || !target || target.kind === 'latest') return
  if (target.kind === 'version' && /^0+$/.test(target.version)) return
  throw new PlinthError('USAGE', 'There are several tracks, and this target belongs to one of them.', {
    hint: `Add --track ${config.tracks.map(track => track.name).join(' or --track ')}.`,
  })
}
