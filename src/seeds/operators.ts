/**
 * What a value in a table file can be. A value is
 *
 * - a plain YAML value: text, number, true, false, null, a list, a map (for json columns);
 * - `$name` or `$name.column`: a variable or an earlier column of the same row, or a column of a row that a variable holds; `$$` is a dollar;
 * - a map with one operator of the table below as a key, and the operator's options beside it.
 *
 * Every operator reads its operand once and answers a function of the row, so that a row costs no parsing. Random values come from a stream
 * of the column's own, at the number of the row.
 */
import { nearest } from '../errors.ts'
import { type Datum, keyText, type Protection, scalarText, Sealed, SeedRow, uuidFrom, uuidOf } from './datum.ts'
import { type Choice, logNormal, weighted, zipfWeights } from './distribution.ts'
import { durationMs, instantText, offsetMs } from './duration.ts'
import type { Stream } from './random.ts'
import { timeSampler } from './season.ts'

/** The values of a row so far, by column or `$variable` without its dollar. */
export interface Draft {
  readonly number: number
  readonly values: Map<string, Datum>
}

export type Evaluate = (row: Draft) => Datum

/** What an operator may ask for while it reads its operand. */
export interface Scope {
  readonly table: string
  readonly identity: string
  readonly anchorMs: number
  readonly fromMs: number
  /** Random numbers of this column. */
  readonly stream: Stream
  /** Names that are set before this one. */
  readonly names: ReadonlySet<string>
  /** The rows of a table that was listed earlier, by its name with or without the schema. */
  rowsOf(table: string): readonly SeedRow[]
  /** SEED_INVALID at a place below the value. */
  invalid(message: string, hint?: string, path?: readonly PropertyKey[]): Error
}

export interface Compiled {
  readonly evaluate: Evaluate
  readonly protection: Protection | null
  /** True when the value is an id that derives from the row's natural key. */
  readonly identity: boolean
}

/** Reads a value of a table file. `json` columns take maps as they are. */
export function compile(value: unknown, scope: Scope, column: 'json' | 'other' = 'other'): Compiled {
  const operator = column === 'json' ? null : operatorOf(value, scope)
  if (!operator)
    return {
      evaluate: column === 'json' ? () => value as Datum : plain(value, scope),
      protection: null,
      identity: false,
    }
  const { name, operand, options } = operator
  const known: Operator = operators[name] as Operator
  for (const option of Object.keys(options)) {
    if (known.options.includes(option)) continue
    const guess = nearest(option, known.options)
    throw scope.invalid(
      `"${name}" has no option "${option}".`,
      guess ? `Did you mean "${guess}"?` : `Its options: ${known.options.join(', ') || 'none'}.`,
      [option],
    )
  }
  return {
    evaluate: known.read(operand, options, scope),
    protection: known.protection ?? null,
    identity: name === 'uuid' && Array.isArray(operand),
  }
}

interface Operator {
  readonly options: readonly string[]
  readonly protection?: Protection
  read(operand: unknown, options: Options, scope: Scope): Evaluate
}

type Options = Readonly<Record<string, unknown>>

