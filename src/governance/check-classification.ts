/** Holds the classification against the catalog: what nobody classified, what does not exist, what contradicts itself. */
import { nearest, type Place } from '../errors.ts'
import type { ColumnClass } from '../schema/classification.ts'
import { type Column, qualified, type Schema } from '../schema/model.ts'
import type { Classification, TableClassification } from './classification.ts'

export interface ClassificationFinding {
  readonly kind: 'unclassified' | 'unknown table' | 'unknown column' | 'contradiction' | 'suspicious'
  readonly severity: 'error' | 'warning'
  /** `schema.table` or `schema.table.column`. */
  readonly object: string
  readonly message: string
  readonly hint: string
  /** Where the file says so; null for what it does not say. */
  readonly at: Place | null
}

/**
 * Findings in the order of the objects' names; empty when every column of every table is classified and nothing contradicts. Give it the schemas of all tracks
 * that the file speaks of, since a table that none of them has is unknown. Partitions inherit from their root; views that store rows count as tables.
 */
export function checkClassification(
  classification: Classification,
  schemas: readonly Schema[],
): readonly ClassificationFinding[] {
  const relations = new Map(schemas.flatMap(relationsOf).map(relation => [relation.name, relation]))
  const parents = new Map(
    schemas.flatMap(({ tables }) =>
      tables.flatMap(table => (table.partitionOf ? [[qualified(table), table.partitionOf.parent] as const] : [])),
    ),
  )
  const classified = [...classification.tables].flatMap(([name, declared]) => {
    const relation = relations.get(name)
    const parent = parents.get(name)
    if (parent !== undefined) return [classifiedPartition(classification, name, parent)]
    return relation
      ? columnFindings(classification, name, declared, relation)
      : [unknownTable(classification, name, [...relations.keys()])]
  })
  const missing = [...relations.values()].flatMap(relation => unclassified(classification, relation))
  return [...missing, ...classified].sort((a, b) => (a.object < b.object ? -1 : a.object > b.object ? 1 : 0))
}

export interface Relation {
  readonly name: string
  readonly columns: readonly Column[]
  /** False for a plain view, which stores nothing and so may be left out. */
  readonly stores: boolean
}

/** What can be classified: tables without partitions, and views. */
export function relationsOf(schema: Schema): readonly Relation[] {
  return [
    ...schema.tables
      .filter(table => table.partitionOf === null)
      .map(table => ({ name: qualified(table), columns: table.columns, stores: true })),
    ...schema.views.map(view => ({ name: qualified(view), columns: view.columns, stores: view.materialized })),
  ]
}

function unclassified(
  classification: Classification,
  { name, columns, stores }: Relation,
): readonly ClassificationFinding[] {
  const declared = classification.tables.get(name)
  if (!declared && !stores) return []
  return columns
    .filter(column => !declared?.columns.has(column.name))
    .map(column => ({
      kind: 'unclassified',
      severity: 'error',
      object: `${name}.${column.name}`,
      message: `The column ${name}.${column.name} is not classified.`,
      hint: `Add it to ${classification.file}; \`plinth classify suggest\` prints a proposal.`,
      at: declared ? classification.place(name) : null,
    }))
}

function unknownTable(classification: Classification, name: string, known: readonly string[]): ClassificationFinding {
  const guess = nearest(name, known)
  return {
    kind: 'unknown table',
    severity: 'error',
    object: name,
    message: `The classification names a table ${name}, which does not exist.`,
    hint: guess ? `Did you mean "${guess}"?` : 'Remove it, or look for a typing error.',
    at: classification.place(name),
  }
}

function classifiedPartition(classification: Classification, name: string, parent: string): ClassificationFinding {
  return {
    kind: 'contradiction',
    severity: 'error',
    object: name,
    message: `${name} is a partition and has the classes of ${parent}.`,
    hint: `Remove it, and classify ${parent}.`,
    at: classification.place(name),
  }
}

