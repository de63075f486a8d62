/** What contracts promise of rows, as generic tests: a warehouse holds little of it by itself. */
import type { Place } from '../../errors.ts'
import type { Transform } from '../project/project.ts'

/** A generic test where it stands. */
export interface Declaration {
  readonly entry: string | Readonly<Record<string, unknown>>
  readonly relation: string
  readonly subject: string
  readonly column: string | null
  readonly file: string
  readonly path: string
  readonly place: (path: readonly PropertyKey[]) => Place
}

/** What a contract promises of rows and a warehouse may not hold by itself. */
export function contractChecks(
  transform: Transform,
  isChecked: (subject: string, column: string) => boolean,
): Declaration[] {
  if (!transform.contract) return []
  const constraints = [
    ...transform.contract.constraints,
    ...transform.contract.columns.flatMap(column => column.constraints),
  ]
  const declared = (entry: Record<string, unknown>, place: Place): Declaration => ({
    entry,
    relation: `ref('${transform.name}')`,
    subject: transform.name,
    column: null,
    file: place.file ?? '',
    path: transform.path,
    place: () => place,
  })
  return constraints.flatMap(({ type, columns, expression, name, to, toColumns, place }) => {
    const named = (kind: string) => name ?? `contract_${kind}_${transform.name}_${columns.join('_') || 'rows'}`
    const notNull = (column: string) =>
      declared({ not_null: { name: `contract_not_null_${transform.name}_${column}`, column_name: column } }, place)
    const unique = () => declared({ unique: { name: named(type), column_name: keyOf(columns) } }, place)
    const unchecked = columns.filter(column => !isChecked(transform.name, column))
    if (type === 'not_null') return unchecked.map(notNull)
    if (type === 'unique') return [unique()]
    if (type === 'primary_key') return [...unchecked.map(notNull), unique()]
    if (type === 'check' && expression !== null)
      return [
        declared(
          {
            not_null: {
              name: named(type),
              column_name: `nullif(${expression}, false)`,
              config: { where: `(${expression}) is not null` },
            },
          },
          place,
        ),
      ]
    if (type === 'foreign_key' && to !== null && columns.length === 1)
      return [
        declared(
          { relationships: { name: named(type), column_name: columns[0], to, field: toColumns[0] ?? columns[0] } },
          place,
        ),
      ]
    return []
  })
}

function keyOf(columns: readonly string[]): string {
  return columns.length === 1 ? (columns[0] ?? '') : `concat(${columns.join(", '/', ")})`
}
