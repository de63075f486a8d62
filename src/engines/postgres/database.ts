/** The database of a project on a server that is its own. */
import { PlinthError } from '../../errors.ts'
import type { Engine } from '../engine.ts'
import { withSession } from '../brackets.ts'
import { withDatabase } from './url.ts'

/** Makes the database when the server does not have it; two that ask at once get the same. Answers its URL. */
export async function ensureDatabase(engine: Engine, serverUrl: string, name: string): Promise<string> {
  const url = withDatabase(serverUrl, name)
  try {
    await withSession(engine, url, { applicationName: 'plinth' }, async () => undefined)
  } catch (error) {
    if (!(error instanceof PlinthError) || error.code !== 'DATABASE_UNKNOWN') throw error
    await engine.createScratch(serverUrl, name).catch((refused: unknown) => {
      if (!(refused instanceof PlinthError) || !alreadyThere.has(refused.sqlState ?? '')) throw refused
    })
  }
  return url
}

/** Duplicate database, and the unique violation that a racing creation gives instead. */
const alreadyThere = new Set(['42P04', '23505'])