const operators: Readonly<Record<string, Operator>> = {
  /** `{ ref: organizations.acme.id }`: a column of a labelled row of an earlier table; without a column, the row. */
  ref: {
    options: [],
    read(operand, _options, scope) {
      const match = /^([a-z_][a-z0-9_]*)\.([\w-]+)(?:\.([a-z_][a-z0-9_]*))?$/.exec(textOf(operand, 'ref', scope))
      if (!match) throw scope.invalid('A reference is written table.label or table.label.column.', undefined, ['ref'])
      const [, table = '', label = '', column] = match
      const rows = scope.rowsOf(table)
      const row = rows.find(candidate => candidate.label === label)
      if (!row) {
        const guess = nearest(
          label,
          rows.map(candidate => candidate.label),
        )
        throw scope.invalid(`${table} has no row "${label}".`, guess ? `Did you mean "${guess}"?` : undefined, ['ref'])
      }
      const value = column === undefined ? row : columnOf(row, column, scope, ['ref'])
      return () => value
    },
  },

  /** `{ uuid: [$slug] }`: an id that derives from these values; `{ uuid: row }`: one that derives from the row's number. */
  uuid: {
    options: [],
    read(operand, _options, scope) {
      if (operand === 'row') return row => uuidOf(scope.stream.words(row.number))
      if (!Array.isArray(operand) || operand.length === 0) {
        throw scope.invalid('"uuid" takes the values of the natural key as a list, or the word row.', undefined, [
          'uuid',
        ])
      }
      const parts = operand.map((part, index) => plain(part, scope, ['uuid', index]))
      return row => uuidFrom([scope.identity, scope.table, ...parts.map(part => keyText(part(row)))])
    },
  },

  /** `{ text: 'user-{$row}@{$each.slug}.example.com' }`. */
  text: {
    options: [],
    read(operand, _options, scope) {
      const pieces = textOf(operand, 'text', scope).split(/(\{\$[^}]*\})/)
      const parts = pieces.map(piece =>
        piece.startsWith('{$') ? plain(piece.slice(1, -1), scope, ['text']) : () => piece,
      )
      return row => parts.map(part => scalarText(part(row))).join('')
    },
  },

  /** `{ at: -36h }`: a time before or after the anchor. */
  at: {
    options: [],
    read(operand, _options, scope) {
      const offset = typeof operand === 'string' ? offsetMs(operand) : undefined
      if (offset === undefined)
        throw scope.invalid('"at" takes a distance from the anchor, such as -3d or -36h.', undefined, ['at'])
      const text = instantText(scope.anchorMs + offset)
      return () => text
    },
  },

  /** `{ encrypt: $email }`: stored encrypted; never compared or told in plain. */
  encrypt: { options: [], protection: 'encrypted', read: sealing('encrypt', 'encrypted') },

  /** `{ hash: $email, as: email }`: stored as a keyed hash by which it can be looked up. */
  hash: { options: ['as'], protection: 'hashed', read: sealing('hash', 'hashed') },

  /** `{ secret: plk }`: a random secret with that prefix, made when the row is first inserted; only its keyed hash is stored. */
  secret: { options: [], protection: 'secret', read: sealing('secret', 'secret') },

  /** `{ pick: organizations, zipf: 1.1, where: {status: active} }`: a row of an earlier table. */
  pick: { options: ['where', 'match', 'zipf', 'weigh'], read: readPick },

  /** `{ choice: {success: 94, error: 6} }`: one of the texts, by weight. */
  choice: {
    options: [],
    read(operand, _options, scope) {
      const entries = weightsOf(operand, scope, ['choice'])
      const choice = weighted(entries.map(([, weight]) => weight))
      return row => entries[choice.pick(scope.stream.uniform(row.number))]?.[0] ?? null
    },
  },

  /** `{ integer: [1, 6] }`: a whole number, both ends included. */
  integer: {
    options: [],
    read(operand, _options, scope) {
      const [low, high] = Array.isArray(operand) ? operand : []
      if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || low > high) {
        throw scope.invalid('"integer" takes two whole numbers, the lower one first.', undefined, ['integer'])
      }
      return row => low + Math.floor(scope.stream.uniform(row.number) * (high - low + 1))
    },
  },

  /** `{ lognormal: 420, sigma: 0.8, min: 20, max: 60000 }`: a whole number around that median. */
  lognormal: {
    options: ['sigma', 'min', 'max'],
    read(operand, options, scope) {
      const median = positive(operand, 'lognormal', scope)
      const sigma = positive(options['sigma'], 'sigma', scope)
      const min = options['min'] === undefined ? 0 : number(options['min'], 'min', scope)
      const max = options['max'] === undefined ? Number.MAX_SAFE_INTEGER : number(options['max'], 'max', scope)
      return row => Math.min(max, Math.max(min, Math.round(logNormal(scope.stream.words(row.number), median, sigma))))
    },
  },

  /** `{ time: window, hours: [24 weights], weekdays: [7 weights from Monday], growth: 1.05 }`: a moment of the package's window. */
  time: {
    options: ['hours', 'weekdays', 'growth'],
    read(operand, options, scope) {
      if (operand !== 'window') throw scope.invalid('"time" takes the word window.', undefined, ['time'])
      const sample = timeSampler({
        fromMs: scope.fromMs,
        toMs: scope.anchorMs,
        hours: numbers(options['hours'], 24, 'hours', scope),
        weekdays: numbers(options['weekdays'], 7, 'weekdays', scope),
        weeklyGrowth: options['growth'] === undefined ? 1 : positive(options['growth'], 'growth', scope),
      })
      return row => instantText(sample(scope.stream.uniform(row.number)))
    },
  },

  /** `{ after: $occurred_at, median: 2s, sigma: 1, late: {share: 0.02, from: 1h, to: 4d} }`: a moment a little later, for some much later. */
  after: {
    options: ['median', 'sigma', 'late'],
    read(operand, options, scope) {
      const start = plain(operand, scope, ['after'])
      const medianMs = duration(options['median'], 'median', scope)
      const sigma = positive(options['sigma'], 'sigma', scope)
      const late = (options['late'] ?? { share: 0, from: '1h', to: '1h' }) as Options
      const share = number(late['share'], 'share', scope)
      const fromMs = duration(late['from'], 'from', scope)
      const toMs = duration(late['to'], 'to', scope)
      return row => {
        const startMs = Date.parse(scalarText(start(row)))
        const { stream } = scope
        // Squared, so that a delay of hours is more common than one of days.
        if (stream.uniform(row.number, 1) < share)
          return instantText(startMs + fromMs + stream.uniform(row.number, 2) ** 2 * (toMs - fromMs))
        return instantText(startMs + logNormal(stream.words(row.number), medianMs, sigma))
      }
    },
  },

  /** `{ case: $status, when: {error: …}, else: null }`: a value that depends on another. */
  case: {
    options: ['when', 'else'],
    read(operand, options, scope) {
      const subject = plain(operand, scope, ['case'])
      const when = mapOf(options['when'], scope, ['when'])
      const branches = new Map(
        Object.entries(when).map(([text, value]) => [text, unprotected(value, scope, ['when', text])]),
      )
      const otherwise = unprotected(options['else'] ?? null, scope, ['else'])
      return row => (branches.get(scalarText(subject(row))) ?? otherwise)(row)
    },
  },

  /** `{ charge: [$input_tokens, $output_tokens], per: 1000, price: $model.cost_per_1k_tokens }`: a price for units, to six decimals. */
  charge: {
    options: ['per', 'price'],
    read(operand, options, scope) {
      if (!Array.isArray(operand)) throw scope.invalid('"charge" takes a list of amounts.', undefined, ['charge'])
      const amounts = operand.map((amount, index) => plain(amount, scope, ['charge', index]))
      const price = plain(options['price'], scope, ['price'])
      const per = positive(options['per'] ?? 1, 'per', scope)
      return row => {
        const units = amounts.reduce((sum, amount) => sum + Number(amount(row)), 0)
        // Whole millionths, so that no binary fraction is ever summed.
        const millionths = Math.round((units * Math.round(Number(price(row)) * 1e6)) / per)
        return `${Math.floor(millionths / 1e6)}.${String(millionths % 1e6).padStart(6, '0')}`
      }
    },
  },
}

