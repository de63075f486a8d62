/** The parts of a statement-wise file: what can be one transaction is, and the cursor moves inside it. */
import type { Script, Statement } from '../sql/parse.ts'

export interface Segment {
  /**
   * `single`: one statement in a transaction of ours. `block`: the file's own transaction. `bare`: what the database refuses in a transaction.
   * `nothing`: a commit or rollback without a begin.
   */
  readonly kind: 'single' | 'block' | 'bare' | 'nothing'
  /** Of a block without its begin and its end. */
  readonly statements: readonly Statement[]
  /** How a block begins, with the options that the file gave it. */
  readonly begin: Statement | null
  readonly end: Statement | null
  /** The cursor behind it. */
  readonly next: number
}

export function segmentsOf(script: Script): Segment[] {
  const segments: Segment[] = []
  let open: { begin: Statement; statements: Statement[] } | null = null
  for (const statement of script.statements) {
    const next = statement.index + 1
    const ends = statement.control === 'commit' || statement.control === 'rollback'
    if (open && ends) {
      segments.push({ kind: 'block', begin: open.begin, statements: open.statements, end: statement, next })
      open = null
    } else if (open) {
      open.statements.push(statement)
    } else if (statement.control === 'begin') {
      open = { begin: statement, statements: [] }
    } else {
      const kind = ends ? 'nothing' : statement.bare ? 'bare' : 'single'
      segments.push({ kind, begin: null, statements: [statement], end: null, next })
    }
  }
  return segments
}
