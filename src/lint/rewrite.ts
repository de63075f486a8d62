/** Edits of statements that rules share. An edit is only made of names that need no quotes. */
import type { Edit } from '../schema/finding.ts'
import type { Script, Statement } from '../sql/parse.ts'
import type { StatementView } from './rule.ts'
import { leadOf } from './transactions.ts'

/** Puts a word behind the statement's first words; null where something stands between them. */
export function insertAfter({ statement }: Pick<StatementView, 'statement'>, words: RegExp, text: string): Edit | null {
  const lead = leadOf(statement.text)
  const match = words.exec(statement.text.slice(lead))
  if (match?.index !== 0) return null
  const at = statement.start + lead + match[0].length
  return { start: at, end: at, text }
}

/** Puts words behind the statement's last one. */
export function append({ statement }: Pick<StatementView, 'statement'>, text: string): Edit | null {
  // A comment at the end would swallow them.
  if (/--[^\n]*$/.test(statement.text.trimEnd())) return null
  const at = statement.start + statement.text.trimEnd().length
  return { start: at, end: at, text }
}

/** Puts a statement behind this one and what is said of it on its line, on lines of its own. */
export function statementBehind({ text }: Script, { end }: Statement, statement: string): Edit {
  const semicolon = /^\s*;(?:[ \t]*--[^\n]*)?/.exec(text.slice(end))
  const at = end + (semicolon?.[0].length ?? 0)
  return { start: at, end: at, text: `${semicolon ? '' : ';'}\n\n${statement};` }
}

export function needsNoQuotes(...names: readonly string[]): boolean {
  return names.every(name => /^[a-z_][a-z0-9_]*$/.test(name))
}
