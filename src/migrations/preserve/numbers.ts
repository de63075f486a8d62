/**
 * A step that inserts rows again draws new numbers for them, while its opposite kept those rows under their old ones: users' rows refer to these, and
 * every row would be there twice. So a sequence begins again at the first number that was kept; a row that was kept takes the place of the one
 * that is inserted under its number, as where a file says the numbers itself.
 */
import type { Session } from '../../engines/engine.ts'
import { type Shape, shapeOf } from './shape.ts'
import type { ArchiveObject } from './store.ts'
import { ident, literal } from './text.ts'
import { closeCopy, openCopy } from './visible.ts'

export interface Restarted {
  readonly object: ArchiveObject
  /** Quoted and qualified. */
  readonly sequence: string
  readonly column: string
  readonly first: string
  /** The last number before the step. */
  readonly last: string
}

/**
 * In the transaction of the step, before its first statement. Restarting is undone with the transaction, and others who draw from the sequence wait
 * for its end.
 */
export async function restartNumbers(
  session: Session,
  objects: readonly ArchiveObject[],
  firsts: ReadonlyMap<string, string>,
): Promise<Restarted[]> {
  const restarted: Restarted[] = []
  for (const object of objects) {
    const [column, ...others] = object.detail.key ?? []
    if (object.kind !== 'rows' || object.copy === null || column === undefined || others.length > 0) continue
    const found = await sequenceOf(session, object, column)
    if (found === null || restarted.some(one => one.sequence === found.sequence)) continue
    // What matched nothing at the first try goes on where it was, and leaves the others theirs.
    const first = firsts.size > 0 ? (firsts.get(found.sequence) ?? null) : await firstOf(session, object, column)
    if (first === null || BigInt(first) < 1n || BigInt(first) > BigInt(found.last)) continue
    await session.query(`alter sequence ${found.sequence} restart with ${BigInt(first)}`)
    restarted.push({ object, column, first, ...found })
  }
  return restarted
}

/** Whether the step inserted what was kept; else by sequence under which number its first row was, where that is known. */
export type Settled = 'the same' | ReadonlyMap<string, string>

/**
 * Behind its last statement: the sequences go on where they were. The step inserted what was kept where one of its rows is the one that was kept
 * under its number, but for what defaults say.
 */
export async function settleNumbers(
  session: Session,
  restarted: readonly Restarted[],
  options: { readonly tenantColumn: string },
): Promise<Settled> {
  let isSame = true
  const firsts = new Map<string, string>()
  for (const one of restarted) {
    const { rows } = await session.query<{ drawn: string | null }>(
      `select case when is_called then last_value::text end as drawn from ${one.sequence}`,
    )
    const drawn = rows[0]?.drawn ?? null
    if (drawn !== null) {
      const { found, other } = await insertedAgain(session, one, { drawn, options })
      isSame &&= found
      const first = found ? one.first : other
      if (first !== null) firsts.set(one.sequence, first)
    }
    const last = drawn === null || BigInt(drawn) < BigInt(one.last) ? one.last : drawn
    await session.query(`select pg_catalog.setval(${literal(one.sequence)}::regclass, ${BigInt(last)}, true)`)
  }
  return isSame ? 'the same' : firsts
}

/** Only one that counts upwards, and that the user may restart. */
async function sequenceOf(session: Session, { source }: ArchiveObject, column: string) {
  const { rows } = await session.query<{ sequence: string; last: string }>(
    `select s.seqrelid::regclass::text as sequence, pg_catalog.pg_sequence_last_value(s.seqrelid)::text as last
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_sequence s on s.seqrelid = pg_catalog.pg_get_serial_sequence($1, a.attname)::regclass
    join pg_catalog.pg_class c on c.oid = s.seqrelid
    where a.attrelid = to_regclass($1) and a.attname = $2 and s.seqincrement > 0
      and pg_catalog.pg_has_role(c.relowner, 'usage') and pg_catalog.pg_sequence_last_value(s.seqrelid) is not null`,
    [source, column],
  )
  return rows[0] ?? null
}

/** The lowest that is free. */
async function firstOf(session: Session, { source, copy }: ArchiveObject, column: string): Promise<string | null> {
  if (copy === null) return null
  const key = ident(column)
  await openCopy(session, copy)
  const { rows } = await session.query<{ first: string | null }>(
    `select min(c.${key})::text as first from ${copy} c where not exists (select from ${source} t where t.${key} = c.${key})`,
  )
  await closeCopy(session, copy)
  return rows[0]?.first ?? null
}

async function insertedAgain(
  session: Session,
  { object, column, first }: Restarted,
  { drawn, options }: { readonly drawn: string; readonly options: { readonly tenantColumn: string } },
): Promise<{ readonly found: boolean; readonly other: string | null }> {
  const shape = await shapeOf(session, object.source, options)
  const compared = shape ? comparable(object, shape) : []
  if (!shape || object.copy === null || compared.length === 0) return { found: false, other: null }
  const key = ident(column)
  const same = compared.map(name => `t.${ident(name)}::text is not distinct from c.${ident(name)}::text`).join(' and ')
  await openCopy(session, object.copy)
  const { rows } = await session.query<{ found: boolean; other: string | null }>(
    `select
      coalesce(bool_or(t.${key} = c.${key}), false) as found,
      (min(c.${key}) filter (where t.${key} = ${BigInt(first)}))::text as other
    from ${shape.name} t
    join ${object.copy} c on ${same}
    where t.${key} between ${BigInt(first)} and ${BigInt(drawn)}`,
  )
  await closeCopy(session, object.copy)
  return rows[0] ?? { found: false, other: null }
}

/** What the file says itself, and no default. */
function comparable({ detail }: ArchiveObject, shape: Shape): string[] {
  const kept = new Set(detail.columns.map(({ name }) => name))
  return shape.columns
    .filter(one => one.default === null && !one.generated && kept.has(one.name) && !detail.key?.includes(one.name))
    .map(({ name }) => name)
}
