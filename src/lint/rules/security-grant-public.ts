import { qualified, type Grant, type Schema } from '../../schema/model.ts'
import { dottedName, type Fields, fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import type { StatementRule, StatementView } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-grant-public',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  textKinds: ['GrantStmt', 'AlterDefaultPrivilegesStmt'],
  title: 'Rights are given to everybody',
  why: `\`public\` is every role of the server, also those that are made next year for something else entirely. What was granted to it cannot be
taken from a single role.`,
  instead: 'Grant to a role that stands for the purpose, and make those who need it members.',
  examples: {
    bad: [
      {
        title: 'a table',
        before: 'create table notes (id bigint primary key);',
        up: 'grant select on notes to public;',
      },
      {
        title: 'everything that is made from now on',
        up: 'alter default privileges grant select on tables to public;',
      },
      { title: 'making objects in a schema', up: 'create schema shop; grant create on schema shop to public;' },
      {
        title: 'in a block of code',
        before: 'create table notes (id bigint primary key);',
        up: "do $$ begin execute 'grant select on notes to public'; end $$;",
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'a role for the purpose',
        before: 'create table notes (id bigint primary key);',
        up: 'grant select on notes to pg_monitor;',
      },
      {
        title: 'what is taken from everybody',
        before: 'create table notes (id bigint primary key);',
        up: 'revoke all on notes from public;',
      },
      {
        title: 'a function is everybody’s anyway',
        before: 'create function one() returns integer language sql immutable as $$ select 1 $$;',
        up: 'grant execute on function one() to public;',
      },
    ],
  },
  *check(view) {
    const { kind, tree } = view.statement
    if (kind === 'GrantStmt' || kind === 'AlterDefaultPrivilegesStmt') {
      const grant = kind === 'GrantStmt' ? view.fields : fieldsOf(openNode(tree)[1], 'action')
      if (grantsToAll(grant)) yield { message: `Everybody is given ${privileges(grant)} on ${objects(grant)}.` }
      return
    }
    for (const name of openedBy(view)) yield { object: name, message: `Everybody is given rights on ${name}.` }
  },
}

function grantsToAll(grant: Fields): boolean {
  const all = listOf(grant, 'grantees').some(node => textOf(openNode(node)[1], 'roletype') === 'ROLESPEC_PUBLIC')
  if (grant['is_grant'] !== true || !all) return false
  const type = textOf(grant, 'objtype')
  if (/_(TABLE|SEQUENCE|COLUMN|FOREIGN_SERVER|FDW|LARGEOBJECT|TABLESPACE)$/.test(type)) return true
  // Everybody has usage of schemas and connects to databases by default; making objects there is another matter.
  return /_(SCHEMA|DATABASE)$/.test(type) && /all|create/.test(privileges(grant))
}

function privileges(grant: Fields): string {
  const names = listOf(grant, 'privileges').map(node => textOf(openNode(node)[1], 'priv_name'))
  return names.length === 0 ? 'all privileges' : names.join(', ')
}

function objects(grant: Fields): string {
  const names = listOf(grant, 'objects').map(dottedName).join(', ')
  if (textOf(grant, 'targtype') === 'ACL_TARGET_DEFAULTS') return 'what is made from now on'
  return textOf(grant, 'targtype') === 'ACL_TARGET_ALL_IN_SCHEMA' ? `everything in ${names}` : names
}

/** Relations that everybody has more rights on than before, though the statement is no grant by its text. */
function openedBy({ seen, file }: StatementView): readonly string[] {
  const names = new Set(seen?.changes.filter(change => change.kind === 'grant').map(change => change.of ?? change.name))
  if (names.size === 0 || !file.step) return []
  const [old, now] = [ofPublic(file.before), ofPublic(file.step.after)]
  return [...names].filter(name => now.has(name) && now.get(name) !== old.get(name))
}

function ofPublic(schema: Schema | null): ReadonlyMap<string, string> {
  const relations = schema ? [...schema.tables, ...schema.views] : []
  return new Map(
    relations.flatMap(relation => {
      const own = relation.grants.find((grant: Grant) => grant.role === 'public')
      return own ? [[qualified(relation), own.privileges.join()] as const] : []
    }),
  )
}
