/** Engines by name and by URL scheme. An engine's code loads when it is first asked for. */
import { nearest, PlinthError } from '../errors.ts'
import type { Engine } from './engine.ts'

const engines: Readonly<Record<string, { readonly schemes: readonly string[]; readonly load: () => Promise<Engine> }>> =
  {
    postgres: { schemes: ['postgres', 'postgresql'], load: async () => (await import('./postgres/index.ts')).postgres },
    bigquery: { schemes: ['bigquery'], load: async () => (await import('./bigquery/index.ts')).bigquery },
    duckdb: { schemes: ['duckdb'], load: async () => (await import('./duckdb/index.ts')).duckdb },
  }

/** The engine of that name. Throws ENGINE_UNKNOWN. */
export async function engineNamed(name: string): Promise<Engine> {
  const entry = engines[name]
  if (entry) return entry.load()
  const guess = nearest(name, Object.keys(engines))
  throw new PlinthError('ENGINE_UNKNOWN', `There is no engine "${name}".`, {
    hint: guess ? `Did you mean "${guess}"?` : `Known engines: ${Object.keys(engines).join(', ')}.`,
  })
}

/** The engine that opens this URL. Throws DATABASE_URL_INVALID. */
export async function engineOf(url: string): Promise<Engine> {
  const scheme = /^([a-z][a-z0-9+]*):/i.exec(url)?.[1]?.toLowerCase()
  const entry = Object.values(engines).find(candidate => scheme !== undefined && candidate.schemes.includes(scheme))
  if (entry) return entry.load()
  throw new PlinthError(
    'DATABASE_URL_INVALID',
    scheme ? `No engine opens a "${scheme}:" URL.` : 'The database URL has no scheme.',
    {
      hint: 'Write postgres://user@host:5432/database, duckdb:path/to/file.duckdb or bigquery://project/dataset?location=EU.',
    },
  )
}
