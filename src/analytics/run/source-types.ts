/** Whether a column of the source still fits the type that it is declared with, so that nothing is rounded or cut on its way. Pure. */
import { columnKind } from '../prove/canonical.ts'

/** `actual` is PostgreSQL's own word for the type, of a domain that of what it is based on. */
export function fits(declared: string, actual: string): boolean {
  const kind = columnKind(declared)
  // Whatever it is, its text is what is kept.
  if (kind === 'text') return true
  if (kind === 'integer') return (integers[actual] ?? Infinity) <= (integers[plain(declared)] ?? 0)
  if (kind === 'decimal') return decimalFits(declared, actual)
  return kind !== undefined && columnKind(actual) === kind
}

const integers: Readonly<Record<string, number>> = {
  smallint: 2,
  int2: 2,
  integer: 4,
  int: 4,
  int4: 4,
  bigint: 8,
  int8: 8,
}

const digitsOfInteger: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 }

/** A numeric without bounds fits none: it may hold more digits than any. */
function decimalFits(declared: string, actual: string): boolean {
  const wanted = sizeOf(declared)
  const given = actual in digitsOfInteger ? { whole: digitsOfInteger[actual] ?? 0, scale: 0 } : sizeOf(actual)
  return wanted !== null && given !== null && given.scale <= wanted.scale && given.whole <= wanted.whole
}

function sizeOf(type: string): { readonly whole: number; readonly scale: number } | null {
  const [, precision, scale] = /^(?:numeric|decimal)\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)$/i.exec(type.trim()) ?? []
  return precision === undefined ? null : { whole: Number(precision) - Number(scale), scale: Number(scale) }
}

function plain(type: string): string {
  return type.trim().toLowerCase()
}
