/** The parts of a statement-wise file: what can be one transaction is, and the cursor moves inside it. */
import type { Script, Statement } from '../sql/parse.ts'

export interface Segment {
  /**
   * `single`: one statement in a transaction of ours. `block`: the file's own transaction. `bare`: what the database refuses in a transaction.
   * `nothing`: a commit or rollback without a begin, and a begin with nothing behind it.
   */
  readonly kind: 'single' | 'block' | 'bare' | 'nothing'
  /** Of a block without its begin and its end. */
  readonly statements: readonly Statement[]
  /** How a block begins, with the options that the file gave it. */
  readonly begin: Statement | null
  /** Null where the end of the file ends it. */
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
  if (open) {
    const { begin, statements } = open
    const next = (statements.at(-1) ?? begin).index + 1
    if (statements.length > 0) segments.push({ kind: 'block', begin, statements, end: null, next })
    else segments.push({ kind: 'nothing', begin: null, statements: [begin], end: null, next })
  }
  return segments
}
