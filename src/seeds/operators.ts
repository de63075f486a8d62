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
import { type Datum, keyText, type Protection, scalarText, Sealed, uuidFrom, uuidOf } from './datum.ts'
import { instantText, offsetMs } from './duration.ts'
import { generators } from './generators.ts'
import { columnOf, mapOf, plain, positive, textOf } from './operand.ts'
import type { Compiled, Evaluate, Operator, Options, Scope } from './scope.ts'

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

  ...generators,
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
