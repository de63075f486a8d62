import { fieldsOf, relationName, textOf } from '../../sql/tree.ts'
import { tableIn } from '../catalog.ts'
import { insertAfter } from '../rewrite.ts'
import type { Problem, StatementRule, StatementView } from '../rule.ts'
import { inUse, isOpaque, locksSeen, mayRunBare, opaqueKinds, sized } from '../use.ts'

export const rule: StatementRule = {
  name: 'lock-index-nonconcurrent',
  category: 'locks',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['IndexStmt', ...opaqueKinds],
  title: 'An index is built while nobody can write to its table',
  why: `\`create index\` holds a \`SHARE\` lock on the table until the index is built: every insert, update and delete waits for as long as
the table is big. A table that the same file makes is free, since nobody uses it yet.`,
  instead: `Build it with \`create index concurrently\` in a file of its own, which then runs outside a transaction.
On a partitioned table, make it with \`create index … on only <table>\`, build one index per partition concurrently, and attach each with
\`alter index … attach partition …\`.`,
  examples: {
    bad: [
      {
        title: 'on a table that is in use',
        before: 'create table users (id bigint primary key, email text);',
        up: 'create index users_email on users (email);',
      },
      {
        title: 'hidden in a block',
        before: 'create table users (id bigint primary key, email text);',
        up: "do $$ begin execute 'create index users_email on users (email)'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'concurrently',
        before: 'create table users (id bigint primary key, email text);',
        up: 'create index concurrently users_email on users (email);',
      },
      {
        title: 'on a table of the same file',
        up: 'create table users (id bigint primary key, email text);\ncreate index users_email on users (email);',
      },
      {
        title: 'on the parent of partitions alone',
        before: 'create table events (at timestamptz not null) partition by range (at);',
        up: 'create index events_at on only events (at);',
      },
      {
        title: 'of a name that is there already',
        before: 'create table users (id bigint primary key, email text);\ncreate index users_email on users (email);',
        up: 'create index if not exists users_email on users (email);',
      },
    ],
  },
  *check(view) {
    if (isOpaque(view)) yield* hidden(view)
    const relation = fieldsOf(view.fields, 'relation')
    const table = inUse(view, relationName(relation))
    if (table === null || view.fields['concurrent'] === true || relation['inh'] !== true) return
    if (view.fields['if_not_exists'] === true && isThere(view, table)) return
    const partitioned = Boolean(tableIn(view.file.before, table)?.partitioning)
    const edit = insertAfter(view, /create\s+(unique\s+)?index/i, ' concurrently')
    const name = textOf(view.fields, 'idxname') || 'the index'
    yield {
      message: `Writes to ${sized(view, table)} wait until ${name} is built.`,
      object: `${table}${name === 'the index' ? '' : `.${name}`}`,
      ...(partitioned
        ? { hint: `Make it on only ${table}, build one on each partition concurrently, then attach those.` }
        : {}),
      ...(edit && view.file.before && !partitioned && mayRunBare(view)
        ? { fix: { title: 'Build it concurrently', edits: [edit] } }
        : {}),
    }
  },
}

/** One of that name is there already, so nothing is built. An index lies in the schema of its table. */
function isThere({ seen, file, fields, statement }: StatementView, table: string): boolean {
  if (seen) return !seen.changes.some(({ action, kind }) => action === 'create' && kind === 'index')
  const schema = /^(.*\.)?/.exec(table)?.[0] ?? ''
  return file.text.knows(`${schema}${textOf(fields, 'idxname')}`, statement.index)
}

function* hidden(view: StatementView): Iterable<Problem> {
  const locked = locksSeen(view, 'ShareLock')
  for (const { action, kind, name, of } of view.seen?.changes ?? []) {
    if (action !== 'create' || kind !== 'index' || of === null || !locked.includes(of)) continue
    yield { message: `Writes to ${sized(view, of)} wait until ${name} is built, in code that this runs.`, object: name }
  }
}
