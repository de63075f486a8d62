/** Copies what a statement takes away: columns by key, or whole tables where they cannot be moved. */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import { catchUp, lockAgainstAll, oldestRunning } from './catch-up.ts'
import { keptAsTheyAre, type Origin, keptColumns, ownColumns, type Shape } from './shape.ts'
import type { Detail, Digest } from './store.ts'
import { ident, rowDigest, tableDigest, valueDigest } from './text.ts'
import { closeCopy, identifyingCopy, withEveryRow } from './visible.ts'
import type { Writer } from './writer.ts'

export interface Copied {
  readonly shape: Shape
  /** Names that the copy gives to the table and its columns; without it, those of now. */
  readonly origin?: Origin | undefined
}

/**
 * Keeps columns with the key of their rows. Where the table has no key, or the key goes too, the digest of the rest of the row stands in:
 * rows that are the same in all that stays may swap their values without anybody seeing a difference.
 */
export async function copyColumns(
  session: Session,
  writer: Writer,
  input: Copied & { readonly names: readonly string[]; readonly kind: 'column' | 'values' },
): Promise<void> {
  const { shape, kind, origin } = input
  const own = ownColumns(shape)
  const taken = own.filter(column => input.names.includes(column.name))
  if (taken.length === 0) return
  const once = onceCalled(origin)
  const key = shape.key?.some(name => input.names.includes(name)) ? null : shape.key
  const tenant = shape.tenant === null || input.names.includes(shape.tenant) ? null : shape.tenant
  const extra = tenant !== null && !key?.includes(tenant) ? [tenant] : []
  const rest = own.map(column => column.name).filter(name => !input.names.includes(name))
  const values = [
    ...keptColumns(shape).filter(({ name }) => key?.includes(name) || extra.includes(name)),
    ...taken,
  ].map(({ name, kept }) => `t.${ident(name)}::${kept} as ${ident(once(name))}`)
  const selected = [
    ...values,
    ...(key === null ? [`${rowDigest(rest, 't.')} as plinth_rest`] : []),
    ...(kind === 'values' ? ["null::bigint as plinth_image, 'restore'::text as plinth_state"] : []),
  ]
  const copy = await writer.nameFor(shape.table)
  const names = taken.map(column => once(column.name))
  const told = await fillCopy(session, {
    shape,
    copy,
    selected,
    key: key?.map(once) ?? null,
    names,
    taken: [...(key ?? []), ...input.names],
  })
  await closeCopy(session, copy)
  await writer.add(kind, {
    source: origin?.name ?? shape.name,
    copy,
    rows: null,
    detail: {
      columns: taken.map(({ name, type, notNull }) => ({ name: once(name), type, notNull })),
      key: key?.map(once) ?? null,
      tenant: tenant === null ? null : once(tenant),
      ...told,
      sequences: shape.sequences.filter(sequence => input.names.includes(sequence.column)),
      definitions: taken.map(
        column => `${column.name} ${column.type}${column.default ? ` default ${column.default}` : ''}`,
      ),
      ...(key === null ? { imageColumns: rest } : {}),
    },
  })
}

/** Keeps all rows of a table whose end cannot be replaced by a move, such as one that a function drops. */
export async function copyTable(session: Session, writer: Writer, { shape, origin }: Copied): Promise<void> {
  const once = onceCalled(origin)
  const copy = await writer.nameFor(shape.table)
  const selected = ownColumns(shape).map(({ name, kept }) => `t.${ident(name)}::${kept} as ${ident(once(name))}`)
  await lockAgainstAll(session, [shape.name])
  await withEveryRow(session, [shape], () =>
    session.script(
      `create table ${copy} as select ${selected.join(', ')} from ${shape.name} t;\n${identifyingCopy(copy)}`,
    ),
  )
  await closeCopy(session, copy)
  await writer.add('table', {
    source: origin?.name ?? shape.name,
    copy,
    rows: null,
    detail: tableDetail({ shape, origin }),
  })
}

export function tableDetail({ shape, origin }: Copied): Pick<Detail, 'columns' | 'key' | 'tenant' | 'sequences'> {
  const once = onceCalled(origin)
  return {
    columns: ownColumns(shape).map(({ name, type, notNull }) => ({ name: once(name), type, notNull })),
    key: shape.key?.map(once) ?? null,
    tenant: shape.tenant === null ? null : once(shape.tenant),
    sequences: shape.sequences.map(sequence => ({ ...sequence, column: once(sequence.column) })),
  }
}

