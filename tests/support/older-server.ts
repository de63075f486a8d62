/** An older PostgreSQL, the one that Debian brings: of the tests' own and gone when they end. `apt-get install postgresql`. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type OwnServer, startServer } from './postgres-server.ts'

/** Its folder of programs, `pg_dump` among them; undefined where there is none. */
export const olderPrograms = ['15', '16', '17']
  .map(version => `/usr/lib/postgresql/${version}/bin`)
  .find(folder => existsSync(join(folder, 'postgres')))

/** Null when it is installed, else why what needs it is skipped. */
export const withoutOlderServer: string | null = olderPrograms ? null : 'no older PostgreSQL is installed'

if (withoutOlderServer && process.env['PLINTH_PEERS'] === 'required') throw new Error(withoutOlderServer)

/** Its URL, and what ends it. */
export function startOlderServer(): Promise<OwnServer> {
  return startServer({ programs: olderPrograms ?? '' })
}
