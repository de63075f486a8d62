/** dbt's four generic tests, and how a project's own are called, as templates that answer the rows that are wrong. */
import { nearest, type Place, PlinthError } from '../../errors.ts'
import { literal } from './naming.ts'
import { mappingOf } from './shapes.ts'

/** One use of a generic test. */
export interface Use {
  readonly kind: string
  /** Template expression of the table. */
  readonly relation: string
  readonly column: string | null
  readonly values: Readonly<Record<string, unknown>>
  /** Condition on the rows that are looked at; null for all. */
  readonly where: string | null
  readonly place: Place
}

/** The template of a use. `own` are the generic tests of the project, which come before those of dbt, and of packages as `package.test`. */
export function genericTemplate(use: Use, own: ReadonlySet<string>): string {
  const { kind, column, values, place } = use
  if (own.has(kind)) return ownTemplate(use)
  const make = builtIn[kind]
  if (!make) throw unknownTest(kind, [...Object.keys(builtIn), ...own], place)
  if (column === null) throw missing('column_name', kind, place)
  return make({ rows: rowsOf(use), column, values, place })
}

/** Arguments that are not the test's own but say how it is run. */
export const reserved = new Set(['name', 'config', 'arguments', 'description', 'column_name'])

function ownTemplate(use: Use): string {
  const { kind, column, values, relation, where } = use
  const given = Object.entries(values).filter(([key]) => !reserved.has(key))
  const blocks: string[] = []
  const args = [
    'model=model',
    ...(column === null ? [] : [`column_name=${literal(column)}`]),
    ...given.map(([key, value]) => `${key}=${argument(value, blocks)}`),
  ].join(', ')
  const model =
    where === null
      ? `{%- set model = ${relation} -%}`
      : `{%- set model %}(select * from {{ ${relation} }} where ${where}) dbt_subquery{% endset -%}`
  const called = kind.includes('.') ? kind.replace('.', '.test_') : `test_${kind}`
  return `${blocks.join('')}${model}\n{{ ${called}(${args}) }}`
}

/** dbt renders texts, also a text that is a call of one of these without being marked as a template. `blocks` take those that are templates in part. */
function argument(value: unknown, blocks: string[]): string {
  if (Array.isArray(value)) return `[${value.map(one => argument(one, blocks)).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, one]) => `${literal(key)}: ${argument(one, blocks)}`)
      .join(', ')}}`
  if (typeof value === 'string' && /^\s*(env_var|ref|var|source)\s*\(.+\)\s*$/.test(value)) return value.trim()
  const written = typeof value === 'string' ? /^\s*\{\{((?:(?!\}\})[\s\S])+)\}\}\s*$/.exec(value)?.[1] : undefined
  if (written !== undefined) return `(${written})`
  if (typeof value === 'string' && /\{[{%]/.test(value)) {
    const name = `argument_${blocks.length + 1}`
    blocks.push(`{% set ${name} %}${value}{% endset %}`)
    return name
  }
  return literal(value)
}

function rowsOf({ relation, where }: Use): string {
  return where === null ? `{{ ${relation} }}` : `(select * from {{ ${relation} }}\nwhere ${where}\n)`
}

interface Arguments {
  readonly rows: string
  readonly column: string
  readonly values: Readonly<Record<string, unknown>>
  readonly place: Place
}

const builtIn: Readonly<Record<string, (given: Arguments) => string>> = {
  not_null: ({ rows, column }) => `select * from ${rows} as tested where ${column} is null`,
  // BigQuery does not know an expression again in its own `group by`, and a column may be given as one.
  unique: ({ rows, column }) =>
    `select unique_field, count(*) as n_records from (select ${column} as unique_field from ${rows} as tested) as valued where unique_field is not null group by unique_field having count(*) > 1`,
  accepted_values: ({ rows, column, values, place }) => {
    const accepted = values['values']
    if (!Array.isArray(accepted) || accepted.length === 0) throw missing('values', 'accepted_values', place)
    const quote = values['quote'] !== false
    const list = accepted.map(value => (quote ? `'${String(value).replaceAll("'", "''")}'` : String(value))).join(', ')
    return `select value_field, count(*) as n_records from (select ${column} as value_field from ${rows} as tested) as valued where value_field is not null and value_field not in (${list}) group by value_field`
  },
  relationships: ({ rows, column, values, place }) => {
    const { to, field } = values
    if (typeof to !== 'string') throw missing('to', 'relationships', place)
    if (typeof field !== 'string') throw missing('field', 'relationships', place)
    return `select child.${column} as from_field from ${rows} as child where child.${column} is not null and not exists (select 1 from {{ ${to} }} as parent where parent.${field} = child.${column})`
  },
}

/** The kind and what was given to it. Throws TRANSFORM_INVALID for an entry that names no test or several. */
export function entryOf(
  entry: string | Readonly<Record<string, unknown>>,
  place: Place,
): { readonly kind: string; readonly given: Readonly<Record<string, unknown>> } {
  if (typeof entry === 'string') return { kind: plainKind(entry), given: {} }
  const { test_name: named, ...others } = entry
  if (typeof named === 'string') return { kind: plainKind(named), given: others }
  const [pair, ...rest] = Object.entries(entry)
  if (!pair || (rest.length > 0 && typeof pair[1] !== 'object' && pair[1] !== null))
    throw new PlinthError('TRANSFORM_INVALID', 'This entry does not name one test.', { at: place })
  return { kind: plainKind(pair[0]), given: { ...Object.fromEntries(rest), ...mappingOf(pair[1]) } }
}

/** dbt's own tests may be named with their package. */
function plainKind(kind: string): string {
  return kind.replace(/^dbt\./, '')
}

function unknownTest(kind: string, known: readonly string[], at: Place): PlinthError {
  const guess = nearest(kind, known)
  const hint = kind.includes('.')
    ? `Name the package in packages.yml and run \`dbt deps\`, or write {% test ${kind.split('.').at(-1)}(model, column_name) %} into the folder of macros. Known: ${known.slice(0, 40).join(', ')}.`
    : guess
      ? `Did you mean "${guess}"?`
      : `Known: ${known.join(', ')}. Define others with {% test ${kind}(model, column_name) %} in the folder of macros or in tests/generic.`
  return new PlinthError('TRANSFORM_INVALID', `There is no generic test "${kind}".`, { at, hint })
}

function missing(argument: string, kind: string, at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `The test "${kind}" needs "${argument}".`, { at })
}
