/** The rehearsal that the judged texts get: what runs in it, and when it says nothing. */
import type { ClassOf } from '../schema/classification.ts'
import { qualified } from '../schema/model.ts'
import type { Rehearsal, RehearsalFailure } from '../schema/rehearsal.ts'
import type { LintSource, ReadSource } from './source.ts'

/** Ups only, in order; `history` was applied before. It answers no rehearsal, with the reason, where none is to be had. */
export type Rehearse = (steps: {
  readonly history: readonly LintSource[]
  readonly pending: readonly LintSource[]
}) => Promise<Rehearsed>

export interface Rehearsed {
  readonly rehearsal: Rehearsal | null
  /** Why there is none, one sentence. */
  readonly reason: string | null
}

/** What stands behind a text that cannot be parsed may need what it would have made, so the rehearsal ends before it. */
export async function rehearsed(rehearse: Rehearse | null, read: readonly ReadSource[]): Promise<Rehearsed> {
  const ups = read.filter(one => one.source.direction === 'up')
  const first = ups.findIndex(one => one.source.role === 'judged')
  if (!rehearse || first === -1) return { rehearsal: null, reason: null }
  const last = ups.findLastIndex(one => one.source.role === 'judged')
  const tail = ups.slice(first, last + 1)
  const broken = tail.findIndex(one => one.failure !== null)
  const pending = broken === -1 ? tail : tail.slice(0, broken)
  if (pending.length === 0)
    return { rehearsal: null, reason: read.length > 1 ? 'The first of the files cannot be parsed.' : null }
  const ran = await rehearse({ history: ups.slice(0, first).map(sourceOf), pending: pending.map(sourceOf) })
  if (!ran.rehearsal || pending.length === tail.length) return ran
  const gap = `What stands behind ${tail[broken]?.source.path ?? ''}, which cannot be parsed, was not rehearsed.`
  return { ...ran, rehearsal: { ...ran.rehearsal, gaps: [...ran.rehearsal.gaps, gap] } }
}

function sourceOf({ source }: ReadSource): LintSource {
  return source
}

/** What a text without a past lacks says nothing about the text, and neither does what ran until there. */
export function credible(rehearsed: Rehearsed, past: 'known' | 'unknown'): Rehearsed {
  const lacking = rehearsed.rehearsal?.steps.some(({ failure }) => isMissing(failure))
  if (past !== 'unknown' || !lacking) return rehearsed
  return { rehearsal: null, reason: 'It needs what was there before, of which nothing is known.' }
}

/** It lacks a schema, an object, a function, a table or a column. */
export function isMissing(failure: RehearsalFailure | null | undefined): boolean {
  return missing.has(failure?.sqlState ?? '')
}

const missing: ReadonlySet<string> = new Set(['3F000', '42704', '42883', '42P01', '42703'])

/** A partition has the classes of its root. */
export function withPartitions(classOf: ClassOf, rehearsal: Rehearsal | null): ClassOf {
  const parents = new Map(
    (rehearsal?.after.tables ?? []).flatMap(table =>
      table.partitionOf ? [[qualified(table), table.partitionOf.parent] as const] : [],
    ),
  )
  const find: ClassOf = (table, column) => {
    const parent = parents.get(table)
    return classOf(table, column) ?? (parent === undefined ? undefined : find(parent, column))
  }
  return find
}
