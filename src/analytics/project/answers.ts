/** What a query answered, as dbt's templates see it: rows and columns by number and by name. */
import type { Row } from '../../engines/engine.ts'
import { fraction, record, type TemplateValue } from '../../sql/template.ts'

export interface TypedColumn {
  readonly name: string
  readonly type: string
}

/** Rows as a table, whose cells are values of templates. */
export function tableValue(columns: readonly TypedColumn[], rows: readonly Row[]): TemplateValue {
  const names = columns.map(({ name }) => name)
  const cells = rows.map(row => columns.map(({ name, type }) => cellValue(row[name], type)))
  const made = cells.map(values => sequence(values, names))
  const lists = names.map((name, at) => {
    const values = cells.map(row => row[at] ?? null)
    return record(values, { values: () => record(values), name, values_distinct: () => record([...new Set(values)]) })
  })
  return record(made, {
    rows: sequence(made, []),
    columns: sequence(lists, names),
    column_names: record(names),
    print_table: () => '',
  })
}

/** Items that have names as well. */
function sequence(items: readonly TemplateValue[], names: readonly string[]): TemplateValue {
  const named = Object.fromEntries(names.map((name, at) => [name, items[at] ?? null]))
  const pairs = () => names.map((name, at) => record([name, items[at] ?? null]))
  return record(items, {
    values: () => record(items),
    keys: () => record(names),
    items: pairs,
    dict: () => named,
    get: ([name, otherwise]) => named[String(name)] ?? ((otherwise ?? null) as TemplateValue),
    ...named,
  })
}

/** Numbers count, times print as Python prints them. */
function cellValue(value: unknown, type: string): TemplateValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return isFraction(type) ? fraction(value) : value
  if (typeof value !== 'string') return JSON.stringify(value)
  if (isNumeric(type) && Number.isFinite(Number(value)))
    return isFraction(type) ? fraction(Number(value)) : Number(value)
  if (!/timestamp|datetime/i.test(type)) return value
  const zone = /with time zone|timestamptz/i.test(type) ? '+00:00' : ''
  return value.replace('T', ' ').replace(/(\.0+)?Z$/, '') + zone
}

/** One column of a relation, as `adapter.get_columns_in_relation` gives them. */
export function columnValue({ name, type }: TypedColumn, quote: (name: string) => string): TemplateValue {
  const isText = /char|text|string/i.test(type)
  const isInteger = /int|serial/i.test(type) && !/interval|point/i.test(type)
  const isFloat = /float|double|real/i.test(type)
  const says = (answer: boolean) => () => answer
  return {
    name,
    column: name,
    quoted: quote(name),
    dtype: type,
    data_type: type,
    char_size: null,
    string_size: () => 256,
    is_string: says(isText),
    is_number: says(isNumeric(type)),
    is_numeric: says(/decimal|numeric/i.test(type)),
    is_integer: says(isInteger),
    is_float: says(isFloat),
  }
}

function isFraction(type: string): boolean {
  return /decimal|numeric|float|double|real/i.test(type) && !/decimal\(\d+, ?0\)/i.test(type)
}

export function isNumeric(type: string): boolean {
  return /int|decimal|numeric|float|double|real/i.test(type) && !/interval|point/i.test(type)
}
