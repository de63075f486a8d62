import { dottedName, fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'security-grant-all',
  category: 'security',
  severity: 'warning',
  shape: 'statement',
  needs: 'text',
  kinds: ['GrantStmt', 'AlterDefaultPrivilegesStmt'],
  title: 'More rights are granted than anybody named',
  why: `\`grant all\` on a table holds \`truncate\`, which row security does not confine, \`trigger\` and \`references\`, with which a role runs its own code in
other people's statements and finds out about values, and since PostgreSQL 17 \`maintain\`. On a schema it holds \`create\`.`,
  instead: 'Name the privileges: `grant select, insert, update, delete on …`.',
  examples: {
    bad: [
      {
        title: 'a table',
        before: 'create table notes (id bigint primary key);',
        up: 'grant all on notes to pg_monitor;',
      },
      { title: 'every table of a schema', up: 'grant all privileges on all tables in schema public to pg_monitor;' },
      {
        title: 'everything that is made from now on',
        up: 'alter default privileges in schema public grant all on tables to pg_monitor;',
      },
    ],
    good: [
      {
        title: 'by name',
        before: 'create table notes (id bigint primary key);',
        up: 'grant select, insert, update, delete on notes to pg_monitor;',
      },
      {
        title: 'sequences and functions have little to give',
        up: 'grant all on all sequences in schema public to pg_monitor;',
      },
      {
        title: 'taking everything back',
        before: 'create table notes (id bigint primary key);',
        up: 'revoke all on notes from pg_monitor;',
      },
    ],
  },
  *check({ statement, fields }) {
    const grant = statement.kind === 'GrantStmt' ? fields : fieldsOf(fields, 'action')
    if (grant['is_grant'] !== true || listOf(grant, 'privileges').length > 0) return
    if (!/_(TABLE|SCHEMA|DATABASE)$/.test(textOf(grant, 'objtype'))) return
    // Who grants everything to everybody hears of that.
    const roles = listOf(grant, 'grantees').map(node => openNode(node)[1])
    if (roles.some(role => textOf(role, 'roletype') === 'ROLESPEC_PUBLIC')) return
    const names = listOf(grant, 'objects').map(dottedName).join(', ')
    const on = textOf(grant, 'targtype') === 'ACL_TARGET_DEFAULTS' ? 'what is made from now on' : names
    yield {
      message: `${roles.map(role => textOf(role, 'rolename')).join(', ') || 'A role'} is given every privilege on ${on}.`,
    }
  },
}
