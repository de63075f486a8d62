import { qualified } from '../../schema/model.ts'
import { targetOf } from '../alter.ts'
import { insertAfter } from '../rewrite.ts'
import type { StatementRule } from '../rule.ts'
import { inUse } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-refresh-nonconcurrent',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['RefreshMatViewStmt'],
  title: 'A materialized view is refreshed while nobody can read it',
  why: `\`refresh materialized view\` holds \`ACCESS EXCLUSIVE\` for as long as its query takes. The concurrent refresh lets readers go on, and
needs a unique index over plain columns and a view that was filled before.`,
  instead: 'Write `refresh materialized view concurrently`, which needs a unique index on the view.',
  examples: {
    bad: [
      {
        title: 'of a view in use',
        before: 'create table sales (day date);\ncreate materialized view days as select day from sales;',
        up: 'refresh materialized view days;',
      },
    ],
    good: [
      {
        title: 'concurrently',
        before:
          'create table sales (day date);\ncreate materialized view days as select distinct day from sales;\ncreate unique index days_day on days (day);',
        up: 'refresh materialized view concurrently days;',
      },
      {
        title: 'made in the same file',
        before: 'create table sales (day date);',
        up: 'create materialized view days as select day from sales with no data;\nrefresh materialized view days;',
      },
    ],
  },
  *check(view) {
    if (view.fields['concurrent'] === true || view.fields['skipData'] === true) return
    const target = inUse(view, targetOf(view))
    if (target === null) return
    const known = view.file.before?.views.some(one => one.materialized && qualified(one) === target)
    const edit = insertAfter(view, /refresh\s+materialized\s+view/i, ' concurrently')
    yield {
      message: `Nobody can read ${target} until its query is done.`,
      object: target,
      ...(edit && known && hasUniqueIndex(view, target)
        ? { fix: { title: 'Refresh it concurrently', edits: [edit] } }
        : {}),
    }
  },
}

/** Indexes of materialized views are not in the catalog model, so that only what the file itself makes is known. */
function hasUniqueIndex({ file, statement }: Parameters<StatementRule['check']>[0], target: string): boolean {
  return file.statements.some(
    earlier =>
      earlier.statement.index < statement.index &&
      earlier.statement.kind === 'IndexStmt' &&
      earlier.fields['unique'] === true &&
      earlier.fields['whereClause'] === undefined &&
      target.endsWith(targetOf(earlier)),
  )
}
