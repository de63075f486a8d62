/** Which statements of a file share a transaction, and so hold their locks until its end. */
import type { FileView, StatementView } from './rule.ts'

/** The statements before this one in its transaction, in order; empty for one that stands alone. */
export function earlierInTransaction({ file, statement }: StatementView): readonly StatementView[] {
  const numbers = transactionsOf(file)
  const own = numbers[statement.index]
  return own === undefined || own === null
    ? []
    : file.statements.filter(other => other.statement.index < statement.index && numbers[other.statement.index] === own)
}

/** The file opens a transaction of its own around the statement. */
export function isInOwnBlock({ file, statement }: StatementView): boolean {
  const before = file.script.statements.slice(0, statement.index)
  return before.findLast(({ control }) => control !== null)?.control === 'begin'
}

/** The whole file is one transaction. */
export function isOneTransaction(file: FileView): boolean {
  return file.script.mode === 'transactional' && !asksForStatements(file)
}

const known = new WeakMap<FileView, readonly (number | null)[]>()

/** The number of each statement's transaction; null for what opens, closes or runs outside one. */
function transactionsOf(file: FileView): readonly (number | null)[] {
  const cached = known.get(file)
  if (cached) return cached
  const together = isOneTransaction(file)
  let open = false
  let current = 0
  const numbers = file.script.statements.map(({ control, bare }) => {
    if (control !== null) {
      open = control === 'begin'
      current++
      return null
    }
    if (bare) return null
    return together || open ? current : ++current
  })
  known.set(file, numbers)
  return numbers
}

/** The head of the file wishes a transaction for each statement, or batches, which are transactions of their own. */
function asksForStatements({ script }: FileView): boolean {
  const first = script.statements[0]
  const head = first ? script.text.slice(0, first.start + leadOf(first.text)) : script.text
  return /^\s*--\s*plinth:.*\b(transaction=(statement|none)|batch=\d)/m.test(head)
}

/** How much white space and comment stands before a statement's first word. */
export function leadOf(text: string): number {
  return /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0].length ?? 0
}
