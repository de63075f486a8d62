/**
 * A row that a step changed can be given its old values back as long as nobody changed it since. So the step writes down what it made of each
 * row, and the opposite step looks first thing whether that is still what is there.
 */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { ownColumns, type Shape, shapeOf } from './shape.ts'
import { type ArchiveObject, removeObject, updateObject } from './store.ts'
import { columnList, ident, literal, rowDigest, sameKey } from './text.ts'
import { closeCopy, openCopy, withEveryRow } from './visible.ts'

export type Policy = 'keep' | 'default' | 'fail'

interface Options {
  readonly tenantColumn: string
}

/** At the end of the step that destroyed. Rows that ended as they began are forgotten; an object without rows goes. */
export async function takeImages(session: Session, objects: readonly ArchiveObject[], options: Options): Promise<void> {
  for (const object of objects) {
    if ((object.kind !== 'rows' && object.kind !== 'values') || object.copy === null || 'imageColumns' in object.detail)
      continue
    await openCopy(session, object.copy)
    if (object.kind === 'rows')
      await session.script(`delete from ${object.copy} where plinth_inserted; analyze ${object.copy}`)
    const shape = await shapeOf(session, object.source, options)
    const imageColumns = shape ? await takeImage(session, object, object.copy, shape) : []
    const { rows } = await session.query<{ rows: string }>(`select count(*) as rows from ${object.copy}`)
    const count = Number(rows[0]?.rows ?? 0)
    if (count === 0) {
      await session.script(`drop table ${object.copy}`)
      await removeObject(session, object)
      continue
    }
    await closeCopy(session, object.copy)
    await updateObject(session, object, { rows: count, detail: { ...object.detail, imageColumns } })
  }
}

async function takeImage(session: Session, object: ArchiveObject, copy: string, shape: Shape): Promise<string[]> {
  const { key } = object.detail
  const kept = object.detail.columns.map(column => column.name)
  const now = new Set(ownColumns(shape).map(column => column.name))
  const common = kept.filter(name => now.has(name))
  await withEveryRow(session, [shape], async () => {
    if (key?.every(name => now.has(name))) {
      const same = typedKey(object, shape, 'c', 't')
      await session.script(
        `update ${copy} c set plinth_image = ${rowDigest(common, 't.')} from ${shape.name} t where ${same}`,
      )
      // What has a column less than before is not the same, whatever is left of it.
      if (common.length === kept.length)
        await session.script(`delete from ${copy} c where plinth_image = ${rowDigest(common, 'c.')}`)
    }
  })
  return common
}

/** First thing in the opposite step: what did users write since? Throws RESTORE_REFUSED under the policy `fail`. */
export async function judgeRows(
  session: Session,
  objects: readonly ArchiveObject[],
  policy: Policy,
  options: Options,
): Promise<void> {
  for (const object of objects) {
    if (object.copy === null) continue
    const shape = await shapeOf(session, object.source, options)
    if (!shape) continue
    await openCopy(session, object.copy)
    await withEveryRow(session, [shape], async () => {
      if (object.kind === 'rows' || object.kind === 'values') await markRows(session, object, object.copy ?? '', shape)
    })
    if (policy === 'fail') await refuseWritten(session, object, object.copy, shape)
    if (policy === 'default' && (object.kind === 'rows' || object.kind === 'values'))
      await session.script(`update ${object.copy} set plinth_state = 'restore' where plinth_state = 'changed'`)
    await closeCopy(session, object.copy)
  }
}

/** `restore`: as the step left it. `changed`: written since. `orphaned`: deleted since. */
async function markRows(session: Session, object: ArchiveObject, copy: string, shape: Shape): Promise<void> {
  const { key, imageColumns = [] } = object.detail
  const now = new Set(ownColumns(shape).map(column => column.name))
  if (!key?.every(name => now.has(name)) || !imageColumns.every(name => now.has(name))) return
  await session.script(`
update ${copy} set plinth_state = case when plinth_image is null then 'restore' else 'orphaned' end;
update ${copy} c
set plinth_state = case when c.plinth_image = ${rowDigest(imageColumns, 't.')} then 'restore' else 'changed' end
from ${shape.name} t
where ${typedKey(object, shape, 'c', 't')}`)
}

async function refuseWritten(session: Session, object: ArchiveObject, copy: string, shape: Shape): Promise<void> {
  const { key } = object.detail
  const question =
    object.kind === 'column' && key
      ? `select ${keyText(key, 't')} as key from ${shape.name} t where not exists (select from ${copy} c where ${typedKey(object, shape, 'c', 't')}) limit 21`
      : object.kind === 'rows' || object.kind === 'values'
        ? `select ${keyText(key ?? [], 'c')} as key from ${copy} c where plinth_state <> 'restore' limit 21`
        : null
  if (question === null) return
  const { rows } = await withEveryRow(session, [shape], () => session.query<{ key: string }>(question))
  if (rows.length === 0) return
  throw new PlinthError(
    'RESTORE_REFUSED',
    `Rows of ${object.source} were written since, and the policy of this migration is to stop then.`,
    {
      at: { object: object.source },
      hint: 'Look at the rows whose keys the details name, then run again with the policy keep or default.',
      details: { table: object.source, keys: rows.slice(0, 20).map(row => row.key), more: rows.length > 20 },
    },
  )
}

/** Keys as text for reports: `(7)`, `(a,2)`. */
export function keyText(key: readonly string[], from: string): string {
  return key.length === 0 ? literal('(no key)') : `row(${columnList(key, `${from}.`)})::text`
}

/** Types of the server's own are compared as they are, so that indexes serve; others as text. */
export function typedKey(object: ArchiveObject, shape: Shape, copy: string, table: string): string {
  const key = object.detail.key ?? []
  const foreign = new Set(shape.columns.filter(column => column.kept !== column.type).map(column => column.name))
  if (!key.some(name => foreign.has(name))) return sameKey(key, copy, table)
  return key
    .map(name =>
      foreign.has(name)
        ? `${copy}.${ident(name)}::text = ${table}.${ident(name)}::text`
        : `${copy}.${ident(name)} = ${table}.${ident(name)}`,
    )
    .join(' and ')
}
