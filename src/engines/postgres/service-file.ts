/** libpq's `pg_service.conf`: connection parameters under a name, so that neither a URL nor a script has to hold them. */
import { readFileSync } from 'node:fs'

export type Service = Readonly<Record<string, string>>

/** The user's own file comes before that of the machine; null where neither has the service. */
export function readService(name: string, environment: NodeJS.ProcessEnv): Service | null {
  const { PGSERVICEFILE, PGSYSCONFDIR, HOME } = environment
  const own = PGSERVICEFILE || (HOME ? `${HOME}/.pg_service.conf` : undefined)
  for (const file of [own, `${PGSYSCONFDIR || '/etc/postgresql-common'}/pg_service.conf`]) {
    const found = file === undefined ? null : sectionOf(readQuietly(file), name)
    if (found) return found
  }
  return null
}

/** Empty for a file that is not there or may not be read. */
export function readQuietly(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function sectionOf(text: string, name: string): Service | null {
  const entries: [string, string][] = []
  let inside = false
  let isThere = false
  for (const line of text.split(/\r?\n/).map(one => one.trim())) {
    if (line === '' || line.startsWith('#')) continue
    if (line.startsWith('[')) inside = line === `[${name}]`
    isThere ||= inside
    const [, key, value] = /^([^[=\s]+)\s*=\s*(.*)$/.exec(line) ?? []
    if (inside && key !== undefined && value !== undefined) entries.push([key, value])
  }
  return isThere ? Object.fromEntries(entries) : null
}
