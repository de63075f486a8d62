import { byteIndex } from '../../sql/positions.ts'
import { type Fields, fieldsOf, listOf, openNode, textOf, walk } from '../../sql/tree.ts'
import { needsNoQuotes } from '../rewrite.ts'
import type { StatementRule, StatementView } from '../rule.ts'

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
  *check(view) {
    const { statement, fields, file } = view
    // A partition has the constraints of its parent.
    if (fields['partbound'] !== undefined) return
    const unnamed = constraintsIn(view)
    const [first] = unnamed
    if (!first) return
    const start = byteIndex(file.script.body)(Number(first['location'] ?? 0))
    const fix = named(view, unnamed)
    const words = unnamed.map(one => described[textOf(one, 'contype')] ?? 'constraint')
    const line = /^[^\n]*/.exec(file.script.body.slice(start, statement.end))?.[0] ?? ''
    yield {
      message:
        unnamed.length === 1
          ? `A ${words[0]} has no name, so PostgreSQL makes one up.`
          : `${unnamed.length} constraints (${[...new Set(words)].join(', ')}) have no name, so PostgreSQL makes some up.`,
      range: { start, end: start + Math.max(1, line.trimEnd().replace(/,$/, '').length) },
      ...(fix ? { fix } : {}),
    }
  },
}

/** The names that PostgreSQL would make up where nothing stands in the way (ChooseConstraintName in its sources); null where something may. */
function named({ statement, fields, file }: StatementView, unnamed: readonly Fields[]) {
  const relation = fieldsOf(fields, 'relation')
  const table = textOf(relation, 'relname')
  const names = unnamed.map(one => madeUp(table, one, statement.tree))
  const isFree = (name: string) =>
    needsNoQuotes(name) && Buffer.byteLength(name) < 64 && !takenNames(statement.tree).has(name)
  // What an older table has already is known where it was rehearsed.
  const isKnown = statement.kind === 'CreateStmt' || file.before !== null
  if (!isKnown || new Set(names).size < names.length || !names.every(isFree)) return null
  const index = byteIndex(file.script.body)
  const edits = unnamed.map((one, at) => {
    const start = index(Number(one['location'] ?? 0))
    return { start, end: start, text: `constraint ${names[at]} ` }
  })
  return { title: 'Give it the name that PostgreSQL makes up', edits }
}

function madeUp(table: string, constraint: Fields, tree: unknown): string {
  const kind = textOf(constraint, 'contype')
  const listed = (list: string) => listOf(constraint, list).map(node => textOf(openNode(node)[1], 'sval'))
  if (kind === 'CONSTR_CHECK') {
    const columns = columnsIn(constraint['raw_expr'])
    return [table, ...(columns.length === 1 ? columns : []), 'check'].join('_')
  }
  const own = columnOf(constraint, tree)
  const columns =
    kind === 'CONSTR_FOREIGN' ? listed('fk_attrs') : kind === 'CONSTR_UNIQUE' ? listed('keys') : elementsOf(constraint)
  return [table, ...(columns.length > 0 ? columns : own), endings[kind]].join('_')
}

const endings: Readonly<Record<string, string>> = {
  CONSTR_EXCLUSION: 'excl',
  CONSTR_FOREIGN: 'fkey',
  CONSTR_UNIQUE: 'key',
}

/** Of an exclusion; what is no column counts as `expr`. */
function elementsOf(constraint: Fields): string[] {
  return listOf(constraint, 'exclusions').map(pair => {
    const [element] = listOf(openNode(pair)[1], 'items')
    const name = element === undefined ? '' : textOf(openNode(element)[1], 'name')
    return name || 'expr'
  })
}

/** The column at which a constraint stands that names none itself. */
function columnOf(constraint: Fields, tree: unknown): string[] {
  const names: string[] = []
  walk(tree, (kind, column) => {
    if (kind === 'ColumnDef' && listOf(column, 'constraints').some(node => openNode(node)[1] === constraint))
      names.push(textOf(column, 'colname'))
  })
  return names
}

function columnsIn(expression: unknown): string[] {
  const names = new Set<string>()
  walk(expression, (kind, fields) => {
    if (kind !== 'ColumnRef') return
    const last = listOf(fields, 'fields').at(-1)
    names.add(last ? textOf(openNode(last)[1], 'sval') : '')
  })
  return [...names]
}

function takenNames(tree: unknown): ReadonlySet<string> {
  const names = new Set<string>()
  walk(tree, (kind, fields) => {
    if (kind === 'Constraint' && textOf(fields, 'conname') !== '') names.add(textOf(fields, 'conname'))
  })
  return names
}

const described: Readonly<Record<string, string>> = {
  CONSTR_CHECK: 'check',
  CONSTR_EXCLUSION: 'exclusion',
  CONSTR_UNIQUE: 'unique key',
  CONSTR_FOREIGN: 'foreign key',
}

/** What stands at a column of a new table is named after both, which can be told in advance. */
function constraintsIn({ statement, fields }: StatementView): readonly Fields[] {
  const isNew = statement.kind === 'CreateStmt'
  const written = isNew ? listOf(fields, 'tableElts') : listOf(fields, 'cmds').map(node => openNode(node)[1]['def'])
  const constraints = written.flatMap(node => {
    const [kind, own] = openNode(node)
    if (kind === 'Constraint') return [own]
    return kind === 'ColumnDef' && !isNew ? listOf(own, 'constraints').map(one => openNode(one)[1]) : []
  })
  // `unique using index` takes the name of the index.
  return constraints.filter(
    one =>
      textOf(one, 'conname') === '' &&
      described[textOf(one, 'contype')] !== undefined &&
      one['indexname'] === undefined,
  )
}
