import { byteIndex } from '../../sql/positions.ts'
import { type Fields, listOf, openNode, textOf, walk } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'name-unnamed-constraint',
  category: 'naming',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateStmt', 'AlterTableStmt'],
  alters: ['CONSTR_CHECK', 'CONSTR_EXCLUSION', 'CONSTR_UNIQUE', 'CONSTR_FOREIGN'],
  title: 'A constraint has a name that PostgreSQL made up',
  why: `The name shows in every error, and is what a later migration drops it by. What PostgreSQL makes up depends on what is there
already (\`_check1\`, \`_check2\`), so it may differ between databases. What stands at a column of a new table is named after both, so that
it can be told in advance, and is left alone.`,
  instead: 'Write `constraint <name>` in front of it.',
  examples: {
    bad: [
      {
        title: 'a check of a table',
        up: 'create table bookings (id bigint primary key, starts date, ends date, check (starts < ends));',
      },
      {
        title: 'added later',
        before: 'create table users (id bigint primary key, a text, b text);',
        up: 'alter table users add unique (a, b);',
      },
    ],
    good: [
      {
        title: 'a name',
        up: 'create table users (id bigint primary key, age integer constraint users_age_positive_check check (age > 0));',
      },
      {
        title: 'a column and its key',
        before: 'create table teams (id bigint primary key);',
        up: 'create table users (id bigint primary key, team_id bigint references teams (id), email text not null unique, age integer check (age > 0));',
      },
    ],
  },
  *check({ statement, fields, file }) {
    // A partition has the constraints of its parent.
    if (fields['partbound'] !== undefined) return
    const unnamed = constraintsIn(statement.tree)
    const [first] = unnamed
    if (!first) return
    const start = byteIndex(file.script.body)(Number(first['location'] ?? 0))
    const words = unnamed.map(one => described[textOf(one, 'contype')] ?? 'constraint')
    const line = /^[^\n]*/.exec(file.script.body.slice(start, statement.end))?.[0] ?? ''
    yield {
      message:
        unnamed.length === 1
          ? `A ${words[0]} has no name, so PostgreSQL makes one up.`
          : `${unnamed.length} constraints (${[...new Set(words)].join(', ')}) have no name, so PostgreSQL makes some up.`,
      range: { start, end: start + Math.max(1, line.trimEnd().replace(/,$/, '').length) },
    }
  },
}

const described: Readonly<Record<string, string>> = {
  CONSTR_CHECK: 'check',
  CONSTR_EXCLUSION: 'exclusion',
  CONSTR_UNIQUE: 'unique key',
  CONSTR_FOREIGN: 'foreign key',
}

/** What stands at a column of a new table is named after both, which can be told in advance. */
function constraintsIn(tree: unknown): readonly Fields[] {
  const atColumns = new Set<unknown>()
  const found: Fields[] = []
  walk(tree, (kind, fields) => {
    if (kind === 'CreateStmt') for (const node of listOf(fields, 'tableElts')) noteOwn(node, atColumns)
    if (kind !== 'Constraint' || textOf(fields, 'conname') !== '' || atColumns.has(fields)) return
    // `unique using index` takes the name of the index.
    if (described[textOf(fields, 'contype')] !== undefined && fields['indexname'] === undefined) found.push(fields)
  })
  return found
}

function noteOwn(node: unknown, atColumns: Set<unknown>): void {
  const [kind, column] = openNode(node)
  if (kind !== 'ColumnDef') return
  for (const constraint of listOf(column, 'constraints')) atColumns.add(openNode(constraint)[1])
}
