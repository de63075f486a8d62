/** The archived rows of one batch: so many keys behind the last one that is done. */
import type { Session } from '../../engines/engine.ts'
import type { ArchiveObject } from './store.ts'
import { columnList, ident } from './text.ts'

export interface Range {
  /** Conditions on the key, with the values of its ends as parameters. */
  readonly within: (alias: string) => string
  readonly values: readonly string[]
  readonly until: readonly string[]
  readonly seen: number
}

export async function nextRange(
  session: Session,
  { copy, detail }: ArchiveObject,
  size: number,
): Promise<Range | null> {
  const key = detail.key ?? []
  const types = await typesOf(session, copy ?? '', key)
  const after = detail.window?.key ?? null
  const tuple = (from: number) => `(${types.map((type, at) => `$${from + at}::${type}`).join(', ')})`
  const names = (alias: string) => `(${columnList(key, alias === '' ? '' : `${alias}.`)})`
  const { rows } = await session.query<Record<string, string>>(
    `select ${key.map((name, at) => `${ident(name)}::text as key_${at}`).join(', ')}, (count(*) over ())::text as seen
    from (
      select ${columnList(key)}
      from ${copy}
      ${after === null ? '' : `where ${names('')} > ${tuple(1)}`}
      order by ${columnList(key)}
      limit ${size}
    ) plinth_batch
    order by ${key.map(name => `${ident(name)} desc`).join(', ')}
    limit 1`,
    after ?? [],
  )
  const [last] = rows
  if (!last) return null
  const until = key.map((_, at) => last[`key_${at}`] ?? '')
  return {
    within: alias =>
      `${names(alias)} <= ${tuple(1)}${after === null ? '' : ` and ${names(alias)} > ${tuple(1 + key.length)}`}`,
    values: [...until, ...(after ?? [])],
    until,
    seen: Number(last['seen']),
  }
}

async function typesOf(session: Session, copy: string, key: readonly string[]): Promise<string[]> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type
    from pg_catalog.pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped`,
    [copy],
  )
  const types = new Map(rows.map(({ name, type }) => [name, type]))
  return key.map(name => types.get(name) ?? 'text')
}
