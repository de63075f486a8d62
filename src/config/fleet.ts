/** The fleet of the configuration: databases that one folder of migrations is applied to, listed or asked for by a query. */
import type { FleetFile } from './schema.ts'

export interface FleetSetting {
  /** Null means the first track. */
  readonly track: string | null
  /** Name of the database that goes first; null means the first one. */
  readonly canary: string | null
  readonly parallelism: number
  readonly databases: readonly FleetEntry[]
  readonly query: FleetQuery | null
}

export interface FleetEntry {
  readonly name: string
  /** As written, before `${NAME}` is expanded. */
  readonly url: string | null
  /** Another database of the same server. */
  readonly database: string | null
  /** The folder's unqualified names live there. */
  readonly schema: string | null
  /** The track's database as that environment has it. */
  readonly environment: string | null
}

export interface FleetQuery {
  /** As written; null means the track's own database. */
  readonly database: string | null
  readonly sql: string
}

/** An environment's fleet stands in for that of the file. Null when neither has one. */
export function readFleet(file: FleetFile | undefined, overlay: FleetFile | undefined): FleetSetting | null {
  const written = overlay ?? file
  if (!written) return null
  const { track = null, canary = null, parallelism = 4, databases = [], query } = written
  return {
    track,
    canary,
    parallelism,
    databases: databases.map(({ name, url = null, database = null, schema = null, environment = null }) => ({
      name,
      url,
      database,
      schema,
      environment,
    })),
    query: query ? { database: query.database ?? null, sql: query.sql } : null,
  }
}
