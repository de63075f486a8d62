import { isSame } from '../catalog.ts'
import { alterations, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { earlierInTransaction } from '../transactions.ts'
import { inUse, sized } from '../use.ts'
import { tablesWorked } from '../weight.ts'

export const rule: StatementRule = {
  name: 'lock-mergeable-alters',
  category: 'locks',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  title: 'A table is read or written anew twice, where one alter table would do it in one pass',
  why: `PostgreSQL works through a table once for all commands of an \`alter table\`. Two statements read or rewrite it twice, and the table stays
locked for both.`,
  instead: 'Put the commands into one `alter table`, with commas between.',
  examples: {
    bad: [
      {
        title: 'two checks of nulls',
        before: 'create table users (id bigint primary key, name text, email text);',
        up: 'alter table users alter column name set not null;\nalter table users alter column email set not null;',
      },
    ],
    good: [
      {
        title: 'in one statement',
        before: 'create table users (id bigint primary key, name text, email text);',
        up: 'alter table users alter column name set not null, alter column email set not null;',
      },
      {
        title: 'nothing to work through',
        before: 'create table users (id bigint primary key);',
        up: 'alter table users add column name text;\nalter table users add column email text;',
      },
    ],
  },
  *check(view) {
    if (view.statement.index === 0) return
    const table = inUse(view, targetOf(view))
    const earlier = earlierInTransaction(view).at(-1)
    if (table === null || !earlier || !isSame(table, targetOf(earlier))) return
    if (!isHeavy(view, table) || !isHeavy(earlier, table)) return
    yield {
      message: `${sized(view, table)} is worked through twice: here and on line ${earlier.statement.line}.`,
      object: table,
    }
  },
}

/** Partitions and validations stand alone in a statement. */
function isHeavy(view: StatementView, table: string): boolean {
  const commands = alterations(view)
  return (
    commands.length > 0 &&
    commands.every(({ kind }) => !/Partition|ValidateConstraint/.test(kind)) &&
    [...tablesWorked(view), ...(view.seen?.rewrites ?? [])].includes(table)
  )
}
