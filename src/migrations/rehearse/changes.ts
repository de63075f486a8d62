/** Which objects a statement made, altered and dropped, from the catalog's rows before and after it. */
import type { ObjectChange } from '../../schema/rehearsal.ts'
import type { ObjectRow } from './catalog-rows.ts'

export type KnownObjects = ReadonlyMap<string, ObjectRow>

export function knowAll(rows: readonly ObjectRow[]): KnownObjects {
  return new Map(rows.map(row => [row.key, row]))
}

/** `written` are the rows that may have changed; whatever of `before` is missing `after` was dropped. Sorted by kind and name. */
export function changesOf(before: KnownObjects, written: readonly ObjectRow[], after: KnownObjects): ObjectChange[] {
  const changes = new Map<string, ObjectChange>()
  const add = (action: ObjectChange['action'], row: ObjectRow, newName?: string): void => {
    const key = `${row.kind}:${row.name}`
    const other = changes.get(key)
    // What was dropped and made again under its name, as an index of a column whose type changes, is the same object to everybody.
    const both = other && other.action !== action ? 'alter' : action
    const { kind, name, of } = row
    changes.set(key, { action: both, kind, name, of, ...(newName === undefined ? {} : { newName }) })
  }
  for (const row of before.values()) if (!row.part && !after.has(row.key)) add('drop', row)
  for (const row of written) {
    const then = before.get(row.key)
    if (row.part || !after.has(row.key)) continue
    if (!then) add('create', row)
    else if (then.name !== row.name) add('alter', then, row.name)
    else if (then.content !== row.content) add('alter', row)
  }
  for (const part of partsChanged(before, written, after))
    if (!changes.has(`${part.kind}:${part.name}`)) add('alter', part)
  return [...changes.values()].sort((a, b) => byText(a.kind, b.kind) || byText(a.name, b.name))
}

/** Those whose object still stands. */
function partsChanged(before: KnownObjects, written: readonly ObjectRow[], after: KnownObjects): ObjectRow[] {
  const standing = new Set([...after.values()].filter(row => !row.part).map(row => `${row.kind}:${row.name}`))
  const gone = [...before.values()].filter(row => row.part && !after.has(row.key))
  const changed = written.filter(row => row.part && before.get(row.key)?.content !== row.content)
  return [...gone, ...changed].filter(row => standing.has(`${row.kind}:${row.name}`))
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
