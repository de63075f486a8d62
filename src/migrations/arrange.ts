/** How a file runs, once its directives had their say: the parser decides, unless the file wants its statements one by one. */
import { PlinthError } from '../errors.ts'
import type { Script, Statement } from '../sql/parse.ts'
import { describeUnbatchable, isBatchable } from './backfill/shape.ts'
import type { Directives } from './directives.ts'

/** Pure. Throws DIRECTIVE_INVALID and BACKFILL_UNSUPPORTED where a directive contradicts the file. */
export function arrangeAsDirected(script: Script, directives: Directives, file: string): Script {
  const { transaction } = directives
  // The size may be meant for the values that come back alone.
  const isForRestore = directives.restore === 'batches' && !script.statements.some(isBatchable)
  const batch = isForRestore ? null : directives.batch
  if (transaction === 'auto' && batch === null) return script
  if (script.wrapped || script.statements.some(statement => statement.control !== null)) {
    // Another tool's mark only keeps that tool from opening a transaction around the file's own.
    if (directives.laidOut && batch === null) return script
    throw new PlinthError('DIRECTIVE_INVALID', 'The file has a transaction of its own, and asks to run without one.', {
      at: { file, line: 1, source: script.text },
      hint: 'Take away its begin and commit, or the directive.',
    })
  }
  if (batch !== null) refuseUnbatchable(script, file)
  return {
    ...script,
    mode: 'statement-wise',
    reason: script.reason ?? (batch === null ? `transaction=${transaction}` : `batches of ${batch} rows`),
    statements:
      transaction === 'none'
        ? script.statements.map(statement => ({ ...statement, bare: statement.bare || mayCommit(statement) }))
        : script.statements,
  }
}

/** A procedure or a block may end the transaction it runs in, unless somebody else opened that. */
function mayCommit({ kind, text }: Statement): boolean {
  return kind === 'CallStmt' || kind === 'DoStmt' || /^call\b/i.test(text)
}

function refuseUnbatchable(script: Script, file: string): void {
  for (const statement of script.statements) {
    const reason = describeUnbatchable(statement)
    if (reason === null) continue
    throw new PlinthError('BACKFILL_UNSUPPORTED', `"${statement.summary}" cannot run in batches: ${reason}.`, {
      at: { file, line: statement.line, column: statement.column, source: script.text },
      hint: 'Write it in another form, or move it to a migration without "batch".',
    })
  }
  if (script.statements.some(isBatchable)) return
  throw new PlinthError('DIRECTIVE_INVALID', 'The file asks for batches, and has no statement to cut into them.', {
    at: { file, line: 1, source: script.text },
    hint: 'An update, a delete or an insert from a select runs in batches.',
  })
}
