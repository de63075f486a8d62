import type { ObjectChange } from '../../schema/rehearsal.ts'
import { dottedName, listOf, textOf } from '../../sql/tree.ts'
import { alterations, targetOf } from '../alter.ts'
import { isSame } from '../catalog.ts'
import type { StatementRule, StatementView } from '../rule.ts'
import { lossesSeen } from '../use.ts'

const kinds = [
  'table',
  'column',
  'view',
  'materialized view',
  'constraint',
  'routine',
  'trigger',
  'policy',
  'sequence',
  'type',
  'domain',
  'enum',
] as const

export const rule: StatementRule = {
  name: 'data-cascade',
  category: 'data-loss',
  severity: 'warning',
  shape: 'statement',
  needs: 'rehearsal',
  kinds: ['DropStmt', 'AlterTableStmt', 'DropOwnedStmt', 'AlterDomainStmt'],
  title: 'A cascade drops more than the statement names',
  why: `\`cascade\` drops whatever depends on the object: views, foreign keys of other tables, columns of a dropped type. The text does not say
which; the rehearsal saw them go.`,
  instead:
    'Drop those objects by name in front of it, and leave `cascade` out, so that nobody loses what he did not see.',
  examples: {
    bad: [
      {
        title: 'a view on the table',
        before: 'create table users (id bigint);\ncreate view names as select id from users;',
        up: 'drop table users cascade;',
      },
      {
        title: 'columns of a type',
        before: "create type mood as enum ('good');\ncreate table users (id bigint, mood mood);",
        up: 'drop type mood cascade;',
      },
    ],
    good: [
      {
        title: 'nothing depends on it',
        before: 'create table users (id bigint primary key);',
        up: 'drop table users cascade;',
      },
      {
        title: 'dropped by name',
        before: 'create table users (id bigint);\ncreate view names as select id from users;',
        up: 'drop view names;\ndrop table users;',
      },
    ],
  },
  *check(view) {
    if (!cascades(view)) return
    const named = namesOf(view)
    const all = kinds.flatMap(kind => lossesSeen(view, kind))
    // What belongs to a dropped table goes with it, and is not said again.
    const tables = new Set(all.filter(({ kind }) => kind === 'table').map(({ name }) => name))
    const reached = all.filter(
      change =>
        !isNamed(change, named) && (change.of === null || (!isNamedName(change.of, named) && !tables.has(change.of))),
    )
    const columns = alterations(view).map(({ name }) => `${targetOf(view)}.${name}`)
    const further = reached.filter(({ name }) => !columns.some(column => isSame(name, column)))
    if (further.length === 0) return
    const shown = further.slice(0, 8).map(({ kind, name }) => `${kind} ${name}`)
    const more = further.length > shown.length ? ` and ${further.length - shown.length} more` : ''
    yield { message: `It takes ${shown.join(', ')}${more} along.`, object: named[0] ?? view.statement.summary }
  },
}

function cascades(view: StatementView): boolean {
  return textOf(view.fields, 'behavior') === 'DROP_CASCADE' || alterations(view).some(({ cascade }) => cascade)
}

function namesOf({ fields, statement }: StatementView): readonly string[] {
  return statement.kind === 'DropStmt' ? listOf(fields, 'objects').map(dottedName) : []
}

/** What belongs to a table is named behind it, as in `users.own`. */
function isNamed({ name, of }: ObjectChange, named: readonly string[]): boolean {
  return of === null ? isNamedName(name, named) : named.some(one => one.includes('.') && name.endsWith(`.${one}`))
}

/** A schema names all that is in it; a routine is named without its arguments. */
function isNamedName(name: string, named: readonly string[]): boolean {
  return named.some(one => isSame(name, one) || isSame(name.replace(/\(.*$/, ''), one) || name.startsWith(`${one}.`))
}
