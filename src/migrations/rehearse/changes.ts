/** Which objects a statement made, altered and dropped, from the catalog's rows before and after it. */
import type { ObjectChange } from '../../schema/rehearsal.ts'
import type { ObjectRow } from './catalog-rows.ts'

export interface Changed {
  /** Rows that may have changed, each with what it was before; undefined where it was not there. */
  readonly written: readonly (readonly [now: ObjectRow, then: ObjectRow | undefined])[]
  readonly gone: readonly ObjectRow[]
  /** Whether an object of its own has this kind and name now. */
  readonly stands: (row: ObjectRow) => boolean
}

/** Sorted by kind and name. */
export function changesOf({ written, gone, stands }: Changed): ObjectChange[] {
  const changes = new Map<string, ObjectChange>()
  const add = (action: ObjectChange['action'], row: ObjectRow, newName?: string): void => {
    const key = `${row.kind}:${row.name}`
    const other = changes.get(key)
    // What was dropped and made again under its name, as an index of a column whose type changes, is the same object to everybody.
    const both = other && other.action !== action ? 'alter' : action
    const { kind, name, of } = row
    changes.set(key, { action: both, kind, name, of, ...(newName === undefined ? {} : { newName }) })
  }
  for (const row of gone) if (!row.part) add('drop', row)
  for (const [row, then] of written) {
    if (row.part) continue
    if (!then) add('create', row)
    else if (then.name !== row.name) add('alter', then, row.name)
    else if (then.content !== row.content) add('alter', row)
  }
  // What is but a part of an object changes the object, while that stands.
  const parts = [...gone, ...written.flatMap(([row, then]) => (then?.content === row.content ? [] : [row]))]
  for (const part of parts)
    if (part.part && stands(part) && !changes.has(`${part.kind}:${part.name}`)) add('alter', part)
  return [...changes.values()].sort((a, b) => byText(a.kind, b.kind) || byText(a.name, b.name))
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
