/** Copies what a statement takes away: columns by key, or whole tables where they cannot be moved. */
import type { Session } from '../../engines/engine.ts'
import { catchUp, lockAgainstAll, oldestRunning } from './catch-up.ts'
import { ownColumns, type Shape } from './shape.ts'
import type { Digest } from './store.ts'
import { ident, rowDigest, tableDigest } from './text.ts'
import { closeCopy, withEveryRow } from './visible.ts'
import type { Writer } from './writer.ts'

/**
 * Keeps columns with the key of their rows. Where the table has no key, or the key goes too, the digest of the rest of the row stands in:
 * rows that are the same in all that stays may swap their values without anybody seeing a difference.
 */
export async function copyColumns(
  session: Session,
  writer: Writer,
  input: { readonly shape: Shape; readonly names: readonly string[]; readonly kind: 'column' | 'values' },
): Promise<void> {
  const { shape, kind } = input
  const own = ownColumns(shape)
  const taken = own.filter(column => input.names.includes(column.name))
  if (taken.length === 0) return
  const key = shape.key?.some(name => input.names.includes(name)) ? null : shape.key
  const identity = key ?? []
  const tenant = shape.tenant === null || input.names.includes(shape.tenant) ? null : shape.tenant
  const extra = tenant !== null && !identity.includes(tenant) ? [tenant] : []
  const rest = own.map(column => column.name).filter(name => !input.names.includes(name))
  const copy = await writer.nameFor(shape.table)
  const type = (name: string) => own.find(column => column.name === name)?.kept ?? 'text'
  const selected = [...identity, ...extra, ...taken.map(column => column.name)].map(
    name => `t.${ident(name)}::${type(name)} as ${ident(name)}`,
  )
  const made = [
    ...selected,
    ...(key === null ? [`${rowDigest(rest, 't.')} as plinth_rest`] : []),
    ...(kind === 'values' ? ["null::bigint as plinth_image, 'restore'::text as plinth_state"] : []),
  ]
  const names = taken.map(column => column.name)
  const digested = key === null ? null : [...key, ...names]
  // A large table is copied beside its readers and writers, and locked only to look for what they wrote meanwhile.
  const beside = key !== null && shape.bytes >= worthCopyingBeside
  if (!beside) await lockAgainstAll(session, [shape.name])
  let digest: Digest | undefined
  let uniform: string | null = null
  await withEveryRow(session, [shape], async () => {
    const since = await oldestRunning(session)
    await session.script(`create table ${copy} as select ${made.join(', ')} from ${shape.name} t`)
    if (digested) digest = await digestOf(session, copy, digested)
    uniform = await uniformDigest(session, copy, names)
    if (!beside || !digested) return
    const caught = await catchUp(session, {
      table: shape.name,
      copy,
      key: identity,
      selected: made,
      digested,
      since,
      values: names,
      uniform,
    })
    digest = digest && { rows: digest.rows + caught.added, digest: String(BigInt(digest.digest) + caught.digest) }
    if (!caught.uniform) uniform = null
  })
  await closeCopy(session, copy)
  await writer.add(kind, {
    source: shape.name,
    copy,
    rows: null,
    detail: {
      columns: taken.map(({ name, type: as, notNull }) => ({ name, type: as, notNull })),
      key,
      tenant,
      ...(digest ? { digest } : {}),
      ...(uniform === null ? {} : { uniform }),
      sequences: shape.sequences.filter(sequence => input.names.includes(sequence.column)),
      definitions: taken.map(
        column => `${column.name} ${column.type}${column.default ? ` default ${column.default}` : ''}`,
      ),
      ...(key === null ? { imageColumns: rest } : {}),
    },
  })
}

/** Keeps all rows of a table whose end cannot be replaced by a move, such as one that a function drops. */
export async function copyTable(session: Session, writer: Writer, shape: Shape): Promise<void> {
  const own = ownColumns(shape)
  const copy = await writer.nameFor(shape.table)
  const selected = own.map(({ name, kept }) => `t.${ident(name)}::${kept} as ${ident(name)}`)
  await lockAgainstAll(session, [shape.name])
  await withEveryRow(session, [shape], () =>
    session.script(`create table ${copy} as select ${selected.join(', ')} from ${shape.name} t`),
  )
  await closeCopy(session, copy)
  await writer.add('table', { source: shape.name, copy, rows: null, detail: tableDetail(shape) })
}

export function tableDetail(shape: Shape) {
  return {
    columns: ownColumns(shape).map(({ name, type, notNull }) => ({ name, type, notNull })),
    key: shape.key,
    tenant: shape.tenant,
    sequences: shape.sequences,
  }
}

/** True when there is at least one row that would be lost. */
export async function holdsRows(session: Session, shape: Shape): Promise<boolean> {
  return withEveryRow(session, [shape], async () => {
    const { rows } = await session.query<{ some: boolean }>(`select exists (select from ${shape.name}) as some`)
    return rows[0]?.some === true
  })
}

/** Below that, a copy is over before anybody minds. */
const worthCopyingBeside = 8 * 1024 * 1024

async function digestOf(session: Session, copy: string, names: readonly string[]): Promise<Digest> {
  const { rows } = await session.query<{ rows: string; digest: string }>(tableDigest(`${copy} c`, names, 'c.'))
  return { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '0' }
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
