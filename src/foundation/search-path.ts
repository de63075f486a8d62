/**
 * Unqualified names of migrations live where the search path of their database says: role, database or URL may have one. Scratch databases are
 * entered with the same path, and have those of its schemas that were there before the first migration.
 */
import { engineNamed } from '../engines/registry.ts'
import { withSession } from '../engines/brackets.ts'
import type { SearchPath } from '../engines/postgres/search-path.ts'
import type { Track } from '../config/load.ts'
import type { ScriptToRehearse } from '../migrations/rehearse/script.ts'
import { quotedName } from '../sql/tree.ts'
import { type Desk, databaseOf, embeddedUrl, scratchPlaceOf } from './desk.ts'
import { folderOf } from './folder.ts'

/** Null for the usual one, and where no database answers: then nobody knows better. It is asked once a process. */
export async function searchPathOf(desk: Desk, track: Track | null): Promise<SearchPath | null> {
  if (!track || track.database === null || !(await engineNamed(track.engine)).can.postgresSyntax) return null
  const known = paths.get(desk) ?? new Map<string, Promise<SearchPath | null>>()
  paths.set(desk, known)
  const path = known.get(track.name) ?? ask(desk, track).catch(() => null)
  known.set(track.name, path)
  return path
}

/** As `searchPathOf`, for who asks about texts: a database that says nothing is not waited for, and the path is the usual one then. */
export async function searchPathAtHand(desk: Desk, track: Track | null): Promise<SearchPath | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>(resolve => {
    timer = setTimeout(resolve, patienceMs, null)
  })
  return Promise.race([searchPathOf(desk, track), late]).finally(() => clearTimeout(timer))
}

const patienceMs = 1000

/** A place for scratch databases, with the path of the track's own. */
export async function alongPath<P extends { readonly url: string }>(
  place: P,
  path: SearchPath | null,
): Promise<P & { readonly pathSchemas?: readonly string[] }> {
  if (path === null) return place
  const { withSearchPath } = await import('../engines/postgres/search-path.ts')
  return { ...place, url: withSearchPath(place.url, path), pathSchemas: path.schemas }
}

/** Where scratch databases of a track are made, with its path: where a pooler lets nobody enter with one, on the embedded server. */
export async function scratchAlongPath(desk: Desk, track: Track) {
  const path = await searchPathOf(desk, track)
  const place = await scratchPlaceOf(desk, track)
  if (!path?.pooled || place.missingRoles === 'make') return alongPath(place, path)
  return alongPath({ ...place, url: await embeddedUrl(desk), missingRoles: 'make' as const }, path)
}

/** How a history begins on a database with that path. */
export function pathScripts(path: SearchPath | null): ScriptToRehearse[] {
  if (path === null) return []
  const made = path.schemas.map(name => `;\ncreate schema if not exists ${quotedName([name])}`)
  const text = `set search_path to ${path.setting}${made.join('')};\n`
  return [{ version: 'search path', direction: 'up', file: null, text }]
}

const paths = new WeakMap<Desk, Map<string, Promise<SearchPath | null>>>()

async function ask(desk: Desk, track: Track): Promise<SearchPath | null> {
  const { engine, url } = await databaseOf(desk, track)
  const { readSearchPath } = await import('../engines/postgres/search-path.ts')
  const path = await withSession(engine, url, { applicationName: desk.application }, readSearchPath)
  if (path === null) return null
  const made = await madeByMigrations(desk, track)
  return { ...path, schemas: path.schemas.filter(name => name !== 'public' && !made.has(name)) }
}

/** A file that makes its schema wants to find none. */
async function madeByMigrations({ config }: Desk, track: Track): Promise<ReadonlySet<string>> {
  const { migrations } = await folderOf(config, track)
  const makes = /\bcreate\s+schema\s+(?:authorization\s+)?("(?:[^"]|"")+"|[^\s";]+)/gi
  const names = migrations.flatMap(({ up }) => [...up.text.matchAll(makes)].map(([, name = '']) => name))
  return new Set(
    names.map(name => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase())),
  )
}
