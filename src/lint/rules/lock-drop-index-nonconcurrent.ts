import { insertAfter } from '../rewrite.ts'
import type { StatementRule } from '../rule.ts'
import { dropped, inUse, mayRunBare } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-drop-index-nonconcurrent',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['DropStmt'],
  title: 'An index is dropped while nobody can use its table',
  why: `\`drop index\` takes \`ACCESS EXCLUSIVE\` on the table. The drop itself is short, but it waits behind every running query, and everybody
else waits behind it meanwhile.`,
  instead: 'Drop it with `drop index concurrently` in a file of its own.',
  examples: {
    bad: [
      {
        title: 'of a table that is in use',
        before: 'create table users (id bigint primary key, email text);\ncreate index users_email on users (email);',
        up: 'drop index users_email;',
      },
    ],
    good: [
      {
        title: 'concurrently',
        before: 'create table users (id bigint primary key, email text);\ncreate index users_email on users (email);',
        up: 'drop index concurrently users_email;',
      },
      {
        title: 'made in the same file',
        up: 'create table users (id bigint);\ncreate index users_id on users (id);\ndrop index users_id;',
      },
    ],
  },
  *check(view) {
    if (view.fields['concurrent'] === true) return
    const indexes = dropped(view, 'INDEX')
    for (const written of indexes) {
      const index = inUse(view, written)
      if (index === null) continue
      const edit = insertAfter(view, /drop\s+index/i, ' concurrently')
      yield {
        message: `Nobody can read or write the table of ${index} until it is dropped, and the drop waits for every query that runs.`,
        object: index,
        ...(edit && view.file.before && indexes.length === 1 && mayRunBare(view) && !isPartitioned(view, index)
          ? { fix: { title: 'Drop it concurrently', edits: [edit] } }
          : {}),
      }
    }
  },
}

/** PostgreSQL drops neither the index of a partitioned table concurrently, nor one that others depend on. */
function isPartitioned({ file }: Parameters<StatementRule['check']>[0], index: string): boolean {
  return (file.before?.tables ?? []).some(
    table => table.partitioning && table.indexes.some(({ name }) => `${table.schema}.${name}` === index),
  )
}
