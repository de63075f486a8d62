import { textOf } from '../../sql/tree.ts'
import { targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { typeChanges } from '../type-change.ts'
import { inUse, sized, wasSeen } from '../use.ts'

export const rule: StatementRule = {
  name: 'rewrite-timestamp-zone',
  category: 'rewrites',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['AlterColumnType'],
  title: 'A change between timestamp and timestamptz depends on the time zone of the session',
  why: `PostgreSQL reads the old values in the session's \`TimeZone\`. Where that is UTC nothing is written (since PostgreSQL 12), where it is not
the whole table is written anew, and every value moves by the offset. The rehearsal cannot know the time zone of the target.`,
  instead: "Write `set local timezone = 'UTC';` above it, with the zone that the old values were written in.",
  examples: {
    bad: [
      {
        title: 'the time zone is left to the session',
        before: 'create table visits (id bigint primary key, at timestamp);',
        up: 'alter table visits alter column at type timestamptz;',
      },
    ],
    good: [
      {
        title: 'the file says which zone',
        before: 'create table visits (id bigint primary key, at timestamp);',
        up: "set local timezone = 'UTC';\nalter table visits alter column at type timestamptz;",
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    const changes = typeChanges(view).filter(({ cost }) => cost === 'zone')
    if (table === null || changes.length === 0 || setsZone(view) || wasSeen(view, 'rewrites', table)) return
    for (const { column, from, to } of changes) {
      yield {
        message: `${column} of ${sized(view, table)} goes from ${from} to ${to} by the session's time zone: unless that is UTC, the table is written anew.`,
        object: `${table}.${column}`,
      }
    }
  },
}

function setsZone({ file, statement }: StatementView): boolean {
  return file.statements.some(
    earlier =>
      earlier.statement.index < statement.index &&
      earlier.statement.kind === 'VariableSetStmt' &&
      /^timezone$/i.test(textOf(earlier.fields, 'name')),
  )
}
