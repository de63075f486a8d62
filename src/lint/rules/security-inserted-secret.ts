import { byteIndex } from '../../sql/positions.ts'
import { type Fields, fieldsOf, listOf, openNode, textOf } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'
import { soundsSecret } from '../subjects/names.ts'
import { isHarmless, literalAfter } from '../subjects/secrets.ts'

export const rule: StatementRule = {
  name: 'security-inserted-secret',
  category: 'security',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  hidden: true,
  directions: ['up', 'down'],
  kinds: ['InsertStmt', 'UpdateStmt'],
  title: 'A secret is written into a table by a migration or a seed',
  why: `A first administrator with a password in the migration exists, with that password, in every database that ran it, and everybody who can read the
repository can sign in.`,
  instead: 'Invite the first user instead, or let the application make the secret when it starts and show it once.',
  examples: {
    bad: [
      {
        title: 'the first administrator',
        before: 'create table users (id bigint primary key, name text, password text);',
        up: "insert into users (id, name, password) values (1, 'admin', 'correct-horse');",
      },
      {
        title: 'changed later',
        before: 'create table users (id bigint primary key, name text, api_key text);',
        up: "update users set api_key = 'let-me-in-now' where id = 1;",
      },
    ],
    good: [
      {
        title: 'a hash',
        before: 'create table users (id bigint primary key, name text, password text);',
        up: "insert into users (id, name, password) values (1, 'admin', '$2b$12$abcdefghijklmnopqrstuuKZ0b2m1mQy9w0Zr8m8dQeYJm5lq3f9C');",
      },
      {
        title: 'nothing yet',
        before: 'create table users (id bigint primary key, name text, password_hash text);',
        up: "insert into users (id, name, password_hash) values (1, 'admin', null);",
      },
    ],
  },
  *check({ statement, fields, file }) {
    const pairs = statement.kind === 'InsertStmt' ? inserted(fields) : updated(fields)
    for (const { column, value } of pairs) {
      const text = textOf(fieldsOf(value, 'sval'), 'sval')
      if (soundsSecret({ name: column, type: 'text' }) === null || text === '' || isHarmless(text)) continue
      const range = literalAfter(file.script.text, byteIndex(file.script.body)(Number(value['location'] ?? 0)))
      yield {
        message: `A value for ${column} stands in the migration as it is.`,
        ...(range && range.end <= statement.end ? { range } : {}),
      }
    }
  },
}

interface Pair {
  readonly column: string
  readonly value: Fields
}

function inserted(fields: Fields): readonly Pair[] {
  const columns = listOf(fields, 'cols')
    .map((node, at) => ({ column: textOf(openNode(node)[1], 'name'), at }))
    .filter(({ column }) => soundsSecret({ name: column, type: 'text' }) !== null)
  if (columns.length === 0) return []
  const select = fieldsOf(fieldsOf(fields, 'selectStmt'), 'SelectStmt')
  const lists = listOf(select, 'valuesLists').map(list => listOf(openNode(list)[1], 'items'))
  const targets = listOf(select, 'targetList').map(node => openNode(node)[1]['val'])
  const rows = lists.length > 0 ? lists : [targets]
  return rows.flatMap(row => columns.flatMap(({ column, at }) => constant(column, row[at])))
}

function updated(fields: Fields): readonly Pair[] {
  return listOf(fields, 'targetList').flatMap(node => {
    const [, target] = openNode(node)
    return constant(textOf(target, 'name'), target['val'])
  })
}

function constant(column: string, node: unknown): readonly Pair[] {
  const [kind, value] = openNode(node)
  if (kind === 'TypeCast') return constant(column, value['arg'])
  return kind === 'A_Const' ? [{ column, value }] : []
}
