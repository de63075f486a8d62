/**
 * A row that a step changed can be given its old values back as long as nobody changed it since. So the step writes down what it made of each
 * row, and the opposite step looks first thing whether that is still what is there.
 */
import type { Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import { ownColumns, readShape, type Shape, shapeAsked, shapeOf } from './shape.ts'
import { type ArchiveObject, objectRemoval, objectUpdate } from './store.ts'
import { columnList, ident, literal, rowDigest, sameKey } from './text.ts'
import { closeCopy, closingCopy, openCopy, openingCopy, withEveryRow } from './visible.ts'

export type Policy = 'keep' | 'default' | 'fail'

interface Options {
  readonly tenantColumn: string
  /** Of tables that have not changed since, by name. */
  readonly shapes?: ReadonlyMap<string, Shape> | undefined
}

/**
 * At the end of the step that destroyed. Rows that ended as they began are forgotten; an object without rows goes. Answers how many objects are
 * left.
 */
export async function takeImages(
  session: Session,
  objects: readonly ArchiveObject[],
  options: Options,
): Promise<number> {
  let left = 0
  for (const object of objects) {
    const { kind, copy, detail } = object
    if ((kind !== 'rows' && kind !== 'values') || copy === null || 'imageColumns' in detail) left++
    else if (await takeImageOf(session, { ...object, copy }, options)) left++
  }
  return left
}

/** False when nothing was left of the object, and it went. */
async function takeImageOf(
  session: Session,
  object: ArchiveObject & { readonly copy: string },
  options: Options,
): Promise<boolean> {
  const { copy } = object
  // A small copy is read whole, whatever the planner knows of it.
  const tidy = object.kind === 'rows' ? [`delete from ${copy} where plinth_inserted`] : []
  const known = options.shapes?.get(object.source)
  const [size, asked] = (
    await session.send([
      { text: openingCopy(copy) },
      ...tidy.map(text => ({ text })),
      { text: `select pg_catalog.pg_relation_size(${literal(copy)}::regclass)::float8 as bytes` },
      ...(known ? [] : [shapeAsked(object.source, options)]),
    ])
  ).slice(1 + tidy.length)
  const shape = known ?? readShape(asked, options)
  const bytes = Number(size?.rows[0]?.['bytes'] ?? 0)
  const image = shape ? imageOf(object, copy, shape) : { columns: [], statements: [] }
  const analyze = object.kind === 'rows' && bytes > smallBytes ? [`analyze ${copy}`] : []
  const work = [...analyze, ...image.statements, `select count(*) as rows from ${copy}`].map(text => ({ text }))
  const counted = await withEveryRow(session, shape ? [shape] : [], () => session.send(work))
  const rows = Number(counted.at(-1)?.rows[0]?.['rows'] ?? 0)
  if (rows === 0) {
    await session.send([{ text: `drop table ${copy}` }, objectRemoval(object)])
    return false
  }
  const detail = { ...object.detail, imageColumns: image.columns }
  await session.send([...closingCopy(copy).map(text => ({ text })), objectUpdate(object, { rows, detail })])
  return true
}

const smallBytes = 262_144

interface Image {
  readonly columns: readonly string[]
  /** They write the image into the copy. */
  readonly statements: readonly string[]
}

function imageOf(object: ArchiveObject, copy: string, shape: Shape): Image {
  const { key } = object.detail
  const own = new Set(ownColumns(shape).map(column => column.name))
  const now = new Set(shape.columns.map(column => column.name))
  // What is generated follows from the rest.
  const kept = object.detail.columns.map(column => column.name).filter(name => own.has(name) || !now.has(name))
  const common = kept.filter(name => own.has(name))
  if (!key?.every(name => now.has(name))) return { columns: common, statements: [] }
  const same = typedKey(object, shape, 'c', 't')
  return {
    columns: common,
    statements: [
      `update ${copy} c set plinth_image = ${rowDigest(common, 't.')} from ${shape.name} t where ${same}`,
      // What has a column less than before is not the same, whatever is left of it.
      ...(common.length === kept.length
        ? [`delete from ${copy} c where plinth_image = ${rowDigest(common, 'c.')}`]
        : []),
    ],
  }
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
  const now = new Set(shape.columns.map(column => column.name))
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
