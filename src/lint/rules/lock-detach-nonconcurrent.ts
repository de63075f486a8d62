import { dottedName, fieldsOf } from '../../sql/tree.ts'
import { alterations, targetOf } from '../alter.ts'
import { append } from '../rewrite.ts'
import type { FileView, StatementRule } from '../rule.ts'
import { inUse, mayRunBare, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-detach-nonconcurrent',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['DetachPartition'],
  title: 'A partition is detached while nobody can use the whole table',
  why: `\`detach partition\` takes \`ACCESS EXCLUSIVE\` on the parent: the detaching is short, but it waits behind every running query on any
partition, and everybody waits behind it. Since PostgreSQL 14 it can be done concurrently, unless the table has a default partition.`,
  instead: 'Write `alter table … detach partition … concurrently` in a file of its own.',
  examples: {
    bad: [
      {
        title: 'of a table in use',
        before:
          'create table events (at date) partition by range (at);\ncreate table events_1 partition of events for values from (minvalue) to (maxvalue);',
        up: 'alter table events detach partition events_1;',
      },
    ],
    good: [
      {
        title: 'concurrently',
        before:
          'create table events (at date) partition by range (at);\ncreate table events_1 partition of events for values from (minvalue) to (maxvalue);',
        up: 'alter table events detach partition events_1 concurrently;',
      },
    ],
  },
  *check(view) {
    const command = alterations(view).find(({ kind }) => kind === 'DetachPartition')
    const table = command && inUse(view, targetOf(view))
    if (!table || command.definition['concurrent'] === true || hasDefault(view.file, table)) return
    const partition = dottedName({ RangeVar: fieldsOf(command.definition, 'name') })
    const edit = append(view, ' concurrently')
    yield {
      message: `Nobody can use ${sized(view, table)} or any partition of it until ${partition} is detached.`,
      object: table,
      ...(edit && view.file.before && mayRunBare(view)
        ? { fix: { title: 'Detach it concurrently', edits: [edit] } }
        : {}),
    }
  },
}

function hasDefault({ before }: FileView, table: string): boolean {
  return (before?.tables ?? []).some(
    ({ partitionOf }) => partitionOf?.parent === table && /^default$/i.test(partitionOf.bounds),
  )
}
