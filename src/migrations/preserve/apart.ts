/** Which columns may come back behind the step that made them: those of which nothing is asked before every value is there. */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { commonColumns, type Kinship, type RestoreOptions } from './account.ts'
import { standsAlready } from './fill-columns.ts'
import { setSequences } from './sequences.ts'
import { type Shape, shapeOf } from './shape.ts'
import type { ArchiveObject } from './store.ts'
import { literal } from './text.ts'
import { seesEverything } from './visible.ts'
import { openWindow } from './window.ts'

/** `auto` looks at the size of the table. */
export type RestoreWish = 'together' | 'batches' | 'auto'

/** A smaller table is written anew before anybody minds. */
export const worthBatches = 16 * 1024 * 1024

/**
 * After the last statement of the step: opens a window for each column where that is right and worth it, and answers whether it did. Throws
 * RESTORE_REFUSED where batches were asked for and are not right.
 */
export async function restoreApart(
  session: Session,
  objects: readonly ArchiveObject[],
  input: RestoreOptions & {
    readonly restore: RestoreWish
    /** What stands in the way whatever the tables are; null when nothing does. */
    readonly reason: string | null
  },
): Promise<boolean> {
  const { restore } = input
  const found = restore === 'together' ? [] : await columnsOf(session, objects, input)
  const isDue = restore === 'batches' || found.some(({ shape }) => shape.bytes >= worthBatches)
  if (found.length === 0 || !isDue) return false
  const canMute = await mayMute(session)
  let reason = input.reason ?? whyWhole(objects, input.kinship)
  for (const { object, shape } of found) reason ??= await whyTogether(session, object, shape, canMute)
  if (reason !== null && restore === 'batches') throw refused(found[0]?.object, reason)
  if (reason !== null) return false
  for (const { object, shape } of found) {
    await openWindow(session, object, { shape, triggers: canMute ? 'muted' : 'none' })
    await setSequences(session, object, shape)
  }
  for (const object of objects) if (object.kind === 'sequence') await setSequences(session, object, undefined)
  return true
}

/** Null when nothing is against batches, as far as the objects themselves tell. */
export function whyWhole(objects: readonly ArchiveObject[], kinship: Kinship = 'same'): string | null {
  const kept = objects.filter(object => object.kind !== 'sequence' && object.copy !== null)
  if (kept.some(({ kind }) => kind !== 'column')) return 'rows or tables come back with it'
  if (new Set(objects.map(object => object.archiveId)).size > 1) return 'several archives come back at once'
  if (new Set(kept.map(object => object.source)).size < kept.length)
    return 'several statements dropped columns of the same table'
  return kinship === 'other' ? 'another migration stands under its number' : null
}

/**
 * Null when its values may come back one after the other, beside others who write. `mayMute`: the role may keep triggers of users from seeing
 * its batches.
 */
export async function whyTogether(
  session: Session,
  { detail }: ArchiveObject,
  shape: Shape,
  canMute: boolean,
): Promise<string | null> {
  const { name } = shape
  const key = shape.columns.filter(column => detail.key?.includes(column.name))
  if (detail.key === null || key.length < detail.key.length) return `${name} has no key by which its rows could be told`
  if (key.some(column => column.kept !== column.type)) return `the key of ${name} has a type of its own`
  if (shape.forcesRowSecurity && !(await seesEverything(session)))
    return `${name} forces row security, which its owner would have to lift for others, too`
  const { rows } = await session.query<Hurdles>(
    hurdles(
      shape,
      detail.columns.map(column => column.name),
    ),
  )
  const [found] = rows
  if (found?.heirs) return `${name} has heirs, or is one`
  if (found?.constrained) return `a unique, exclusion or foreign key constraint of ${name} holds on the column`
  if (found?.stubborn || (found?.triggered && !canMute)) return `triggers or rules of ${name} would see each row change`
  return null
}

interface Found {
  readonly object: ArchiveObject
  readonly shape: Shape
}

/** Columns whose values have to be written. */
async function columnsOf(
  session: Session,
  objects: readonly ArchiveObject[],
  options: RestoreOptions,
): Promise<readonly Found[]> {
  const found: Found[] = []
  let isWaiting = false
  for (const object of objects) {
    if (object.kind !== 'column' || object.copy === null) continue
    const shape = await shapeOf(session, object.source, options)
    // What cannot go back at all is told by the other way.
    if (!shape || commonColumns(object, shape).length < object.detail.columns.length) return []
    isWaiting ||= !(await standsAlready(session, object, { shape, options }))
    found.push({ object, shape })
  }
  return isWaiting ? found : []
}

/** Inside a transaction: as a replica, whose changes triggers of users do not see. Mostly that takes a superuser. */
export async function mayMute(session: Session): Promise<boolean> {
  await session.query('savepoint plinth_mute')
  try {
    await session.script('set local session_replication_role = replica')
    return true
  } catch {
    return false
  } finally {
    await session.query('rollback to savepoint plinth_mute')
  }
}

interface Hurdles {
  readonly [name: string]: unknown
  readonly heirs: boolean
  readonly constrained: boolean
  /** Triggers that an update of the columns fires. */
  readonly triggered: boolean
  /** And also one that a replica makes. */
  readonly stubborn: boolean
}

function hurdles({ oid, kind }: Shape, names: readonly string[]): string {
  const list = names.map(literal).join(', ') || 'null'
  const heirs = kind === 'r' ? `inhparent = ${oid} or inhrelid = ${oid}` : 'false'
  return `
  with own as (select attnum from pg_catalog.pg_attribute where attrelid = ${oid} and attname in (${list})),
  fired as (
    select t.tgenabled as state
    from pg_catalog.pg_trigger t
    where t.tgrelid in (select relid from pg_catalog.pg_partition_tree(${oid}) union select ${oid})
      and not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 16 <> 0
      and (t.tgattr = '' or exists (select from own where attnum = any (t.tgattr::int2[])))
    union all
    select 'A' from pg_catalog.pg_rewrite where ev_class = ${oid} and ev_type = '2' and ev_enabled <> 'D'
  )
  select exists (select from pg_catalog.pg_inherits where ${heirs}) as heirs,
    exists (
      select
      from pg_catalog.pg_depend d
      where d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = ${oid} and d.refobjsubid in (select attnum from own)
        and (
          d.classid = 'pg_catalog.pg_class'::regclass
            and d.objid in (select indexrelid from pg_catalog.pg_index where indisunique or indisexclusion)
          or d.classid = 'pg_catalog.pg_constraint'::regclass
            and d.objid in (select oid from pg_catalog.pg_constraint where contype in ('f', 'u', 'p', 'x'))
        )
    ) as constrained,
    exists (select from fired) as triggered,
    exists (select from fired where state in ('A', 'R')) as stubborn`
}

function refused(object: ArchiveObject | undefined, reason: string): PlinthError {
  return new PlinthError('RESTORE_REFUSED', `The values cannot come back in batches: ${reason}.`, {
    at: { object: object?.source ?? 'the archive' },
    hint: 'Say restore=together, so that they come back with the step while its table is locked.',
  })
}
