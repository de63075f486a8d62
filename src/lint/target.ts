/** What a lock or a rewrite costs depends on the table: where the target is known, those of small tables are worth a notice only. */
import { lockStrength } from '../schema/rehearsal.ts'
import type { Rule } from './rule.ts'
import type { Found, Target } from './run.ts'
import type { ViewedFile } from './view.ts'

/** Tells whether all that a finding is about is over in no time on this target. */
export function passingOn(
  { rows, smallTableRows }: Target,
  files: readonly ViewedFile[],
  rules: readonly Rule[],
): (found: Found) => boolean {
  const costly = new Set(
    rules.filter(({ category }) => category === 'locks' || category === 'rewrites').map(({ name }) => name),
  )
  return found => {
    if (!costly.has(found.rule) || found.statement === null) return false
    const file = files.find(({ source }) => source.path === found.file && source.direction === found.direction)
    const tables = file ? tablesOf(file, found.statement) : []
    return tables.length > 0 && tables.every(table => (rows[table] ?? rows[`public.${table}`] ?? 0) < smallTableRows)
  }
}

/** Those that the statement names, and those that it was seen to lock against writes. */
function tablesOf({ script, step }: ViewedFile, index: number): string[] {
  const seen = step?.statements.find(one => one.index === index)
  const locked = (seen?.locks ?? []).filter(
    ({ kind, mode }) => kind === 'table' && lockStrength(mode) >= lockStrength('ShareLock'),
  )
  return [...(script.statements[index]?.tables ?? []), ...locked.map(({ relation }) => relation)]
}
