/** Reads operands and options, each with an error that says what it must be. */
import { nearest } from '../errors.ts'
import { type Datum, keyText, Sealed, SeedRow } from './datum.ts'
import { durationMs } from './duration.ts'
import type { Evaluate, Scope } from './scope.ts'

/** A plain value or a `$name`. */
export function plain(value: unknown, scope: Scope, path: readonly PropertyKey[] = []): Evaluate {
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

export function columnOf(row: SeedRow, column: string, scope: Scope, path: readonly PropertyKey[]): Datum {
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

/** Whether a value is the wanted one, or one of a list. */
export function accepts(value: Datum, wanted: unknown): boolean {
  return Array.isArray(wanted)
    ? wanted.some(one => keyText(one as Datum) === keyText(value))
    : keyText(wanted as Datum) === keyText(value)
}

export function mapOf(value: unknown, scope: Scope, path: readonly PropertyKey[]): Readonly<Record<string, unknown>> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw scope.invalid(`"${path.join('.')}" must be a map.`, undefined, path)
}

export function weightsOf(value: unknown, scope: Scope, path: readonly PropertyKey[]): [string, number][] {
  const entries = Object.entries(mapOf(value, scope, path)).map(([text, weight]): [string, number] => [
    text,
    number(weight, text, scope),
  ])
  if (!entries.some(([, weight]) => weight > 0) || entries.some(([, weight]) => weight < 0)) {
    throw scope.invalid('Weights are at least 0, and one must be above.', undefined, path)
  }
  return entries
}

export function textOf(value: unknown, name: string, scope: Scope): string {
  if (typeof value === 'string') return value
  throw scope.invalid(`"${name}" takes a text.`, undefined, [name])
}

export function number(value: unknown, name: string, scope: Scope): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw scope.invalid(`"${name}" must be a number.`, undefined, [name])
}

export function positive(value: unknown, name: string, scope: Scope): number {
  const given = number(value, name, scope)
  if (given > 0) return given
  throw scope.invalid(`"${name}" must be above 0.`, undefined, [name])
}

export function numbers(value: unknown, count: number, name: string, scope: Scope): number[] {
  if (value === undefined) return Array.from({ length: count }, () => 1)
  if (Array.isArray(value) && value.length === count && value.every(one => typeof one === 'number' && one >= 0))
    return value as number[]
  throw scope.invalid(`"${name}" must be a list of ${count} weights.`, undefined, [name])
}

export function duration(value: unknown, name: string, scope: Scope): number {
  const given = typeof value === 'string' ? durationMs(value) : undefined
  if (given !== undefined) return given
  throw scope.invalid(`"${name}" must be a length of time, such as 2s, 36h or 4d.`, undefined, [name])
}
