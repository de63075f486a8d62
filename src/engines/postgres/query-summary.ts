/** Other sessions' statements in a few words without literals: they belong to others, who did not ask to be quoted. */
import { openParser } from '../../sql/parse.ts'

export type Summary = (query: string) => string

/** The parser is what keeps literals out, so without it, or where the server cut the text, only the first word is told. */
export async function createSummary(): Promise<Summary> {
  const parse = await openParser('postgres').catch(() => null)
  return query => {
    try {
      const statements = parse?.(query).statements ?? []
      const summaries = statements.map(statement => statement.summary).filter(Boolean)
      if (summaries.length > 0) return summaries.slice(0, 3).join('; ') + (summaries.length > 3 ? '; …' : '')
    } catch {
      // A text that was cut, or that is not SQL: what follows will do.
    }
    return /^\s*([a-z]{2,20})\b/i.exec(query)?.[1]?.toLowerCase() ?? 'a statement'
  }
}
