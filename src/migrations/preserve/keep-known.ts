/** Keeps what is known by number: what code was seen to take away in an earlier attempt, and what goes along with something else. */
import { copyColumns, copyTable, holdsRows } from './copy.ts'
import { type Custody, originOf } from './custody.ts'
import { assertRoom } from './room.ts'
import { type Shape, shapeNow } from './shape.ts'
import type { Relation } from './witness.ts'

/** `oid` of a table or sequence, `oid.number` of a column, `oid.number.values` of one that gets another type. */
export async function keepKnown(custody: Custody, known: ReadonlySet<string>): Promise<void> {
  const columns = new Map<string, string[]>()
  for (const one of known) {
    const [oid = '', column, kind = 'column'] = one.split('.')
    const relation = custody.before.get(Number(oid))
    if (!relation) continue
    const group = `${oid}.${kind}`
    if (column !== undefined) columns.set(group, [...(columns.get(group) ?? []), column])
    else if (relation.kind === 'sequence') await keepSequence(custody, relation)
    else await keepTable(custody, relation.oid)
    custody.covered.add(one.replace('.values', ''))
  }
  for (const [group, numbers] of columns) {
    const [oid, kind] = group.split('.')
    await keepColumns(custody, Number(oid), { numbers, kind: kind === 'values' ? 'values' : 'column' })
  }
}

/** Those that end with columns of a table. */
export async function keepSequences(custody: Custody, shape: Shape, columns: readonly string[]): Promise<void> {
  const names = new Set(shape.sequences.filter(({ column }) => columns.includes(column)).map(({ name }) => name))
  for (const relation of custody.before.values()) {
    if (relation.kind !== 'sequence' || !names.has(relation.name)) continue
    custody.covered.add(String(relation.oid))
    await keepSequence(custody, relation)
  }
}

async function keepTable(custody: Custody, oid: number): Promise<void> {
  const { session, writer, options } = custody
  const shape = await shapeNow(session, oid, options)
  if (!(await holdsRows(session, shape))) return
  await assertRoom(session, shape.bytes, options)
  await copyTable(session, writer, { shape, origin: originOf(custody, shape) })
}

async function keepColumns(
  custody: Custody,
  oid: number,
  { numbers, kind }: { readonly numbers: readonly string[]; readonly kind: 'column' | 'values' },
): Promise<void> {
  const { session, writer, options } = custody
  const shape = await shapeNow(session, oid, options)
  const names = shape.columns.filter(column => numbers.includes(String(column.number))).map(column => column.name)
  await keepSequences(custody, shape, names)
  await assertRoom(session, shape.bytes, options)
  await copyColumns(session, writer, { shape, names, kind, origin: originOf(custody, shape) })
}

async function keepSequence({ session, writer }: Custody, relation: Relation): Promise<void> {
  const { rows } = await session.query<{ last: string | null }>(
    "select last_value::text as last from pg_catalog.pg_sequences where format('%I.%I', schemaname, sequencename) = $1",
    [relation.name],
  )
  const last = rows[0]?.last ?? null
  if (last === null) return
  await writer.add('sequence', {
    source: relation.name,
    copy: null,
    rows: null,
    detail: { columns: [], key: null, tenant: null, sequences: [{ column: null, name: relation.name, last }] },
  })
}
