/** A real PostgreSQL from npm, kept under the project. */
import { PlinthError } from '../../errors.ts'
import type { Emit } from '../../telemetry/event.ts'

export interface EmbeddedOptions {
  /** Folder that keeps the server's data, password and log, such as `.plinth/postgres`. Made when missing. */
  readonly folder: string
  /** A port that must be used; without it a stable one is chosen and remembered. */
  readonly port?: number
  /** False trades safety at power loss for speed: for tests. Default true. */
  readonly durable?: boolean
  readonly emit?: Emit
}

export interface EmbeddedServer {
  /** With the password: never print it, print `address`. */
  readonly url: string
  readonly address: string
  /** The data folder was made by this call. */
  readonly fresh: boolean
  readonly alreadyRunning: boolean
  readonly pid: number
  readonly dataFolder: string
}

/** Starts the server of the folder, or finds it running. It outlives this process. */
export async function startEmbedded(_options: EmbeddedOptions): Promise<EmbeddedServer> {
  throw new PlinthError('SERVER_MISSING', 'The embedded server is not built yet.', { hint: 'Set DATABASE_URL.' })
}

/** Stops the server of the folder; false when none ran. */
export async function stopEmbedded(_options: { readonly folder: string; readonly emit?: Emit }): Promise<boolean> {
  return false
}
