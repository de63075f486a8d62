/** What a finding weighs on the very database that the steps are meant for; see docs/adr/0006-what-apply-refuses.md. */
import type { Severity } from '../schema/finding.ts'
import { lockStrength } from '../schema/rehearsal.ts'
import type { Category, Rule, Settings } from './rule.ts'
import type { ViewedFile } from './view.ts'

export interface Target {
  /** About how many, by `schema.table`; a table that is missing is not there yet. */
  readonly rows: Readonly<Record<string, number>>
  /** With fewer rows than that a lock or rewrite is over in no time, so a finding about one is a notice. */
  readonly smallTableRows: number
  /** What a step destroys is archived first, so to lose data is worth a warning only. */
  readonly preserves: 'data' | 'nothing'
}

export interface Weighed {
  readonly rule: string
  readonly statement: number | null
  readonly file: string | null
  readonly direction: 'up' | 'down' | null
}

/** Answers the severity there, given the usual one. */
export function weighOn(
  target: Target,
  settings: Settings,
  files: readonly ViewedFile[],
  rules: readonly Rule[],
): (found: Weighed, usual: Severity) => Severity {
  const categories = new Map<string, Category>(rules.map(({ name, category }) => [name, category]))
  return (found, usual) => {
    if (usual !== 'error' && usual !== 'warning') return usual
    const category = categories.get(found.rule)
    if (category === 'locks' || category === 'rewrites') return isPassing(target, found, files) ? 'notice' : usual
    if (category === 'data-loss' && target.preserves === 'data') return 'warning'
    if (category === 'compatibility' && settings.publishedSchemas.length === 0) return 'warning'
    return usual
  }
}

function isPassing({ rows, smallTableRows }: Target, found: Weighed, files: readonly ViewedFile[]): boolean {
  const file = files.find(({ source }) => source.path === found.file && source.direction === found.direction)
  const tables = file && found.statement !== null ? tablesOf(file, found.statement) : []
  return tables.length > 0 && tables.every(table => (rows[table] ?? rows[`public.${table}`] ?? 0) < smallTableRows)
}

/** Those that the statement names, and those that it was seen to lock against writes. */
function tablesOf({ script, step }: ViewedFile, index: number): string[] {
  const seen = step?.statements.find(one => one.index === index)
  const locked = (seen?.locks ?? []).filter(
    ({ kind, mode }) => kind === 'table' && lockStrength(mode) >= lockStrength('ShareLock'),
  )
  return [...(script.statements[index]?.tables ?? []), ...locked.map(({ relation }) => relation)]
}
