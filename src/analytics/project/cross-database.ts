/** dbt's own macros that say the same on every engine, as `dbt.dateadd(…)` or without the `dbt.`. */
import type { TemplateFunction } from '../../sql/template.ts'
import { textOf } from './shapes.ts'

/** The functions of an engine; DuckDB's spelling, which is mostly PostgreSQL's, where it has none of its own. */
export function crossDatabase(engine: string): Readonly<Record<string, TemplateFunction>> {
  const spelled = { ...common, ...(engine === 'bigquery' ? bigquery : {}) }
  return Object.fromEntries(
    Object.entries(spelled).map(([name, { parameters, write }]): [string, TemplateFunction] => [
      name,
      (positional, named) =>
        write(...parameters.map((parameter, index) => argument(positional[index] ?? named[parameter]))),
    ]),
  )
}

interface Spelled {
  readonly parameters: readonly string[]
  readonly write: (...values: string[]) => string
}

const word = (parameters: string, write: Spelled['write']): Spelled => ({
  parameters: parameters.split(' ').filter(Boolean),
  write,
})

/** DuckDB's intervals have no quarters. */
function timesOf(part: string, count: string): string {
  return `(${count}) * interval ${part.toLowerCase() === 'quarter' ? '3 month' : `1 ${part}`}`
}

const common: Readonly<Record<string, Spelled>> = {
  dateadd: word(
    'datepart interval from_date_or_timestamp',
    (part = '', count = '', from = '') => `(${from} + ${timesOf(part, count)})`,
  ),
  datediff: word('first_date second_date datepart', (first = '', second = '', part = '') => {
    const [from, until] = [`cast(${first} as timestamp)`, `cast(${second} as timestamp)`]
    if (part.toLowerCase() !== 'week') return `date_diff('${part}', ${from}, ${until})`
    // A week begins on Sunday to dbt and on Monday to DuckDB; backwards, dbt's adapter counts as this does.
    const days = `date_diff('day', ${from}, ${until})`
    const isEarlier = `date_part('dow', ${from}) <= date_part('dow', ${until})`
    const isForward = `${from} <= ${until}`
    return `(${days} // 7 + case when ${isEarlier} then case when ${isForward} then 0 else -1 end when ${isForward} then 1 else 0 end)`
  }),
  date_trunc: word('datepart date', (part = '', date = '') => `date_trunc('${part}', ${date})`),
  last_day: word(
    'date datepart',
    (date = '', part = '') => `cast(date_trunc('${part}', ${date}) + ${timesOf(part, '1')} - interval 1 day as date)`,
  ),
  date: word('year month day', (year = '', month = '', day = '') => `make_date(${year}, ${month}, ${day})`),
  current_timestamp: word('', () => 'current_timestamp'),
  cast: word('field type', (field = '', type = '') => `cast(${field} as ${type})`),
  safe_cast: word('field type', (field = '', type = '') => `try_cast(${field} as ${type})`),
  cast_bool_to_text: word('field', (field = '') => `cast(${field} as varchar)`),
  concat: word('fields', (fields = '') => fields.split('\u0000').join(' || ')),
  length: word('expression', (expression = '') => `length(${expression})`),
  position: word('substring_text string_text', (part = '', text = '') => `position(${part} in ${text})`),
  replace: word('field old_chars new_chars', (field = '', from = '', to = '') => `replace(${field}, ${from}, ${to})`),
  right: word('string_text length_expression', (text = '', length = '') => `right(${text}, ${length})`),
  split_part: word(
    'string_text delimiter_text part_number',
    (text = '', delimiter = '', part = '') => `string_split(${text}, ${delimiter})[${part}]`,
  ),
  hash: word('field', (field = '') => `md5(cast(${field} as varchar))`),
  date_spine: word(
    'datepart start_date end_date',
    (part = '', from = '', until = '') =>
      `select cast(${from} as timestamp) + number * interval 1 ${part} as date_${part} from (select unnest(range(date_diff('${part}', cast(${from} as timestamp), cast(${until} as timestamp)))) as number) as numbered`,
  ),
  generate_series: word('upper_bound', (bound = '') => `select unnest(range(1, ${bound} + 1)) as generated_number`),
  any_value: word('expression', (expression = '') => `any_value(${expression})`),
  bool_or: word('expression', (expression = '') => `bool_or(${expression})`),
  listagg: word(
    'measure delimiter_text order_by_clause limit_num',
    (measure = '', delimiter = '', order = '', limit = '') => {
      const by = delimiter || "','"
      if (limit === '') return `string_agg(${measure}, ${by}${order ? ` ${order}` : ''})`
      return `list_aggr((array_agg(${measure}${order ? ` ${order}` : ''}))[1:${limit}], 'string_agg', ${by})`
    },
  ),
  array_construct: word('inputs', (inputs = '') => `[${inputs.split('\u0000').join(', ')}]`),
  array_append: word('array new_element', (array = '', item = '') => `array_append(${array}, ${item})`),
  array_concat: word('array_1 array_2', (first = '', second = '') => `list_concat(${first}, ${second})`),
  equals: word('expr1 expr2', (first = '', second = '') => `(${first} = ${second})`),
  current_timestamp_backcompat: word('', () => 'cast(current_timestamp as timestamp)'),
  current_timestamp_in_utc_backcompat: word('', () => 'cast(current_timestamp as timestamp)'),
  snapshot_get_time: word('', () => 'cast(current_timestamp as timestamp)'),
  string_literal: word('value', (value = '') => `'${value}'`),
  escape_single_quotes: word('expression', (expression = '') => expression.replaceAll("'", "''")),
  except: word('', () => 'except'),
  intersect: word('', () => 'intersect'),
  type_string: word('', () => 'varchar'),
  type_timestamp: word('', () => 'timestamp'),
  type_float: word('', () => 'float'),
  type_numeric: word('', () => 'numeric(28, 6)'),
  type_bigint: word('', () => 'bigint'),
  type_int: word('', () => 'integer'),
  type_boolean: word('', () => 'boolean'),
}

