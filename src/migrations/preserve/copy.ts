/** Copies what a statement takes away: columns by key, or whole tables where they cannot be moved. */
import type { Session } from '../../engines/engine.ts'
import { ownColumns, type Shape } from './shape.ts'
import { ident, rowDigest } from './text.ts'
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
  await withEveryRow(session, [shape], () =>
    session.script(`create table ${copy} as select ${made.join(', ')} from ${shape.name} t`),
  )
  await closeCopy(session, copy)
  await writer.add(kind, {
    source: shape.name,
    copy,
    rows: null,
    detail: {
      columns: taken.map(({ name, type: as, notNull }) => ({ name, type: as, notNull })),
      key,
      tenant,
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
