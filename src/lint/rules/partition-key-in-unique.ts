import type { RehearsalFailure } from '../../schema/rehearsal.ts'
import { type Fields, fieldsOf, listOf, openNode, relationName, textOf } from '../../sql/tree.ts'
import type { Problem, StatementRule, StatementView } from '../rule.ts'
import { objectName, tableNamed } from '../subjects/columns.ts'
import { maker } from '../subjects/partition-statements.ts'
import { keyColumns } from '../subjects/partitions.ts'

export const rule: StatementRule = {
  name: 'partition-key-in-unique',
  category: 'partitions',
  severity: 'error',
  shape: 'statement',
  needs: 'text',
  kinds: ['CreateStmt', 'AlterTableStmt', 'IndexStmt', 'DoStmt', 'SelectStmt', 'CallStmt'],
  alters: ['CONSTR_PRIMARY', 'CONSTR_UNIQUE'],
  title: 'A unique key of a partitioned table lacks the partition column',
  why: `Every partition has an index of its own, so PostgreSQL can only keep rows unique within one. It therefore refuses a primary key or unique
constraint that does not hold every column of the partition key (SQLSTATE 0A000), and any at all where the partition key is an expression.`,
  instead: `Add the partition columns to the key. What must be unique across partitions needs a table of its own, such as one row for each
\`event_id\`.`,
  examples: {
    bad: [
      {
        title: 'the primary key is the id alone',
        up: 'create table visits (id bigint primary key, at timestamptz not null) partition by range (at);',
        fails: true,
      },
      {
        title: 'a unique constraint without the column',
        up: 'create table visits (id bigint, at timestamptz not null, code text, primary key (id, at), unique (code)) partition by range (at);',
        fails: true,
      },
      {
        title: 'added later',
        before: 'create table visits (id bigint, at timestamptz not null) partition by range (at);',
        up: 'alter table visits add primary key (id);',
        fails: true,
        only: 'rehearsal',
      },
      {
        title: 'a unique index',
        up: `create table visits (id bigint, at timestamptz not null) partition by range (at);
create unique index visits_id_key on visits (id);`,
        fails: true,
      },
      {
        title: 'the partition key is an expression',
        up: 'create table visits (id bigint, at timestamp not null, primary key (id, at)) partition by range (date(at));',
        fails: true,
      },
      {
        title: 'in a block of code',
        up: "do $$ begin execute 'create table visits (id bigint primary key, at date) partition by range (at)'; end $$;",
        fails: true,
        only: 'rehearsal',
      },
    ],
    good: [
      {
        title: 'the key holds the column',
        up: 'create table visits (id bigint, at timestamptz not null, primary key (id, at)) partition by range (at);',
      },
      {
        title: 'a partition may have a key of its own',
        up: `create table visits (id bigint, at date not null) partition by range (at);
create table visits_rest partition of visits default;
create unique index visits_rest_id_key on visits_rest (id);`,
      },
    ],
  },
  *check(view) {
    if (view.seen) return
    const failure = view.file.step?.failure
    if (failure) {
      if (failure.statement === view.statement.index && isThis(failure)) yield explained(view, failure)
      return
    }
    const { statement, fields } = view
    const relation = relationName(fieldsOf(fields, 'relation'))
    const key = statement.kind === 'CreateStmt' ? partitionKey(fields) : keyOfRelation(view, relation)
    if (!key) return
    for (const columns of uniqueKeys(statement.kind, fields)) {
      const missing = key.filter(column => !columns.includes(column))
      if (missing.length > 0) yield problem(relation, columns, missing)
    }
  },
}

function isThis({ sqlState, message }: RehearsalFailure): boolean {
  return sqlState === '0A000' && /unique|primary key/i.test(message) && /partition/i.test(message)
}

function explained(view: StatementView, failure: RehearsalFailure): Problem {
  const { statement, fields } = view
  const relation = relationName(fieldsOf(fields, 'relation'))
  const key = statement.kind === 'CreateStmt' ? partitionKey(fields) : keyOfRelation(view, relation)
  for (const columns of key ? uniqueKeys(statement.kind, fields) : []) {
    const missing = key?.filter(column => !columns.includes(column)) ?? []
    if (missing.length > 0) return { ...problem(relation, columns, missing), explainsFailure: true }
  }
  return { message: `PostgreSQL refuses the key: ${failure.message}.`, explainsFailure: true }
}

function problem(relation: string, columns: readonly string[], missing: readonly string[]): Problem {
  const expression = missing.includes('')
  return {
    object: objectName(relation),
    message: expression
      ? `${relation} is partitioned by an expression, so PostgreSQL refuses any unique key on it.`
      : `The unique key (${columns.join(', ')}) of ${relation} lacks the partition column ${missing.join(', ')}, so PostgreSQL refuses it.`,
    hint: expression
      ? 'Partition by the plain column, or make keys on the partitions.'
      : `Make it (${[...columns, ...missing].join(', ')}).`,
  }
}

/** The columns that it is partitioned by; an expression is an empty name, which no key can hold. */
function partitionKey(fields: Fields): readonly string[] | null {
  if (fields['partspec'] === undefined) return null
  return listOf(fieldsOf(fields, 'partspec'), 'partParams').map(node => textOf(openNode(node)[1], 'name'))
}

/** Of a table that an earlier statement of the file makes, or that was there. */
function keyOfRelation(view: StatementView, relation: string): readonly string[] | null {
  if (relation === '') return null
  const made = maker(view, relation, 'partitioned')
  if (made) return partitionKey(made.fields)
  const table = tableNamed(view.file.before, objectName(relation))
  return table?.partitioning ? keyColumns(table).map(column => (column.includes('(') ? '' : column)) : null
}

function uniqueKeys(kind: string, fields: Fields): readonly (readonly string[])[] {
  if (kind === 'IndexStmt') {
    if (fields['unique'] !== true) return []
    return [listOf(fields, 'indexParams').map(node => textOf(openNode(node)[1], 'name'))]
  }
  const elements = kind === 'AlterTableStmt' ? listOf(fields, 'cmds').map(added) : listOf(fields, 'tableElts')
  return elements.flatMap(node => {
    const [inner, element] = openNode(node)
    if (inner === 'Constraint') return isUnique(element) && element['keys'] ? [namesIn(element)] : []
    const own = listOf(element, 'constraints').some(constraint => isUnique(openNode(constraint)[1]))
    return inner === 'ColumnDef' && own ? [[textOf(element, 'colname')]] : []
  })
}

function added(command: unknown): unknown {
  return openNode(command)[1]['def']
}

function isUnique(constraint: Fields): boolean {
  return /^CONSTR_(PRIMARY|UNIQUE)$/.test(textOf(constraint, 'contype'))
}

function namesIn(constraint: Fields): readonly string[] {
  return listOf(constraint, 'keys').map(node => textOf(openNode(node)[1], 'sval'))
}