const bigquery: Readonly<Record<string, Spelled>> = {
  dateadd: word(
    'datepart interval from_date_or_timestamp',
    (part = '', count = '', from = '') => `datetime_add(cast(${from} as datetime), interval ${count} ${part})`,
  ),
  datediff: word(
    'first_date second_date datepart',
    (first = '', second = '', part = '') =>
      `datetime_diff(cast(${second} as datetime), cast(${first} as datetime), ${part})`,
  ),
  date_trunc: word('datepart date', (part = '', date = '') => `timestamp_trunc(cast(${date} as timestamp), ${part})`),
  last_day: word('date datepart', (date = '', part = '') => `last_day(cast(${date} as date), ${part})`),
  date: word('year month day', (year = '', month = '', day = '') => `date(${year}, ${month}, ${day})`),
  current_timestamp: word('', () => 'current_timestamp()'),
  safe_cast: word('field type', (field = '', type = '') => `safe_cast(${field} as ${type})`),
  cast_bool_to_text: word('field', (field = '') => `cast(${field} as string)`),
  position: word('substring_text string_text', (part = '', text = '') => `strpos(${text}, ${part})`),
  split_part: word(
    'string_text delimiter_text part_number',
    (text = '', delimiter = '', part = '') => `split(${text}, ${delimiter})[safe_offset(${part} - 1)]`,
  ),
  hash: word('field', (field = '') => `to_hex(md5(cast(${field} as string)))`),
  date_spine: word(
    'datepart start_date end_date',
    (part = '', from = '', until = '') =>
      `select datetime_add(cast(${from} as datetime), interval number ${part}) as date_${part} from unnest(generate_array(0, datetime_diff(cast(${until} as datetime), cast(${from} as datetime), ${part}) - 1)) as number`,
  ),
  generate_series: word(
    'upper_bound',
    (bound = '') => `select generated_number from unnest(generate_array(1, ${bound})) as generated_number`,
  ),
  bool_or: word('expression', (expression = '') => `logical_or(${expression})`),
  array_append: word('array new_element', (array = '', item = '') => `array_concat(${array}, [${item}])`),
  array_concat: word('array_1 array_2', (first = '', second = '') => `array_concat(${first}, ${second})`),
  current_timestamp_backcompat: word('', () => 'current_timestamp()'),
  current_timestamp_in_utc_backcompat: word('', () => 'current_timestamp()'),
  snapshot_get_time: word('', () => 'current_timestamp()'),
  except: word('', () => 'except distinct'),
  intersect: word('', () => 'intersect distinct'),
  type_string: word('', () => 'string'),
  type_float: word('', () => 'float64'),
  type_numeric: word('', () => 'numeric'),
  type_bigint: word('', () => 'int64'),
  type_int: word('', () => 'int64'),
  type_boolean: word('', () => 'bool'),
}

/** Lists come as one text, since every other argument is one. */
function argument(value: unknown): string {
  if (Array.isArray(value)) return value.map(item => argument(item)).join('\u0000')
  if (typeof value === 'object' && value !== null && 'text' in value) return String(value.text)
  return textOf(value) ?? ''
}
