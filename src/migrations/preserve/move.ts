/**
 * A table that a statement drops moves to the archive schema instead: no row is read or written, whatever its size. It leaves behind what
 * would tie it to the living database (references, triggers, policies, defaults, grants), and what hung on it goes as the statement would
 * have it.
 */
import type { Session } from '../../engines/engine.ts'
import { tableDetail } from './copy.ts'
import { type Origin, type Shape, shapeNow } from './shape.ts'
import { archiveSchema } from './store.ts'
import { ident, literal } from './text.ts'
import { definitionsOf, dropDependents, untieStatements } from './untie.ts'
import { closingCopy } from './visible.ts'
import type { Writer } from './writer.ts'

export interface MoveInput {
  /** All tables that go, partitions and heirs included. */
  readonly oids: readonly number[]
  /** Tables that the statement names: it finds an empty stand-in for each. */
  readonly named: readonly number[]
  /** What each was called when the transaction began. */
  readonly origins: ReadonlyMap<number, Origin>
  readonly tenantColumn: string
}

export async function moveTables(session: Session, writer: Writer, input: MoveInput): Promise<void> {
  const shapes: Shape[] = []
  for (const oid of input.oids) shapes.push(await shapeNow(session, oid, input))
  const definitions = await definitionsOf(session, input.oids)
  const dependents = await dropDependents(session, input.oids)
  await untie(session, input.oids)
  const taken = new Set(await namesInArchive(session))
  const parents = await parentsOf(session, input.oids)
  for (const shape of shapes) {
    const copy = await writer.nameFor(shape.table)
    const standIn = input.named.includes(shape.oid) ? [`create table ${shape.name} ()`] : []
    const moving = await moveStatements(session, shape, copy, taken)
    await session.script([...moving, ...closingCopy(copy), ...standIn].join(';\n'))
    // The rows of a partition are read through its parent; heirs of a table have rows and columns of their own.
    if (parents.has(shape.oid)) continue
    const origin = input.origins.get(shape.oid)
    const renamed = [...(origin?.columns ?? [])].filter(([now, once]) => now !== once)
    for (const [now, once] of renamed)
      await session.script(`alter table ${copy} rename column ${ident(now)} to ${ident(once)}`)
    await writer.add('table', {
      source: origin?.name ?? shape.name,
      copy,
      rows: null,
      detail: { ...tableDetail({ shape, origin }), dependents, definitions: definitions.get(shape.oid) ?? [] },
    })
  }
}

/** A partition or an heir that leaves its parents takes what it had of them along as its own: foreign keys, checks, columns. */
async function untie(session: Session, oids: readonly number[]): Promise<void> {
  const ties = await untieStatements(session, oids)
  if (ties.length > 0) await session.script(ties.join(';\n'))
  if (!ties.some(statement => / (?:detach partition|no inherit) /.test(statement))) return
  const taken = await untieStatements(session, oids)
  if (taken.length > 0) await session.script(taken.join(';\n'))
}

/** Partitions whose parent goes with them. */
async function parentsOf(session: Session, oids: readonly number[]): Promise<Set<number>> {
  const { rows } = await session.query<{ oid: number }>(
    `select inhrelid as oid
    from pg_catalog.pg_inherits
    join pg_catalog.pg_class c on c.oid = inhrelid
    where c.relispartition and inhrelid in (${list(oids)}) and inhparent in (${list(oids)})`,
  )
  return new Set(rows.map(row => row.oid))
}

async function moveStatements(session: Session, shape: Shape, copy: string, taken: Set<string>): Promise<string[]> {
  const { rows } = await session.query<{ name: string; schema: string; kind: string }>(
    `select c.relname as name, n.nspname as schema, c.relkind::text as kind
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.oid in (select indexrelid from pg_catalog.pg_index where indrelid = $1::oid)
      or c.oid in (
        select objid
        from pg_catalog.pg_depend
        where classid = 'pg_catalog.pg_class'::regclass and refclassid = 'pg_catalog.pg_class'::regclass
          and refobjid = $1::oid and deptype in ('a', 'i')
      ) and c.relkind = 'S'`,
    [shape.oid],
  )
  const [, own = ''] = /^[^.]+\.(.*)$/s.exec(copy) ?? []
  const bare = own.slice(1, -1).replaceAll('""', '"')
  const renames = rows.flatMap(({ name, schema, kind }, at) => {
    const clashes = taken.has(name)
    const next = clashes ? `${bare.slice(-14)}_${at}` : name
    taken.add(next)
    const noun = kind === 'S' ? 'sequence' : 'index'
    return clashes ? [`alter ${noun} ${ident(schema)}.${ident(name)} rename to ${ident(next)}`] : []
  })
  return [
    ...renames,
    `alter table ${shape.name} rename to ${own}`,
    `alter table ${ident(shape.schema)}.${own} set schema ${archiveSchema}`,
  ]
}

async function namesInArchive(session: Session): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    'select c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1',
    [archiveSchema],
  )
  return rows.map(row => row.name)
}

function list(oids: readonly number[]): string {
  return oids.map(oid => literal(oid)).join(', ') || 'null'
}
