/** Which parts have to go and come back, although they are equal, because what they stand on changes. */
import { qualified, type Routine, type Schema, type Table } from '../../../schema/model.ts'
import { type ColumnPair, isRecast } from './columns.ts'
import type { Part } from './parts.ts'
import { mentions, mentionsColumn, type Name } from './spelling.ts'

export interface Ground {
  /** Types and routines that are taken away and made again, or for good. */
  readonly gone: readonly Name[]
  /** Tables of which a column changes its type or goes. */
  readonly moved: readonly Table[]
  readonly columns: readonly ColumnPair[]
}

/** Ids of parts that are dropped and made again. `before` and `after` are all parts of both sides. */
export function rebuiltParts(
  before: readonly Part[],
  after: readonly Part[],
  { tables }: Schema,
  ground: Ground,
): Set<string> {
  const old = new Map(before.map(part => [part.id, part.create.join()]))
  const differs = (part: Part): boolean => old.get(part.id) !== part.create.join()
  const gone: Name[] = [...ground.gone]
  const rebuilt = new Set<string>()
  const dropped = before.filter(part => !after.some(other => other.id === part.id) || changes(part))
  for (const part of after) {
    const touched =
      isTouched(part, gone, ground) ||
      standsOnKey(part, dropped, rebuilt, after) ||
      followsParent(part, dropped, tables)
    if (touched && old.has(part.id)) rebuilt.add(part.id)
    // Views come in the order in which they read each other, so those behind this one see that it goes.
    if (part.name && old.has(part.id) && (touched || differs(part))) gone.push(part.name)
  }
  return rebuilt

  function changes(part: Part): boolean {
    const now = after.find(other => other.id === part.id)
    return now !== undefined && now.create.join() !== part.create.join()
  }
}

/** The head of a function's definition: what `create or replace` cannot change. */
export function headOf({ definition, kind }: Routine): string {
  return kind === 'aggregate' ? definition : (definition.split('\n LANGUAGE ')[0] ?? definition)
}

/** Its body is bound to what it names when it is made, not when it runs. */
export function isBound({ definition }: Routine): boolean {
  return /\nBEGIN ATOMIC\n|\n RETURN /.test(definition)
}

function isTouched(part: Part, gone: readonly Name[], { moved, columns }: Ground): boolean {
  const text = part.create.join('\n')
  if (gone.some(name => mentions(text, name))) return true
  if (part.kind === 'view' || part.kind === 'policy')
    if (moved.some(table => mentions(text, table) || isOf(part, table))) return true
  if (part.kind === 'trigger') return moved.some(table => isOf(part, table))
  const recast = columns.filter(pair => isRecast(pair))
  if (part.kind === 'foreign key')
    return recast.some(
      ({ table, now }) =>
        (isOf(part, table) && part.columns.includes(now.name)) ||
        (part.target?.table === qualified(table) && part.target.columns.includes(now.name)),
    )
  return recast.some(({ table, now }) => isOf(part, table) && mentionsColumn(text, now.name))
}

/** A foreign key needs the key that it points to. */
function standsOnKey(
  part: Part,
  dropped: readonly Part[],
  rebuilt: ReadonlySet<string>,
  after: readonly Part[],
): boolean {
  const { target } = part
  if (!target) return false
  const keys = [...dropped, ...after.filter(one => rebuilt.has(one.id))].filter(
    one => one.kind === 'key' || one.kind === 'index',
  )
  return keys.some(
    key =>
      key.table !== null &&
      qualified(key.table) === target.table &&
      key.columns.length === target.columns.length &&
      key.columns.every(column => target.columns.includes(column)),
  )
}

/** A partition's index goes with its parent's. */
function followsParent(part: Part, dropped: readonly Part[], tables: readonly Table[]): boolean {
  if (part.depth === 0 || part.table === null || (part.kind !== 'index' && part.kind !== 'key')) return false
  const ancestors = ancestorsOf(part.table, tables)
  return dropped.some(
    other =>
      other.kind === part.kind &&
      other.table !== null &&
      ancestors.includes(qualified(other.table)) &&
      other.columns.join() === part.columns.join(),
  )
}

function ancestorsOf(name: Name, tables: readonly Table[]): string[] {
  const parent = tables.find(table => qualified(table) === qualified(name))?.partitionOf?.parent
  const table = parent === undefined ? undefined : tables.find(one => qualified(one) === parent)
  return table ? [qualified(table), ...ancestorsOf(table, tables)] : []
}

function isOf(part: Part, table: Name): boolean {
  return part.table !== null && qualified(part.table) === qualified(table)
}
