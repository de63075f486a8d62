import { byteIndex } from '../../sql/positions.ts'
import { type Fields, textOf, walk } from '../../sql/tree.ts'
import type { StatementRule } from '../rule.ts'

export const rule: StatementRule = {
  name: 'name-unnamed-constraint',
  category: 'naming',
  severity: 'notice',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateStmt', 'AlterTableStmt'],
  title: 'A constraint has a name that PostgreSQL made up',
  why: `The name shows in every error, and is what a later migration drops it by. What PostgreSQL makes up depends on what is there already (\`_check1\`, \`_check2\`), so it
may differ between databases. Keys and references of a single column get a name that can be told in advance; checks, exclusions and
constraints over several columns do not.`,
  instead: 'Write `constraint <name>` in front of it.',
  examples: {
    bad: [
      { title: 'a check', up: 'create table users (id bigint primary key, age integer check (age > 0));' },
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
        up: 'create table users (id bigint primary key, team_id bigint references teams (id), email text not null unique);',
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

function constraintsIn(tree: unknown): readonly Fields[] {
  const found: Fields[] = []
  walk(tree, (kind, fields) => {
    const type = textOf(fields, 'contype')
    if (kind !== 'Constraint' || textOf(fields, 'conname') !== '' || described[type] === undefined) return
    const columns = fields['keys'] ?? fields['fk_attrs']
    const several = Array.isArray(columns) && columns.length > 1
    // `unique using index` takes the name of the index.
    if (fields['indexname'] === undefined && (several || /CHECK|EXCLUSION/.test(type))) found.push(fields)
  })
  return found
}