/** True when there is at least one row that would be lost, which those of a foreign table are not. */
export async function holdsRows(session: Session, shape: Shape): Promise<boolean> {
  const own = await ownParts(session, shape)
  return withEveryRow(session, [shape], async () => {
    const each = own.map(name => `exists (select from ${name})`)
    const { rows } = await session.query<{ some: boolean }>(`select ${each.join(' or ') || 'false'} as some`)
    return rows[0]?.some === true
  })
}

/** What is to be read for the rows of a table: itself, or its parts where one of them is foreign. */
async function ownParts(session: Session, { oid, name }: Shape): Promise<string[]> {
  const { rows } = await session.query<{ name: string; kind: string }>(
    `with recursive part as (
      select $1::oid as oid
      union
      select i.inhrelid from part p join pg_catalog.pg_inherits i on i.inhparent = p.oid
    )
    select 'only ' || c.oid::regclass as name, c.relkind::text as kind
    from part p join pg_catalog.pg_class c on c.oid = p.oid
    where c.relkind <> 'p'
    order by c.oid`,
    [oid],
  )
  return rows.some(({ kind }) => kind === 'f') ? rows.flatMap(one => (one.kind === 'f' ? [] : [one.name])) : [name]
}

/** Below that, a copy is over before anybody minds. */
const worthCopyingBeside = 8 * 1024 * 1024

/** Null where a type has none. */
async function digestOf(session: Session, copy: string, names: readonly string[]): Promise<Digest | null> {
  await session.query('savepoint plinth_digest')
  try {
    const { rows } = await session.query<{ rows: string; digest: string }>(
      tableDigest(`${copy} c`, names, 'c.', valueDigest),
    )
    await session.query('release savepoint plinth_digest')
    return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '0' }
  } catch (thrown) {
    if (asPlinthError(thrown).sqlState !== '42883') throw thrown
    await session.query('rollback to savepoint plinth_digest')
    return null
  }
}

/** Of the values that every row has; null where they differ, which the first rows mostly tell. */
async function uniformDigest(session: Session, copy: string, names: readonly string[]): Promise<string | null> {
  const { rows } = await session.query<{ first: string | null; differ: boolean }>(
    `select one.first::text as first, exists (select from ${copy} c where ${rowDigest(names, 'c.')} <> one.first) as differ
    from (select ${rowDigest(names, 'c.')} as first from ${copy} c limit 1) one`,
  )
  const [seen] = rows
  return seen && !seen.differ ? seen.first : null
}

function onceCalled(origin: Origin | undefined): (name: string) => string {
  return name => origin?.columns.get(name) ?? name
}

/** A large table is copied beside its readers and writers, and locked only to look for what they wrote meanwhile. */
async function fillCopy(
  session: Session,
  input: {
    readonly shape: Shape
    readonly copy: string
    readonly selected: readonly string[]
    /** As the copy calls them. */
    readonly key: readonly string[] | null
    readonly names: readonly string[]
    /** As the table calls them. */
    readonly taken: readonly string[]
  },
): Promise<Pick<Detail, 'digest' | 'uniform'>> {
  const { shape, copy, selected, key, names } = input
  const isBeside = key !== null && shape.bytes >= worthCopyingBeside
  if (!isBeside) await lockAgainstAll(session, [shape.name])
  return withEveryRow(session, [shape], async () => {
    const since = await oldestRunning(session)
    await session.script(
      `create table ${copy} as select ${selected.join(', ')} from ${shape.name} t;\n${identifyingCopy(copy)}`,
    )
    const uniform = await uniformDigest(session, copy, names)
    const digested = key !== null && keptAsTheyAre(shape, input.taken) ? [...key, ...names] : null
    const digest = digested === null ? null : await digestOf(session, copy, digested)
    if (!isBeside) return toldOf(digest, uniform)
    const late = { table: shape.name, copy, key, selected, digested: digest && digested, since, values: names, uniform }
    const caught = await catchUp(session, late)
    const now = digest && { rows: digest.rows + caught.added, digest: String(BigInt(digest.digest) + caught.digest) }
    return toldOf(now, caught.uniform ? uniform : null)
  })
}

function toldOf(digest: Digest | null, uniform: string | null): Pick<Detail, 'digest' | 'uniform'> {
  return { ...(digest ? { digest } : {}), ...(uniform === null ? {} : { uniform }) }
}