function columnFindings(
  classification: Classification,
  name: string,
  declared: TableClassification,
  relation: Relation,
): readonly ClassificationFinding[] {
  return [...declared.columns].flatMap(([columnName, value]): readonly ClassificationFinding[] => {
    const object = `${name}.${columnName}`
    const at = classification.place(name, columnName)
    const column = relation.columns.find(candidate => candidate.name === columnName)
    if (!column) {
      const guess = nearest(
        columnName,
        relation.columns.filter(candidate => !declared.columns.has(candidate.name)).map(candidate => candidate.name),
      )
      const hint = guess ? `Did you mean "${guess}"?` : 'Remove it, or look for a typing error.'
      return [
        {
          kind: 'unknown column',
          severity: 'error',
          object,
          message: `The classification names a column ${object}, which does not exist.`,
          hint,
          at,
        },
      ]
    }
    return rules.flatMap(rule => {
      const found = rule(column, value, declared)
      return found
        ? [
            {
              kind: found.kind ?? ('contradiction' as const),
              severity: found.severity ?? ('error' as const),
              object,
              message: `${object} ${found.message}`,
              hint: found.hint,
              at,
            },
          ]
        : []
    })
  })
}

interface Found {
  readonly kind?: 'suspicious'
  readonly severity?: 'warning'
  readonly message: string
  readonly hint: string
}

type Rule = (column: Column, value: ColumnClass, table: TableClassification) => Found | null

const rules: readonly Rule[] = [
  (_, value) =>
    value.class === 'restricted' && value.protection === 'none'
      ? {
          message: 'is restricted but stored as it is.',
          hint: 'Encrypt or hash it and declare that, or give it the class that it has.',
        }
      : null,
  (column, value) =>
    value.protection === 'encrypted' && !isBytes(column.type)
      ? {
          message: `is declared encrypted, but its type ${column.type} holds plain values.`,
          hint: 'An encrypted value is bytes: change the type, or correct the protection.',
        }
      : null,
  (column, value) => {
    if (value.protection !== 'hashed' || isBytes(column.type)) return null
    const hint = 'A hash is bytes: change the type, or correct the protection.'
    return isText(column.type)
      ? {
          severity: 'warning',
          message: `is declared hashed, but nothing keeps plain values out of its type ${column.type}.`,
          hint,
        }
      : { message: `is declared hashed, but its type ${column.type} holds plain values.`, hint }
  },
  (_, value, table) =>
    table.retentionDays !== null && (value.retentionDays === null || value.retentionDays > table.retentionDays)
      ? {
          message: `is kept ${days(value.retentionDays)}, but its rows only ${days(table.retentionDays)}.`,
          hint: 'Lower the retention of the column, or raise that of the table.',
        }
      : null,
  (_, value) =>
    value.retentionDays !== null && value.purge === null
      ? {
          message: `is kept ${days(value.retentionDays)}, but nothing says what happens then.`,
          hint: 'Give a purge: delete, anonymize or archive.',
        }
      : null,
  (column, value) =>
    value.protection === 'none' && (value.class === 'public' || value.class === 'internal') && soundsSensitive(column)
      ? {
          kind: 'suspicious',
          severity: 'warning',
          message: `is ${value.class}, though its name sounds like personal or secret data.`,
          hint: 'Check what it holds; raise its class, or rename it.',
        }
      : null,
]

function days(number: number | null): string {
  return number === null ? 'without end' : `${number} days`
}

/** Types that hold bytes, in PostgreSQL and in warehouses. */
export function isBytes(type: string): boolean {
  return /^(bytea|blob|bytes|binary|varbinary)\b/i.test(type)
}

function isText(type: string): boolean {
  return /^(text|char|character|varchar|bpchar|citext|string)/i.test(type)
}

/** Whole words of a name that mean a person or a secret; `input_tokens` and `email_hash` do not. */
export function soundsSensitive(column: Pick<Column, 'name' | 'type'>): 'person' | 'secret' | null {
  const words = column.name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z]+/)
  if (isBytes(column.type) || !/^(text|char|character|varchar|bpchar|citext|string|json|inet)/i.test(column.type))
    return null
  if (words.some(word => ['hash', 'digest', 'id', 'at', 'kind', 'type', 'status', 'count'].includes(word))) return null
  if (
    words.some(word =>
      ['password', 'passwd', 'passphrase', 'secret', 'token', 'credential', 'credentials'].includes(word),
    )
  )
    return 'secret'
  return words.some(word =>
    [
      'email',
      'mail',
      'phone',
      'mobile',
      'birthday',
      'birth',
      'ssn',
      'iban',
      'passport',
      'surname',
      'firstname',
      'lastname',
      'street',
      'ip',
    ].includes(word),
  )
    ? 'person'
    : null
}
