import { listOf, openNode, relationName, textOf } from '../../sql/tree.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, isOpaque, locksSeen, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'data-truncate',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['TruncateStmt', ...opaqueKinds],
  title: 'A table is emptied',
  why: `\`truncate\` takes all rows, and with \`cascade\` those of every table that points to it. It fires no row triggers, so audit and rollups do
not hear of it. An apply copies the rows into the archive first, as long as there is room.`,
  instead: 'Delete the rows that must go, with a `where` that says which, in batches.',
  examples: {
    bad: [
      {
        title: 'a table in use',
        before: 'create table visits (id bigint);',
        up: 'truncate visits;',
      },
      {
        title: 'hidden in a block',
        before: 'create table visits (id bigint);',
        up: "do $$ begin execute 'truncate visits'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'a table of the same file',
        up: 'create table visits (id bigint);\ntruncate visits;',
      },
    ],
  },
  *check(view) {
    if (isOpaque(view))
      for (const table of view.seen?.truncates ?? [])
        yield { message: `${sized(view, table)} loses all its rows in code that this runs.`, object: table }
    const named = listOf(view.fields, 'relations').flatMap(node => inUse(view, relationName(openNode(node)[1])) ?? [])
    const cascade = textOf(view.fields, 'behavior') === 'DROP_CASCADE'
    const reached = cascade
      ? locksSeen(view, 'AccessExclusiveLock').filter(table => !named.some(name => isSame(table, name)))
      : []
    const further = reached.length > 0 ? `, and with it ${reached.join(', ')}` : ''
    const unknown = cascade && !view.seen ? ' with every table that points to it' : ''
    for (const table of named)
      yield { message: `${sized(view, table)} loses all its rows${further}${unknown}.`, object: table }
  },
}
