/** What a view reads, told from its definition, in which PostgreSQL writes every name with its schema. */
import { type Schema, type Table, type View } from '../../schema/model.ts'

/** Tables that stand in the definition itself; what other views read for it is theirs. */
export function tablesRead({ definition }: View, { tables }: Schema): readonly Table[] {
  const words = definition.replaceAll(/'(?:[^']|'')*'/g, "''")
  return tables.filter(table => {
    const name = `${quoted(table.schema)}.${quoted(table.name)}`
    const at = words.indexOf(name)
    return at >= 0 && new RegExp(`(?<![\\w$".])${escaped(name)}(?![\\w$"(])`).test(words)
  })
}

/** What is selected at the top, before the first `from`; grouped or counted columns show no row's value and are taken out. */
export function selectedText({ definition }: View): string {
  const start = definition.search(/\S/)
  let depth = 0
  for (const match of definition.matchAll(/'(?:[^']|'')*'|[()]|\bFROM\b/g)) {
    if (match[0] === '(') depth += 1
    if (match[0] === ')') depth -= 1
    if (match[0] === 'FROM' && depth === 0) return withoutCounts(definition.slice(start, match.index))
  }
  return withoutCounts(definition.slice(start))
}

/** It runs with the rights of whoever asks, so that row security of its tables holds for him. */
export function runsAsInvoker({ options }: View): boolean {
  return options.some(option => /^security_invoker=(true|on|yes|1)$/.test(option))
}

function withoutCounts(text: string): string {
  return text.replaceAll(/\bcount\((?:[^()]|\([^()]*\))*\)/gi, 'count()')
}

function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^$()[\]{}|\\]/g, '\\$&')
}
