import { holds, isSame } from '../catalog.ts'
import { alterations, constraintsAdded, targetOf } from '../alter.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { statementsOf } from '../transactions.ts'
import { inUse, sized } from '../use.ts'
import { rule as primaryKey } from './data-drop-primary-key.ts'

export const rule: StatementRule = {
  name: 'data-drop-constraint',
  category: 'data-loss',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['AlterTableStmt'],
  alters: ['DropConstraint'],
  title: 'A constraint is dropped, and nothing takes its place',
  why: `From then on rows come in that it would have refused, and the opposite step fails on them when it adds the constraint again. A check that
was only there to prove \`not null\` may go.`,
  instead: 'Add what takes its place in the same file, or say in an allowance why the rule does not hold any more.',
  examples: {
    bad: [
      {
        title: 'a check',
        before: 'create table orders (id bigint primary key, amount numeric constraint positive check (amount > 0));',
        up: 'alter table orders drop constraint positive;',
      },
    ],
    good: [
      {
        title: 'another one takes its place',
        before: 'create table orders (id bigint primary key, amount numeric constraint positive check (amount > 0));',
        up: 'alter table orders drop constraint positive, add constraint not_negative check (amount >= 0) not valid;',
      },
      {
        title: 'it only proved not null',
        before: 'create table users (id bigint primary key, name text constraint named check (name is not null));',
        up: 'alter table users alter column name set not null;\nalter table users drop constraint named;',
      },
    ],
  },
  *check(view) {
    const table = inUse(view, targetOf(view))
    const drops = alterations(view).filter(({ kind }) => kind === 'DropConstraint')
    if (table === null || drops.length === 0 || hasReplacement(view, table)) return
    if ([...(primaryKey.check(view) ?? [])].length > 0) return
    for (const { name } of drops) {
      if (!wasThere(view, table, name)) continue
      yield { message: `${sized(view, table)} takes rows that ${name} would have refused.`, object: `${table}.${name}` }
    }
  },
}

function wasThere({ file }: StatementView, table: string, name: string): boolean {
  return !file.before || holds(file.before, { kind: 'constraint', name: `${table}.${name}` })
}

function hasReplacement({ file }: StatementView, table: string): boolean {
  return statementsOf(file, 'AlterTableStmt').some(
    other =>
      isSame(table, targetOf(other)) &&
      (constraintsAdded(other).length > 0 || alterations(other).some(({ kind }) => kind === 'SetNotNull')),
  )
}
