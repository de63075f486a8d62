/** Which servers Plinth works on: said here once, for what refuses, what warns and what the documents say. */
import { PlinthError } from '../../errors.ts'

/** Major versions. All between them are tried by `npm run test:peers`. */
export const supported = { oldest: 13, newest: 18 } as const

/** Throws SERVER_UNSUPPORTED for a server that lacks what Plinth rests on. */
export function refuseOlder(version: number, address: string): void {
  if (version >= supported.oldest) return
  throw new PlinthError('SERVER_UNSUPPORTED', `${address} is PostgreSQL ${version || 'of an unknown version'}.`, {
    at: { object: address },
    hint: `Plinth works with PostgreSQL ${supported.oldest} and newer. Upgrade the server, or name another one in the database URL.`,
    details: { serverVersion: version, oldest: supported.oldest },
  })
}

/** What is to be said of a server that is newer than any that was tried; null where it was. */
export function untried(version: number): string | null {
  if (version <= supported.newest) return null
  return `The server is PostgreSQL ${version}; this release of Plinth was tried on ${supported.oldest} to ${supported.newest}.`
}
