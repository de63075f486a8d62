/**
 * Brings back what an earlier step destroyed. A row counts as restored only when the table holds it again with an equal digest; what could not
 * go back stays in the archive, and is told by key.
 */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import {
  type Copy,
  type Filled,
  leftWhole,
  nothing,
  type Place,
  type Restored,
  type RestoreOptions,
} from './account.ts'
import { fillColumns } from './fill-columns.ts'
import { fillRows } from './fill-rows.ts'
import { restoreSequence, setSequences } from './sequences.ts'
import { type Shape, shapeOf } from './shape.ts'
import { takeKeys } from './take-keys.ts'
import type { ArchiveObject } from './store.ts'
import { literal } from './text.ts'
import { withoutUserTriggers } from './triggers.ts'
import { closeCopy, openCopy, withEveryRow } from './visible.ts'

/** Inside the transaction of the opposite step, after its last statement, in the settings of `plainly`. */
export async function restoreObjects(
  session: Session,
  objects: readonly ArchiveObject[],
  options: RestoreOptions,
): Promise<Restored[]> {
  const restored = new Map<ArchiveObject, Restored>()
  const ordered = await inOrder(session, objects)
  // A row may wait for another that comes back after it, so what is left is tried again for as long as others come back.
  let due = ordered
  while (due.length > 0) {
    const helpers = new Set<ArchiveObject>()
    for (const object of due) {
      const earlier = restored.get(object)
      const result = await restoreObject(session, object, { ...options, again: earlier !== undefined })
      if (result.report.restored > 0) helpers.add(object)
      restored.set(object, earlier ? added(earlier, result) : result)
    }
    due = due.filter(object => !restored.get(object)?.whole && [...helpers].some(helper => helper !== object))
  }
  return ordered.flatMap(object => restored.get(object) ?? [])
}

/** The later try began with what the earlier one left. */
function added(earlier: Restored, later: Restored): Restored {
  const after = {
    rows: earlier.report.after.rows + later.report.after.rows,
    digest: String(BigInt(earlier.report.after.digest || '0') + BigInt(later.report.after.digest || '0')),
  }
  const restored = earlier.report.restored + later.report.restored
  const defaulted = Math.max(0, earlier.report.defaulted - later.report.restored)
  return { ...later, report: { ...later.report, before: earlier.report.before, after, restored, defaulted } }
}

/** Whole tables first, then the rest in the reverse order of their destruction; and rows of parents before those of their children. */
async function inOrder(session: Session, objects: readonly ArchiveObject[]): Promise<ArchiveObject[]> {
  const rank = (object: ArchiveObject) => (object.kind === 'table' ? 0 : 1)
  const tables = objects.toSorted((a, b) => rank(a) - rank(b) || b.number - a.number)
  if (tables.length < 2) return tables
  const { rows } = await session.query<{ child: string; parent: string }>(
    `select distinct child.name as child, parent.name as parent
    from unnest(array[${tables.map(table => literal(table.source)).join(', ')}]::text[]) child (name)
    join pg_catalog.pg_constraint f on f.conrelid = to_regclass(child.name) and f.contype = 'f' and f.confrelid <> f.conrelid
    join unnest(array[${tables.map(table => literal(table.source)).join(', ')}]::text[]) parent (name) on f.confrelid = to_regclass(parent.name)`,
  )
  const sorted: ArchiveObject[] = []
  const waiting = new Set(tables)
  while (waiting.size > 0) {
    const free = [...waiting].filter(
      one =>
        one.kind === 'sequence' ||
        !rows.some(({ child, parent }) => child === one.source && [...waiting].some(other => other.source === parent)),
    )
    // A circle of references has no right order; the rows that miss theirs are told.
    for (const one of free.length > 0 ? free : [...waiting]) {
      sorted.push(one)
      waiting.delete(one)
    }
  }
  return sorted
}

async function restoreObject(
  session: Session,
  object: ArchiveObject,
  options: RestoreOptions & { readonly again: boolean },
): Promise<Restored> {
  if (object.kind === 'sequence') return restoreSequence(session, object)
  const shape = mayFill(object, options) ? await shapeOf(session, object.source, options) : undefined
  if (object.copy === null) return { object, report: nothing(object), whole: true }
  await openCopy(session, object.copy)
  const stateful = object.kind === 'rows' || object.kind === 'values'
  const copy = { name: object.copy, stateful, fresh: !options.again }
  await session.query('savepoint plinth_restore')
  try {
    const result = shape
      ? await withEveryRow(session, [shape, ...(await parentsOf(session, shape))], () =>
          withoutUserTriggers(session, shape.name, () => fill(session, object, copy, { shape, options })),
        )
      : await leftWhole(session, object, copy)
    await session.query('release savepoint plinth_restore')
    await setSequences(session, object, shape)
    if (!result.whole) await closeCopy(session, object.copy)
    return { object, ...result }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    // The rows do not fit what the step made of the table. They stay, and that is told; a lost connection or a right that lacks is no such case.
    if (!/^(22|23|42)/.test(error.sqlState ?? '') || error.sqlState === insufficientPrivilege) throw error
    await session.query('rollback to savepoint plinth_restore')
    const result = await leftWhole(session, object, copy)
    await closeCopy(session, object.copy)
    return { object, ...result }
  }
}

const insufficientPrivilege = '42501'

/** The tables that its foreign keys point to: whether a row finds its parent is asked of all of theirs. */
async function parentsOf(session: Session, { oid }: Shape): Promise<Pick<Shape, 'name' | 'forcesRowSecurity'>[]> {
  const { rows } = await session.query<{ name: string }>(
    `select distinct c.oid::regclass::text as name
    from pg_catalog.pg_constraint f
    join pg_catalog.pg_class c on c.oid = f.confrelid
    where f.contype = 'f' and f.conrelid = $1::oid and f.confrelid <> f.conrelid and c.relrowsecurity and c.relforcerowsecurity`,
    [oid],
  )
  return rows.map(({ name }) => ({ name, forcesRowSecurity: true }))
}

function mayFill({ kind }: ArchiveObject, { kinship, writes }: RestoreOptions): boolean {
  if (kinship === 'same') return true
  return kinship === 'edited' && (kind === 'table' || (kind === 'column' && writes === 'nothing'))
}

async function fill(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
  if (object.kind === 'column' || object.kind === 'values') return fillColumns(session, object, copy, place)
  if (copy.fresh && place.options.kinship === 'same') await takeKeys(session, object, copy, place)
  return fillRows(session, object, copy, place)
}
