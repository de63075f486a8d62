/** Answers of a warehouse as rows that look alike whatever the warehouse is. */
import type { Session } from '../../engines/engine.ts'
import { columnKind, scaleOf } from '../prove/canonical.ts'
import { spellingOf } from '../run/cells.ts'
import type { Readable } from './measures.ts'
import type { Answer, Question } from './reading.ts'
import { textOf } from '../project/shapes.ts'
import { offsetText, type Unit } from './window.ts'

/** A row of a reading, by the names of its columns. */
export type UsageRow = Readonly<Record<string, string | number | null>>

export async function columnTypes(warehouse: Session, { transform }: Readable): Promise<ReadonlyMap<string, string>> {
  const columns = await spellingOf(warehouse).columns(warehouse, transform.schema, transform.name)
  return new Map(columns.map(({ name, type }) => [name, type]))
}

export interface Shown {
  readonly measures: readonly Answer[]
  readonly quantiles: readonly Answer[]
  readonly types: ReadonlyMap<string, string>
  readonly sketch: Readable | null
  readonly parts: readonly number[]
}

export function rowsOf(question: Question, { measures, quantiles, types, sketch, parts }: Shown) {
  const { plan, keys, readable, rowsMax } = question
  const of = sketch?.sketch?.of
  const quantileNames = of === undefined ? [] : parts.map(part => `${of}_p${part / 10_000}`)
  const groupOf = (answer: Answer) =>
    JSON.stringify([answer['period_start'], answer['period_offset'], ...keys.map(key => answer[key])])
  const byGroup = new Map(quantiles.map(answer => [groupOf(answer), answer]))
  const rows = measures.slice(0, rowsMax).map((answer): UsageRow => {
    const sketched = byGroup.get(groupOf(answer))
    return Object.fromEntries([
      ...(plan.unit === null ? [] : [[plan.unit, periodText(answer, plan.unit)]]),
      ...keys.map(key => [key, plain(answer[key], types.get(key))]),
      ...Object.keys(readable.measures).map(name => [name, plain(answer[name], types.get(name))]),
      ...quantileNames.map((name, index) => [name, rounded(sketched?.[`quantile_${index}`])]),
    ])
  })
  const period = plan.unit === null ? [] : [plan.unit]
  return { columns: [...period, ...keys, ...Object.keys(readable.measures), ...quantileNames], rows }
}

/** `2026-03`, `2026-03-29`, or `2026-03-29T02:00:00+02:00`. */
function periodText(answer: Answer, unit: Unit): string {
  const start = String(answer['period_start'])
  if (unit === 'hour') return `${start.slice(0, 19)}${offsetText(Number(answer['period_offset']))}`
  return start.slice(0, unit === 'month' ? 7 : 10)
}

/** Engines write decimals with all their digits or without the last zeros, and sums of integers wider than their columns. */
function plain(value: unknown, type = ''): string | number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return value
  const text = textOf(value) ?? ''
  if (/int/i.test(type)) return Number.isSafeInteger(Number(text)) ? Number(text) : text
  if (!/^(big)?(numeric|decimal)/i.test(type) || columnKind(type.replace(/^big/i, '')) !== 'decimal') return text
  const [whole = '0', digits = ''] = text.split('.')
  const scale = scaleOf(type.replace(/^big/i, ''))
  return scale === 0 ? whole : `${whole}.${digits.padEnd(scale, '0')}`
}

function rounded(value: unknown): number | null {
  return value === null || value === undefined ? null : Math.round(Number(value) * 1000) / 1000
}