function operatorOf(
  value: unknown,
  scope: Scope,
): { readonly name: string; readonly operand: unknown; readonly options: Options } | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null
  const keys = Object.keys(value)
  const name = keys.find(key => Object.hasOwn(operators, key))
  if (name === undefined) {
    const first = keys[0] ?? ''
    const guess = nearest(first, Object.keys(operators))
    throw scope.invalid(
      `"${first}" is no operator.`,
      guess ? `Did you mean "${guess}"?` : `Operators: ${Object.keys(operators).join(', ')}.`,
      [first],
    )
  }
  const { [name]: operand, ...options } = value as Record<string, unknown>
  return { name, operand, options }
}

/** A plain value or a `$name`. */
function plain(value: unknown, scope: Scope, path: readonly PropertyKey[] = []): Evaluate {
  if (typeof value !== 'string' || !value.startsWith('$')) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      throw scope.invalid('An operator cannot stand here.', 'Give the value to a $variable first.', path)
    }
    return () => value as Datum
  }
  if (value.startsWith('$$')) return () => value.slice(1)
  const [name = '', column, ...more] = value.slice(1).split('.')
  if (more.length > 0) throw scope.invalid(`"${value}" has too many parts.`, 'Write $name or $name.column.', path)
  if (!scope.names.has(name)) {
    const guess = nearest(name, [...scope.names])
    throw scope.invalid(
      `"$${name}" is not set before this value.`,
      guess ? `Did you mean "$${guess}"?` : undefined,
      path,
    )
  }
  if (column === undefined) return row => row.values.get(name) ?? null
  return row => {
    const held = row.values.get(name)
    if (!(held instanceof SeedRow))
      throw scope.invalid(`"$${name}" holds no row, so it has no column "${column}".`, undefined, path)
    return columnOf(held, column, scope, path)
  }
}

function columnOf(row: SeedRow, column: string, scope: Scope, path: readonly PropertyKey[]): Datum {
  const value = row.values.get(column)
  if (value === undefined) {
    const guess = nearest(column, [...row.values.keys()])
    throw scope.invalid(
      `The row "${row.label}" has no column "${column}".`,
      guess ? `Did you mean "${guess}"?` : undefined,
      path,
    )
  }
  if (value instanceof Sealed)
    throw scope.invalid(
      `"${column}" of the row "${row.label}" is protected and cannot be referred to.`,
      undefined,
      path,
    )
  return value
}

/** Inside of `case` nothing may be protected, because a column is protected in every row or in none. */
function unprotected(value: unknown, scope: Scope, path: readonly PropertyKey[]): Evaluate {
  const compiled = compile(value, {
    ...scope,
    invalid: (message, hint, below = []) => scope.invalid(message, hint, [...path, ...below]),
  })
  if (compiled.protection) throw scope.invalid('A protected value cannot depend on a case.', undefined, path)
  return compiled.evaluate
}

