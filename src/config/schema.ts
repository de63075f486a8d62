/** The shape of `configs/migrate.yaml` and of the files in `configs/environments/`. */
import * as z from 'zod'
import { severities } from '../schema/finding.ts'

const seconds = z.number().positive().max(86_400)

const track = z.strictObject({
  engine: z.string().optional(),
  migrations: z.string().optional(),
  database: z.string().optional(),
  preserve: z.boolean().optional(),
  prelude: z.union([z.string().min(1), z.array(z.string().min(1))]).optional(),
  placeholders: z.record(z.string(), z.string()).optional(),
})

const environment = z.strictObject({
  seedable: z.boolean().optional(),
  protected: z.boolean().optional(),
})

const timeouts = z.strictObject({
  lockWaitSeconds: seconds.optional(),
  lockTimeoutSeconds: seconds.optional(),
  statementTimeoutSeconds: seconds.optional(),
  lockRetries: z.number().int().min(0).max(100).optional(),
  lock: z.enum(['auto', 'session', 'lease']).optional(),
  leaseSeconds: seconds.optional(),
  otherHistory: z.enum(['refuse', 'ignore']).optional(),
})

const preserve = z.strictObject({
  policy: z.enum(['keep', 'default', 'fail']).optional(),
  tenantColumn: z.string().min(1).optional(),
  archiveMegabytesMax: z.number().positive().optional(),
  retentionDays: z.number().min(0).optional(),
})

const hookCommand = z.union([z.string().min(1), z.array(z.string()).min(1)])

const hookEntry = z
  .strictObject({
    command: hookCommand.optional(),
    module: z.string().min(1).optional(),
    timeoutSeconds: seconds.optional(),
    environment: z.array(z.string().min(1)).optional(),
  })
  .refine(one => (one.command === undefined) !== (one.module === undefined), {
    message: 'a hook has either a command or a module',
  })

const hook = z.union([hookCommand, hookEntry, z.array(hookEntry).min(1)])

const hooks = z.strictObject({
  'before-run': hook.optional(),
  'after-run': hook.optional(),
  'before-step': hook.optional(),
  'after-step': hook.optional(),
  'on-failure': hook.optional(),
})

const fleetEntry = z
  .strictObject({
    name: z.string().min(1),
    url: z.string().min(1).optional(),
    database: z.string().min(1).optional(),
    schema: z.string().min(1).optional(),
    environment: z.string().min(1).optional(),
  })
  .refine(one => [one.url, one.database, one.environment].filter(value => value !== undefined).length <= 1, {
    message: 'url, database and environment exclude each other',
  })

const fleet = z.strictObject({
  track: z.string().optional(),
  canary: z.string().optional(),
  parallelism: z.number().int().min(1).max(256).optional(),
  databases: z.array(fleetEntry).optional(),
  query: z.strictObject({ database: z.string().optional(), sql: z.string().min(1) }).optional(),
})

const name = z.string().min(1)

const pattern = z.string().refine(isPattern, { message: 'this is not a regular expression' })

/** `{table}` and `{columns}` stand for names, so they must not end a pattern where a bracket would be read as a count. */
function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text.replace(/\{(?:table|columns)\}/g, 'x'), 'u'))
  } catch {
    return false
  }
}

const lint = z.strictObject({
  rehearsal: z.enum(['required', 'preferred', 'off']).optional(),
  apply: z.enum(['refuse', 'report', 'off']).optional(),
  warningsMax: z.number().int().min(0).optional(),
  rules: z.record(z.string(), z.enum(severities)).optional(),
  ignore: z.array(name).optional(),
  baseline: name.optional(),
  smallTableRows: z.number().int().min(0).optional(),
  resident: z.enum(['auto', 'on', 'off']).optional(),
  postgresVersion: z.number().int().min(9).max(99).optional(),
  tenantColumn: name.nullable().optional(),
  tenantTable: name.nullable().optional(),
  sharedTables: z.record(z.string(), name).optional(),
  publishedSchemas: z.array(name).optional(),
  naming: z
    .strictObject({
      index: pattern.optional(),
      unique: pattern.optional(),
      primaryKey: pattern.optional(),
      foreignKey: pattern.optional(),
      check: pattern.optional(),
      table: pattern.optional(),
      column: pattern.optional(),
      file: pattern.optional(),
    })
    .optional(),
  extensions: z.array(name).nullable().optional(),
  partitionsAheadMin: z.number().int().min(0).max(10_000).optional(),
  runnerSetsTimeouts: z.boolean().optional(),
})

const minutes = z.number().positive().max(10_080)

const rollups = z.strictObject({
  sealAfterDays: z.number().int().min(0).max(36_500).optional(),
  proveEveryDays: z.number().positive().max(3650).optional(),
  runMinutes: minutes.optional(),
  maintainMinutes: minutes.optional(),
  proveMinutes: minutes.optional(),
  backfillRowsPerSecond: z.number().int().min(0).optional(),
  backfillLoadMax: z.number().int().min(0).optional(),
})

export const configShape = z.strictObject({
  version: z.literal(1),
  project: z.string().min(1).optional(),
  environment: z.string().optional(),
  environments: z.record(z.string(), environment.nullable()).optional(),
  state: z.string().optional(),
  tracks: z.record(z.string(), track).optional(),
  migrations: timeouts.optional(),
  preserve: preserve.optional(),
  seeds: z.string().optional(),
  analytics: z.string().optional(),
  classification: z.string().optional(),
  docs: z.string().optional(),
  fleet: fleet.optional(),
  rehearseOn: z.string().min(1).optional(),
  hooks: hooks.optional(),
  lint: lint.optional(),
  rollups: rollups.optional(),
})

/** A file of one environment may override everything but the list of environments. */
export const overlayShape = configShape.omit({ version: true, environment: true, environments: true }).extend({
  seedable: z.boolean().optional(),
  protected: z.boolean().optional(),
})

export type ConfigFile = z.infer<typeof configShape>
export type OverlayFile = z.infer<typeof overlayShape>
export type HookEntry = z.infer<typeof hookEntry>
export type LintFile = z.infer<typeof lint>
export type HooksFile = z.infer<typeof hooks>
export type FleetFile = z.infer<typeof fleet>
