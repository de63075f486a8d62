/** `modules.itertools`: what templates use of it, as lists, since a rendering has no use for what never ends. */
import { record, strict, type TemplateFunction, type TemplateValue } from '../../sql/template.ts'
import { textOf } from './shapes.ts'

export function itertoolsModule(): TemplateValue {
  const chainedOf: TemplateFunction = ([given]) => listOf(given).flatMap(listOf)
  const chained: TemplateFunction = given => given.flatMap(listOf)
  const tuples = (rows: readonly (readonly TemplateValue[])[]) => rows.map(row => record(row))
  return strict('modules.itertools', {
    chain: Object.assign(chained, { from_iterable: chainedOf }),
    product: (given, named) => {
      const lists = given.map(listOf)
      return tuples(product(Array.from({ length: count(named['repeat'], 1) }, () => lists).flat()))
    },
    permutations: ([given, length]) => {
      const items = listOf(given)
      const places = product(Array.from({ length: count(length, items.length) }, () => [...items.keys()]))
      const chosen = places.filter(row => new Set(row).size === row.length)
      return tuples(chosen.map(row => row.map(at => items[at] ?? null)))
    },
    combinations: ([given, length], named) => tuples(combinations(listOf(given), count(length ?? named['r'], 0))),
    zip_longest: (given, named) => {
      const lists = given.map(listOf)
      const fill = (named['fillvalue'] ?? null) as TemplateValue
      const length = Math.max(0, ...lists.map(list => list.length))
      return tuples(
        Array.from({ length }, (_, at) => lists.map(list => (at < list.length ? (list[at] ?? null) : fill))),
      )
    },
    islice: ([given, first, last]) =>
      last === undefined
        ? listOf(given).slice(0, count(first, 0))
        : listOf(given).slice(count(first, 0), count(last, Infinity)),
    repeat: ([item, times]) => Array.from({ length: count(times, 0) }, () => (item ?? null) as TemplateValue),
  } satisfies Record<string, TemplateFunction>)
}

function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((rows, list) => rows.flatMap(row => list.map(item => [...row, item])), [[]])
}

function combinations<T>(items: readonly T[], length: number): T[][] {
  if (length === 0) return [[]]
  return items.flatMap((item, at) => combinations(items.slice(at + 1), length - 1).map(rest => [item, ...rest]))
}

function listOf(value: unknown): TemplateValue[] {
  if (typeof value === 'string') return Array.from(value)
  return Array.isArray(value) ? (value as TemplateValue[]) : []
}

function count(value: unknown, otherwise: number): number {
  return Number(textOf(value) ?? otherwise)
}
