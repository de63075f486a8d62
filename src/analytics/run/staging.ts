/** Tables beside the one that is made, which hold what will be put into it, and what stands in the way of it. */
import type { Session } from '../../engines/engine.ts'
import { spellingOf } from './cells.ts'

export interface Target {
  readonly schema: string
  readonly table: string
}

/** The qualified name of a table, quoted. */
export function targetName(session: Session, { schema, table }: Target): string {
  return spellingOf(session).relation(schema, table)
}

export function besides(target: Target, part: string): Target {
  return { schema: target.schema, table: `${target.table}__plinth_${part}` }
}

/** Gives `work` a table of what the query answers, which is gone afterwards. */
export async function withStaged<T>(
  session: Session,
  staged: Target,
  query: string,
  work: (name: string) => Promise<T>,
): Promise<T> {
  const name = targetName(session, staged)
  await session.query(`create or replace table ${name} as select * from (\n${query}\n) as result`)
  const result = await work(name)
  await session.query(`drop table ${name}`)
  return result
}

/** A table takes the place of a view and a view that of a table; either is dropped first. */
export async function makeWay(session: Session, target: Target, kind: 'table' | 'view'): Promise<void> {
  const found = await spellingOf(session).kind(session, target.schema, target.table)
  if (found !== null && found !== kind) await session.query(`drop ${found} ${targetName(session, target)}`)
}

export async function countOf(session: Session, target: Target): Promise<number> {
  const { rows } = await session.query<{ row_count: string }>(
    `select count(*) as row_count from ${targetName(session, target)}`,
  )
  return Number(rows[0]?.row_count ?? 0)
}
