/**
 * A large table is copied while others go on writing to it. Then it is locked, and what they wrote since the copy began is copied again: rows
 * whose version was written by a transaction that the copy could not see.
 */
import type { Session } from '../../engines/engine.ts'
import { columnList, literal, rowDigest, sameKey, valueDigest } from './text.ts'
import { identifyingCopy } from './visible.ts'

export interface CaughtUp {
  /** What rows that were written meanwhile change about the number of rows of the copy, and about its digest. */
  readonly added: number
  readonly digest: bigint
  /** Whether all of them hold the values that every other row has. */
  readonly uniform: boolean
}

/**
 * As the statement itself would lock them a moment later: between a copy and its statement nobody may write. A vacuum of the server's own gives
 * way after a second, and until then everybody would queue behind us; so it is waited for in a mode that stands in nobody else's way.
 */
export async function lockAgainstAll(session: Session, tables: readonly string[]): Promise<void> {
  if (tables.length > 0)
    await session.script([vacuumFirst(tables), `lock table ${tables.join(', ')} in access exclusive mode`].join(';\n'))
}

/** Has a vacuum that is not urgent give way, and holds the next one off until the end of the transaction. */
export function vacuumFirst(tables: readonly string[]): string {
  return `lock table ${tables.join(', ')} in share update exclusive mode`
}

/** Whatever an older transaction wrote is seen by a statement that begins now. */
export async function oldestRunning(session: Session): Promise<string> {
  const { rows } = await session.query<{ xid: string }>(
    'select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text as xid',
  )
  return rows[0]?.xid ?? '0'
}

/**
 * Locks the table until the end of the transaction. The values of rows that were deleted meanwhile stay in the copy, where they are told as
 * orphaned when they come back: to find them would take a look at every row.
 */
export async function catchUp(
  session: Session,
  input: {
    readonly table: string
    readonly copy: string
    readonly key: readonly string[]
    /** Expressions over `t` that make the columns of the copy. */
    readonly selected: readonly string[]
    /** Null where the copy has no digest. */
    readonly digested: readonly string[] | null
    readonly since: string
    readonly values: readonly string[]
    /** Digest of the values that every row had so far. */
    readonly uniform: string | null
  },
): Promise<CaughtUp> {
  const { table, copy, key, digested } = input
  const digestOf = (prefix: string) => (digested ? valueDigest(digested, prefix) : '0::bigint')
  const recent = `from ${table} t where age(t.xmin) <= age(${literal(input.since)}::xid8::xid)`
  const { rows } = await session.query<{ some: boolean }>(`select exists (select ${recent}) as some`)
  // Others are writing: the copy gets its index before they have to wait.
  if (rows[0]?.some) await session.script(`create unique index on ${copy} (${columnList(key)})`)
  await lockAgainstAll(session, [table])
  const late = `${copy.slice(0, -1)}l"`
  await session.script(
    `create table ${late} as select ${input.selected.join(', ')} ${recent};\n${identifyingCopy(late)}`,
  )
  const written = await sum(session, `select ${digestOf('d.')} as digest from ${late} d`)
  if (written.rows > 0) {
    const gone = await sum(
      session,
      `delete from ${copy} c using ${late} d where ${sameKey(key, 'c', 'd')} returning ${digestOf('c.')} as digest`,
    )
    const others =
      input.uniform === null
        ? 1
        : await count(session, `${late} d where ${rowDigest(input.values, 'd.')} <> ${input.uniform}`)
    await session.script(`insert into ${copy} select * from ${late}; drop table ${late}`)
    return { added: written.rows - gone.rows, digest: written.digest - gone.digest, uniform: others === 0 }
  }
  await session.script(`drop table ${late}`)
  return { added: 0, digest: 0n, uniform: true }
}

async function sum(session: Session, digests: string): Promise<{ readonly rows: number; readonly digest: bigint }> {
  const { rows } = await session.query<{ rows: string; digest: string }>(
    `with told as (${digests}) select count(*) as rows, coalesce(sum(digest), 0)::text as digest from told`,
  )
  return { rows: Number(rows[0]?.rows ?? 0), digest: BigInt(rows[0]?.digest ?? '0') }
}

async function count(session: Session, from: string): Promise<number> {
  const { rows } = await session.query<{ rows: string }>(`select count(*) as rows from ${from}`)
  return Number(rows[0]?.rows ?? 0)
}
