import { rootOf } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { dropsSeen, isOpaque, locksSeen, opaqueKinds, sized } from '../use.ts'
import { rule as renamedColumn } from './compat-rename-column.ts'
import { rule as renamedTable } from './compat-rename-table.ts'
import { rule as rowSecurity } from './data-disable-row-security.ts'
import { rule as droppedColumn } from './data-drop-column.ts'
import { rule as droppedPolicy } from './data-drop-policy.ts'
import { rule as truncated } from './data-truncate.ts'

const specific = [renamedColumn, renamedTable, rowSecurity, droppedColumn, droppedPolicy, truncated]

export const rule: StatementRule = {
  name: 'lock-hidden',
  category: 'locks',
  severity: 'notice',
  shape: 'statement',
  needs: 'rehearsal',
  lastResort: true,
  kinds: opaqueKinds,
  title: 'Code of a block or a function locks a table against everybody',
  why: `What a \`do\` block, a function or a procedure runs is not in the text. The rehearsal ran it and saw \`ACCESS EXCLUSIVE\` on a table in
use: short by itself, and held until the transaction ends.`,
  instead: 'Write the statement itself into the file, so that readers of the file see what it locks.',
  examples: {
    bad: [
      {
        title: 'a column in a block',
        before: 'create table users (id bigint);',
        up: "do $$ begin execute 'alter table users add column name text'; end $$;",
      },
    ],
    good: [
      {
        title: 'on a table of the same file',
        up: "create table users (id bigint);\ndo $$ begin execute 'alter table users add column name text'; end $$;",
      },
    ],
  },
  *check(view) {
    if (!view.seen || !isOpaque(view)) return
    const gone = new Set(dropsSeen(view, 'table').map(({ name }) => name))
    const { scans, rewrites } = view.seen
    // What is read, written anew, dropped or renamed is said by the rules for that.
    const short = locksSeen(view, 'AccessExclusiveLock').filter(
      table => !gone.has(table) && !scans.includes(table) && !rewrites.includes(table) && !isExplained(view, table),
    )
    for (const table of new Set(short.map(name => rootOf(view.file.before, name))))
      yield { message: `Code that this runs locks ${sized(view, table)} against everybody.`, object: table }
  },
}

function isExplained(view: StatementView, table: string): boolean {
  return specific.some(other =>
    [...(other.check(view) ?? [])].some(({ object }) => object === table || object?.startsWith(`${table}.`)),
  )
}
