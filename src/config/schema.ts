/** The shape of `configs/migrate.yaml` and of the files in `configs/environments/`. */
import { z } from 'zod'

const seconds = z.number().positive().max(86_400)

const track = z.strictObject({
  engine: z.string().optional(),
  migrations: z.string().optional(),
  database: z.string().optional(),
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
})

export const configShape = z.strictObject({
  version: z.literal(1),
  project: z.string().min(1).optional(),
  environment: z.string().optional(),
  environments: z.record(z.string(), environment.nullable()).optional(),
  state: z.string().optional(),
  tracks: z.record(z.string(), track).optional(),
  migrations: timeouts.optional(),
  seeds: z.string().optional(),
  analytics: z.string().optional(),
  classification: z.string().optional(),
  docs: z.string().optional(),
})

/** A file of one environment may override everything but the list of environments. */
export const overlayShape = configShape.omit({ version: true, environment: true, environments: true }).extend({
  seedable: z.boolean().optional(),
  protected: z.boolean().optional(),
})

export type ConfigFile = z.infer<typeof configShape>
export type OverlayFile = z.infer<typeof overlayShape>
