/** Other sessions' statements in a few words without literals: they belong to others, who did not ask to be quoted. */
import { summarize } from '../../sql/describe.ts'

export type Summary = (query: string) => string

/** The parser is what keeps literals out, so without it, or where the server cut the text, only the first word is told. */
export async function createSummary(): Promise<Summary> {
  const parser = await loadParser().catch(() => null)
  return query => {
    try {
      const summaries = (parser?.(query).stmts ?? []).map(({ stmt }) => summarize(stmt)).filter(Boolean)
      if (summaries.length > 0) return summaries.slice(0, 3).join('; ') + (summaries.length > 3 ? '; …' : '')
    } catch {
      // A text that was cut, or that is not SQL: what follows will do.
    }
    return /^\s*([a-z]{2,20})\b/i.exec(query)?.[1]?.toLowerCase() ?? 'a statement'
  }
}

async function loadParser() {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  return parseSync
}
