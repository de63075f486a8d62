/** What properties files say of a transform's columns: types, descriptions, constraints, and the contract that is made of them. */
import { type Place, PlinthError } from '../../errors.ts'
import { described } from './files.ts'
import type { Column, Constraint, Contract } from './project.ts'
import type { ModelProperties } from './shapes.ts'

/** What a properties file says of a transform, with its place. */
export interface Patch {
  readonly model: ModelProperties
  /** The properties file within the project. */
  readonly path: string
  readonly place: (path: readonly PropertyKey[]) => Place
}

export function columnsOf(patch: Patch | undefined, docs: ReadonlyMap<string, string>): Column[] {
  return (patch?.model.columns ?? []).map((column, index) => {
    const place = patch?.place(['columns', index, 'name']) ?? {}
    return {
      name: column.name,
      type: column.data_type ?? '',
      description: described(column.description, docs, place),
      constraints: (column.constraints ?? []).map((given, at) =>
        constraintOf(given, [column.name], patch?.place(['columns', index, 'constraints', at]) ?? place),
      ),
      place,
    }
  })
}

type GivenConstraint = NonNullable<ModelProperties['constraints']>[number]

function constraintOf(given: GivenConstraint, columns: readonly string[], place: Place): Constraint {
  return {
    type: given.type,
    name: given.name ?? null,
    columns: given.columns ?? columns,
    expression: given.expression ?? null,
    to: given.to ?? null,
    toColumns: given.to_columns ?? [],
    place,
  }
}

export function contractOf(
  name: string,
  columns: readonly Column[],
  patch: Patch | undefined,
  place: Place,
  materialized: string,
): Contract {
  const at = patch?.place(['name']) ?? place
  if (materialized === 'ephemeral') {
    throw new PlinthError('TRANSFORM_INVALID', `The contract of "${name}" cannot be held: it is ephemeral.`, {
      at: place,
      hint: 'Contracts are held by incremental transforms, tables and views.',
    })
  }
  if (columns.length === 0) {
    throw new PlinthError('TRANSFORM_INVALID', `The contract of "${name}" lists no columns.`, {
      at,
      hint: 'List every column with its data_type in the properties file.',
    })
  }
  const untyped = columns.find(column => column.type === '')
  if (untyped)
    throw new PlinthError(
      'TRANSFORM_INVALID',
      `In the contract of "${name}" the column "${untyped.name}" has no data_type.`,
      {
        at: untyped.place,
      },
    )
  const known = new Set(columns.map(column => column.name))
  const constraints = (patch?.model.constraints ?? []).map((given, index) =>
    constraintOf(given, [], patch?.place(['constraints', index]) ?? at),
  )
  for (const constraint of constraints) {
    const unknown = constraint.columns.find(column => !known.has(column))
    if (unknown === undefined) continue
    throw new PlinthError('TRANSFORM_INVALID', `A constraint of "${name}" names an unknown column "${unknown}".`, {
      at: constraint.place,
    })
  }
  return { columns, constraints, place: at }
}
