import { alterations, targetOf } from '../alter.ts'
import type { StatementRule } from '../rule.ts'
import { inUse, sized, wasSeen } from '../use.ts'

const words: Readonly<Record<string, string>> = {
  SetLogged: 'into the write-ahead log',
  SetUnLogged: 'outside the write-ahead log',
  SetTableSpace: 'in another tablespace',
  SetAccessMethod: 'by another access method',
}

export const rule: StatementRule = {
  name: 'rewrite-storage',
  category: 'rewrites',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt', 'AlterTableMoveAllStmt'],
  alters: Object.keys(words),
  title: 'A table moves to another kind of storage, so it is written anew',
  why: `\`set logged\`, \`set unlogged\`, \`set tablespace\` and \`set access method\` copy the whole table under \`ACCESS EXCLUSIVE\`, and its indexes
with it.`,
  instead: `Make a new table with the storage that you want, carry rows over in batches and writes by a trigger, and change names in a later file;
or allow it here with the time of a maintenance window as its reason.`,
  examples: {
    bad: [
      {
        title: 'out of the log',
        before: 'create table visits (id bigint primary key);',
        up: 'alter table visits set unlogged;',
      },
    ],
    good: [
      {
        title: 'from the start',
        up: 'create unlogged table visits (id bigint primary key);',
      },
      {
        title: 'nothing in use',
        up: 'create table visits (id bigint primary key);\nalter table visits set unlogged;',
      },
    ],
  },
  *check(view) {
    if (view.statement.kind === 'AlterTableMoveAllStmt') {
      yield {
        message: 'Nobody can use any table of the tablespace until all are copied.',
        object: view.statement.summary,
      }
      return
    }
    const where = alterations(view)
      .map(({ kind }) => words[kind])
      .find(Boolean)
    const table = where && inUse(view, targetOf(view))
    if (!table || (view.seen && !wasSeen(view, 'rewrites', table))) return
    yield { message: `Nobody can use ${sized(view, table)} until every row is written anew ${where}.`, object: table }
  },
}
