/** What the schedule of rollups asks for. */
import type { ConfigFile, OverlayFile } from './schema.ts'

export interface RollupSetting {
  /** Hours are sealed so many days after they ended. */
  readonly sealAfterDays: number
  /** Each day is proved once in so many days. */
  readonly proveEveryDays: number
  /** How often the warehouse is brought up to date. */
  readonly runMinutes: number
  /** How often partitions are made and retired, and hours sealed. */
  readonly maintainMinutes: number
  /** How often checks run and days are proved. */
  readonly proveMinutes: number
  /** Rows in a second that a backfill reads at most; 0 for no limit. */
  readonly backfillRowsPerSecond: number
  /** Sessions at work on the source beside it, above which a backfill waits; 0 for no limit. */
  readonly backfillLoadMax: number
}

export const rollupDefaults: RollupSetting = {
  sealAfterDays: 35,
  proveEveryDays: 7,
  runMinutes: 60,
  maintainMinutes: 60,
  proveMinutes: 60,
  backfillRowsPerSecond: 20_000,
  backfillLoadMax: 20,
}

/** The first of the layers that says a value; a file of the environment comes before the project's. */
export function readRollups(base: ConfigFile['rollups'], overlay: OverlayFile['rollups']): RollupSetting {
  return { ...rollupDefaults, ...given(base), ...given(overlay) }
}

export function rollupOrigins(
  base: ConfigFile['rollups'],
  overlay: OverlayFile['rollups'],
): [string, 'default' | 'file' | 'environment file'][] {
  return (Object.keys(rollupDefaults) as (keyof RollupSetting)[]).map(key => [
    `rollups.${key}`,
    overlay?.[key] !== undefined ? 'environment file' : base?.[key] !== undefined ? 'file' : 'default',
  ])
}

function given(part: ConfigFile['rollups']): Partial<RollupSetting> {
  return Object.fromEntries(Object.entries(part ?? {}).filter(([, value]) => value !== undefined))
}