function sealing(name: string, protection: Protection) {
  return (operand: unknown, options: Options, scope: Scope): Evaluate => {
    const form = options['as'] ?? 'exact'
    if (form !== 'exact' && form !== 'email') throw scope.invalid('"as" is email or exact.', undefined, ['as'])
    const inner = plain(operand, scope, [name])
    return row => {
      const value = inner(row)
      if (value === null) return null
      if (typeof value !== 'string') throw scope.invalid(`"${name}" takes a text.`, undefined, [name])
      return new Sealed(protection, value, form)
    }
  }
}

function readPick(operand: unknown, options: Options, scope: Scope): Evaluate {
  const fixed = Object.entries(mapOf(options['where'] ?? {}, scope, ['where']))
  const matched = Object.entries(mapOf(options['match'] ?? {}, scope, ['match'])).map(([column, value]) => ({
    column,
    alternatives: (Array.isArray(value) ? value : [value]).map(one => plain(one, scope, ['match', column])),
  }))
  const all = scope
    .rowsOf(String(operand))
    .filter(row => fixed.every(([column, wanted]) => accepts(columnOf(row, column, scope, ['where', column]), wanted)))
  const weigh = Object.entries(mapOf(options['weigh'] ?? {}, scope, ['weigh'])).map(
    ([column, weights]) => [column, new Map(weightsOf(weights, scope, ['weigh', column]))] as const,
  )
  const ranks = options['zipf'] === undefined ? null : zipfWeights(all.length, positive(options['zipf'], 'zipf', scope))
  const weightOf = (row: SeedRow, rank: number): number =>
    weigh.reduce(
      (weight, [column, weights]) =>
        weight * (weights.get(scalarText(columnOf(row, column, scope, ['weigh', column]))) ?? 1),
      ranks?.[rank] ?? 1,
    )
  const groups = new Map<string, { readonly rows: readonly SeedRow[]; readonly choice: Choice }>()
  return row => {
    const wanted = matched.map(({ alternatives }) => alternatives.map(alternative => keyText(alternative(row))))
    const key = JSON.stringify(wanted)
    let group = groups.get(key)
    if (!group) {
      const rows = all.filter(candidate =>
        matched.every(({ column }, index) =>
          wanted[index]?.includes(keyText(columnOf(candidate, column, scope, ['match', column]))),
        ),
      )
      if (rows.length === 0)
        throw scope.invalid(`No row of ${String(operand)} matches.`, 'Add such a row, or widen where and match.', [
          'pick',
        ])
      group = { rows, choice: weighted(rows.map(weightOf)) }
      groups.set(key, group)
    }
    return group.rows[group.choice.pick(scope.stream.uniform(row.number))] ?? null
  }
}

/** Whether a value is the wanted one, or one of a list. */
export function accepts(value: Datum, wanted: unknown): boolean {
  return Array.isArray(wanted)
    ? wanted.some(one => keyText(one as Datum) === keyText(value))
    : keyText(wanted as Datum) === keyText(value)
}

function mapOf(value: unknown, scope: Scope, path: readonly PropertyKey[]): Readonly<Record<string, unknown>> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw scope.invalid(`"${path.join('.')}" must be a map.`, undefined, path)
}

function weightsOf(value: unknown, scope: Scope, path: readonly PropertyKey[]): [string, number][] {
  const entries = Object.entries(mapOf(value, scope, path)).map(([text, weight]): [string, number] => [
    text,
    number(weight, text, scope),
  ])
  if (!entries.some(([, weight]) => weight > 0) || entries.some(([, weight]) => weight < 0)) {
    throw scope.invalid('Weights are at least 0, and one must be above.', undefined, path)
  }
  return entries
}

function textOf(value: unknown, name: string, scope: Scope): string {
  if (typeof value === 'string') return value
  throw scope.invalid(`"${name}" takes a text.`, undefined, [name])
}

function number(value: unknown, name: string, scope: Scope): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw scope.invalid(`"${name}" must be a number.`, undefined, [name])
}

function positive(value: unknown, name: string, scope: Scope): number {
  const given = number(value, name, scope)
  if (given > 0) return given
  throw scope.invalid(`"${name}" must be above 0.`, undefined, [name])
}

function numbers(value: unknown, count: number, name: string, scope: Scope): number[] {
  if (value === undefined) return Array.from({ length: count }, () => 1)
  if (Array.isArray(value) && value.length === count && value.every(one => typeof one === 'number' && one >= 0))
    return value as number[]
  throw scope.invalid(`"${name}" must be a list of ${count} weights.`, undefined, [name])
}

function duration(value: unknown, name: string, scope: Scope): number {
  const given = typeof value === 'string' ? durationMs(value) : undefined
  if (given !== undefined) return given
  throw scope.invalid(`"${name}" must be a length of time, such as 2s, 36h or 4d.`, undefined, [name])
}
