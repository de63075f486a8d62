/** Functions, procedures and aggregates: which are made, and when, since some are bound to what they name. */
import { qualified, type Routine, type Schema } from '../../../schema/model.ts'
import { absent } from './lookup.ts'
import { headOf, isBound } from './rebuild.ts'
import { mentions, type Name, quotePath } from './spelling.ts'

/** `types` are those that are made anew. */
export function routineChanges(from: Schema, to: Schema, types: readonly Name[]) {
  const key = (routine: Routine): string => `${qualified(routine)}(${routine.arguments})`
  const old = new Map(from.routines.map(routine => [key(routine), routine]))
  const now = new Set(to.routines.map(key))
  const removed = from.routines.filter(routine => !now.has(key(routine)))
  const lost = absent(from.tables, to.tables)
  const fresh = [...absent(to.tables, from.tables), ...absent(to.views, from.views)]
  const isRebuilt = (routine: Routine): boolean => {
    const before = old.get(key(routine))
    if (!before) return false
    const bound = isBound(before) ? before.definition : headOf(before)
    return headOf(before) !== headOf(routine) || types.some(type => mentions(bound, type))
  }
  const rebuilt = to.routines.filter(isRebuilt)
  const made = to.routines.filter(
    routine => isRebuilt(routine) || old.get(key(routine))?.definition !== routine.definition,
  )
  const waits = (routine: Routine): boolean => isBound(routine) || fresh.some(name => mentions(headOf(routine), name))
  const waitsForView = (routine: Routine): boolean =>
    waits(routine) && to.views.some(view => mentions(isBound(routine) ? routine.definition : headOf(routine), view))
  return {
    made,
    rebuilt,
    removed,
    /** Removed before the tables that they answer. */
    early: removed.filter(routine => lost.some(table => mentions(headOf(routine), table))),
    late: removed.filter(routine => !lost.some(table => mentions(headOf(routine), table))),
    first: made.filter(routine => !waits(routine)),
    second: made.filter(routine => waits(routine) && !waitsForView(routine)),
    third: made.filter(waitsForView),
  }
}

export function createRoutine(routine: Routine): string[] {
  if (routine.kind !== 'aggregate') return [routine.definition.trim()]
  return [`create or replace aggregate ${quotePath(routine)}(${routine.arguments}) (${routine.definition})`]
}

export function dropRoutine(routine: Routine): string {
  return `drop ${routineWord(routine)} ${quotePath(routine)}(${routine.arguments})`
}

export function routineWord({ kind }: Routine): string {
  return kind === 'procedure' || kind === 'aggregate' ? kind : 'function'
}

export function routineOf(schema: Schema, { arguments: list, ...name }: Routine): Routine | undefined {
  return schema.routines.find(other => qualified(other) === qualified(name) && other.arguments === list)
}
