/**
 * Plinth as a library. The command line calls the same functions.
 *
 *     import { applyTrack, engineOf, withSession } from 'plinth'
 *     const url = 'postgres://me@localhost/mydb'
 *     const report = await withSession(await engineOf(url), url, {}, session =>
 *       applyTrack(session, { track: 'operational', folder: './migrations', actor: 'deploy' }))
 */
export { withLock, withSession, withTransaction } from './engines/brackets.ts'
export type { Capabilities, Engine, OpenOptions, Result, Row, Scratch, Session, Value } from './engines/engine.ts'
export { engineNamed, engineOf } from './engines/registry.ts'
export { type Code, codes, type Place, PlinthError } from './errors.ts'
export { type Foundation, type FoundationOptions, openFoundation } from './foundation.ts'
export {
  ensureLocalKeys,
  fileKeys,
  findKeys,
  type KeyProvider,
  localKeyFile,
  memoryKeys,
} from './governance/key-provider.ts'
export { type Keyring, openKeyring } from './governance/keyring.ts'
export { createMigration } from './migrations/create.ts'
export { loadMigrations } from './migrations/load.ts'
export type { Migration, MigrationFolder } from './migrations/migration.ts'
export type { Plan, Step } from './migrations/plan.ts'
export type { Report } from './migrations/run.ts'
export type { StepReport } from './migrations/run-step.ts'
export type { Target } from './migrations/select.ts'
export { readStatus, type TrackStatus } from './migrations/status.ts'
export { applyTrack, planTrack, redoTrack, rollbackTrack, type TrackOptions } from './migrations/track.ts'
export { type VerifyReport, verifyTrack } from './migrations/verify.ts'
export { type Difference, diffSchemas } from './schema/diff.ts'
export type * from './schema/model.ts'
export { createEmitter, type Emit, type Event, type Fact, type Sink } from './telemetry/event.ts'
