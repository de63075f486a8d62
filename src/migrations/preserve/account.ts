/** What became of the rows of a copy: whoever is equal in the table is back, and whoever is not says why. */
import type { Session } from '../../engines/engine.ts'
import { keyText } from './images.ts'
import { ownColumns, type Shape, type ShapeColumn } from './shape.ts'
import type { ArchiveObject, Digest, RestoreReport } from './store.ts'
import { columnList, ident, rowDigest, tableDigest } from './text.ts'

export interface RestoreOptions {
  readonly tenantColumn: string
  readonly kinship: Kinship
  /** What the statements of the restoring step may have done to rows. */
  readonly writes: 'rows' | 'nothing'
}

/**
 * How the restoring step is related to the one whose work was taken away. `same`: it makes the same again, and everything comes back. `edited`:
 * it may compute something else, so only what it left free is filled: rows whose key is not taken, and columns where it wrote no rows. `other`:
 * another migration under the same number, for which nothing was kept.
 */
export type Kinship = 'same' | 'edited' | 'other'

export interface Restored {
  readonly object: ArchiveObject
  readonly report: RestoreReport
  /** Nothing is left in the copy, which may go. */
  readonly whole: boolean
}

export interface Copy {
  readonly name: string
  /** Its rows say what became of theirs in the table. */
  readonly stateful: boolean
  /** Nothing was taken out of it yet. */
  readonly fresh: boolean
}

export type Filled = Omit<Restored, 'object'>

/** What came from one place goes there. */
export interface Place {
  readonly shape: Shape
  readonly options: RestoreOptions
}

export interface Account {
  readonly object: ArchiveObject
  readonly copy: Copy
  readonly shape: Shape
  readonly names: readonly string[]
  readonly same: string
  readonly due: string
}

/** Whoever is equal in the table is restored and leaves the copy; what is left says why. */
export async function accountByKey(session: Session, account: Account): Promise<Filled> {
  const { object, copy, shape, names, same, due } = account
  const equal = `${same} and ${due} and ${rowDigest(names, 't.')} = ${rowDigest(names, 'c.')}`
  const key = object.detail.key ?? []
  // The limit keeps the planner from working each digest out again wherever it is named.
  const { rows } = await session.query<Record<'total' | 'rows' | 'digest' | 'equal' | 'same', string>>(
    `select count(*) as total, count(*) filter (where c.due) as rows, count(*) filter (where c.due and c.digest = t.digest) as equal,
      coalesce(sum(c.digest) filter (where c.due), 0)::text as digest,
      coalesce(sum(t.digest) filter (where c.due and c.digest = t.digest), 0)::text as same
    from (select ${columnList(key, 'c.')}, ${due} as due, ${rowDigest(names, 'c.')} as digest from ${copy.name} c offset 0) c
    left join (select ${columnList(key, 't.')}, ${rowDigest(names, 't.')} as digest from ${shape.name} t offset 0) t on ${same}`,
  )
  const [seen] = rows
  const before = { rows: Number(seen?.rows ?? 0), digest: seen?.digest ?? '0' }
  const after = { rows: Number(seen?.equal ?? 0), digest: seen?.same ?? '0' }
  if (after.rows === Number(seen?.total ?? 0))
    return { whole: true, report: { ...nothing(object), before, after, restored: after.rows } }
  await session.script(`delete from ${copy.name} c using ${shape.name} t where ${equal}`)
  const there = `exists (select from ${shape.name} t where ${same})`
  const state = copy.stateful ? 'c.plinth_state' : "'restore'"
  const left = async (where: string) => keysWhere(session, copy.name, key, where)
  const kept = await left(`${state} = 'changed'`)
  const orphaned = await left(`${state} = 'orphaned' or ${state} = 'restore' and not ${there}`)
  const unmatched = await left(`${state} = 'restore' and ${there}`)
  return {
    whole: false,
    report: {
      ...nothing(object),
      before,
      after,
      restored: after.rows,
      kept: kept.count,
      orphaned: orphaned.count,
      unmatched: unmatched.count,
      keys: { kept: kept.keys, orphaned: orphaned.keys, unmatched: unmatched.keys },
    },
  }
}

/** The table or its columns are not there, or refuse the rows: everything stays. */
export async function leftWhole(session: Session, object: ArchiveObject, copy: Copy): Promise<Filled> {
  const names = object.detail.columns.map(column => column.name)
  const before = await digestOf(session, `${copy.name} c where true`, names, 'c.')
  // A table that moved away left what is generated behind, also where it is a part of the key.
  const isHeld = (name: string) => object.kind !== 'table' || names.includes(name)
  const key = (object.detail.key ?? []).filter(isHeld)
  const { count, keys } = await keysWhere(session, copy.name, key, 'true')
  return {
    whole: count === 0,
    report: { ...nothing(object), before, orphaned: count, keys: { kept: [], orphaned: keys, unmatched: [] } },
  }
}

/** The columns of the copy that the table can take now, as the table has them. */
export function commonColumns(object: ArchiveObject, shape: Shape): ShapeColumn[] {
  const kept = new Set(object.detail.columns.map(column => column.name))
  return ownColumns(shape).filter(column => kept.has(column.name))
}

export function cast(column: ShapeColumn, from: string): string {
  return `${from}.${ident(column.name)}::${column.type}`
}

export function nothing({ kind, source }: ArchiveObject): RestoreReport {
  const empty = { rows: 0, digest: '0' }
  return {
    kind,
    source,
    restored: 0,
    kept: 0,
    defaulted: 0,
    orphaned: 0,
    unmatched: 0,
    keys: { kept: [], orphaned: [], unmatched: [] },
    before: empty,
    after: empty,
  }
}

export async function digestOf(
  session: Session,
  from: string,
  names: readonly string[],
  prefix: string,
  digest = rowDigest,
): Promise<Digest> {
  const { rows } = await session.query<{ rows: string; digest: string }>(tableDigest(from, names, prefix, digest))
  return readDigest(rows[0])
}

export function readDigest(row: { readonly rows: string; readonly digest: string } | undefined): Digest {
  return { rows: Number(row?.rows ?? 0), digest: row?.digest ?? '0' }
}

export async function countOf(session: Session, from: string): Promise<number> {
  const { rows } = await session.query<{ rows: string }>(`select count(*) as rows from ${from}`)
  return Number(rows[0]?.rows ?? 0)
}

async function keysWhere(session: Session, copy: string, key: readonly string[], where: string) {
  const { rows } = await session.query<{ count: string; keys: readonly string[] | null }>(
    `select (select count(*) from ${copy} c where ${where}) as count,
      (select json_agg(key) from (select ${keyText(key, 'c')} as key from ${copy} c where ${where} limit 20) shown) as keys`,
  )
  return { count: Number(rows[0]?.count ?? 0), keys: rows[0]?.keys ?? [] }
}
