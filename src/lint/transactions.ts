/** Which statements of a file share a transaction, and so hold their locks until its end. */
import { once } from './once.ts'
import type { FileView, StatementView } from './rule.ts'

/** The statements before this one in its transaction, in order; empty for one that stands alone. */
export function earlierInTransaction(view: StatementView): readonly StatementView[] {
  return view.file.statements.slice(0, view.statement.index).filter(other => shareTransaction(other, view))
}

/** Both statements, of one file, are committed together. */
export function shareTransaction({ file, statement }: StatementView, other: StatementView): boolean {
  const numbers = transactionsOf(file)
  const own = numbers[statement.index]
  return own !== undefined && own !== null && own === numbers[other.statement.index]
}

/** The file's statements of one kind, in order; a file may be a dump with thousands of others. */
export function statementsOf(file: FileView, kind: string): readonly StatementView[] {
  return byKind(file).get(kind) ?? []
}

const byKind = once((file: FileView): ReadonlyMap<string, readonly StatementView[]> => {
  const known = new Map<string, StatementView[]>()
  for (const view of file.statements) {
    const list = known.get(view.statement.kind)
    if (list) list.push(view)
    else known.set(view.statement.kind, [view])
  }
  return known
})

/** The file opens a transaction of its own around the statement. */
export function isInOwnBlock({ file, statement }: StatementView): boolean {
  const before = file.script.statements.slice(0, statement.index)
  return before.findLast(({ control }) => control !== null)?.control === 'begin'
}

/** The whole file is one transaction. */
export function isOneTransaction(file: FileView): boolean {
  return file.script.mode === 'transactional' && !asksForStatements(file)
}

/** The number of each statement's transaction; null for what opens, closes or runs outside one. */
const transactionsOf = once((file: FileView): readonly (number | null)[] => {
  const together = isOneTransaction(file)
  let open = false
  let current = 0
  return file.script.statements.map(({ control, bare }) => {
    if (control !== null) {
      open = control === 'begin'
      current++
      return null
    }
    if (bare) return null
    return together || open ? current : ++current
  })
})

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
