/** Values of single columns come back by the key of their rows, or by all that stayed of them. */
import type { Session } from '../../engines/engine.ts'
import {
  type Account,
  accountByKey,
  cast,
  commonColumns,
  type Copy,
  countOf,
  digestOf,
  type Filled,
  leftWhole,
  nothing,
  type Place,
} from './account.ts'
import { typedKey } from './images.ts'
import { rewriteColumns } from './rewrite.ts'
import type { Shape } from './shape.ts'
import type { ArchiveObject, Digest } from './store.ts'
import { ident, literal, rowDigest, valueDigest } from './text.ts'

/** Values of single columns, by key or by the rest of the row. */
export async function fillColumns(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
  const { shape } = place
  const columns = commonColumns(object, shape)
  const names = columns.map(column => column.name)
  if (columns.length < object.detail.columns.length) return leftWhole(session, object, copy)
  const due = copy.stateful ? "c.plinth_state = 'restore'" : 'true'
  const sets = columns.map(column => `${ident(column.name)} = ${cast(column, 'c')}`).join(', ')
  const differs = `not (${columns.map(({ name }) => `t.${ident(name)} is null and c.${ident(name)} is null`).join(' and ')})`
  const { key } = object.detail
  if (key === null) {
    const before = await digestOf(session, `${copy.name} c where ${due}`, names, 'c.')
    return fillByRest(session, { object, copy, shape, names, before, sets, due })
  }
  const same = typedKey(object, shape, 'c', 't')
  if (object.kind === 'column' && copy.fresh && (await standsAlready(session, object, place)))
    return {
      whole: true,
      report: {
        ...nothing(object),
        before: object.detail.digest ?? { rows: 0, digest: '0' },
        defaulted: object.detail.digest?.rows ?? 0,
      },
    }
  const rewritten =
    object.kind === 'column' && copy.fresh && (await rewriteColumns(session, { copy: copy.name, shape, key, columns }))
  if (!rewritten)
    await session.script(
      `update ${shape.name} t set ${sets} from ${copy.name} c where ${same} and ${due} and ${differs}`,
    )
  const { digest: before } = object.detail
  if (rewritten && before && isOfTheSameTypes(object, shape)) {
    // One look in the order of the table costs a part of one that finds the pairs, and mostly tells as much.
    const now = await digestOf(session, `${shape.name} t`, [...key, ...names], 't.', valueDigest)
    if (now.rows === before.rows && now.digest === before.digest)
      return { whole: true, report: { ...nothing(object), before, after: now, restored: now.rows } }
  }
  const filled = await accountByKey(session, { object, copy, shape, names, same, due })
  const defaulted = object.kind === 'values' ? 0 : (await countOf(session, shape.name)) - filled.report.restored
  return { ...filled, report: { ...filled.report, defaulted: Math.max(0, defaulted) } }
}

/**
 * True when every row had one value, and the column that was just made holds that value by its default alone. Then nothing has to be written or
 * looked at, however large the table is.
 */
export async function standsAlready(
  session: Session,
  object: ArchiveObject,
  { shape, options }: Place,
): Promise<boolean> {
  const { uniform, columns } = object.detail
  if (uniform === undefined || options.writes === 'rows') return false
  const names = columns.map(column => column.name)
  const { rows } = await session.query<{ digest: string }>(
    `select ${rowDigest(names, 't.')}::text as digest
    from (select * from ${shape.name} limit 1) t
    where not exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = $1::oid and a.attname in (${names.map(literal).join(', ')}) and a.atthasdef and not a.atthasmissing
    )`,
    [shape.oid],
  )
  return rows[0]?.digest === uniform
}

/** Rows that are the same in all that stayed share out their values; `ctid` holds for one statement, and is used within one. */
async function fillByRest(
  session: Session,
  input: Omit<Account, 'same'> & { readonly sets: string; readonly before: Digest },
): Promise<Filled> {
  const { object, copy, shape, names, before, sets, due } = input
  const rest = rowDigest(object.detail.imageColumns ?? [], 't.')
  const pairs = `
    select t.ctid as place, t.tableoid as relation, row_number() over (partition by ${rest}) as turn, ${rest} as rest
    from ${shape.name} t`
  const mine = `select c.*, row_number() over (partition by c.plinth_rest) as turn from ${copy.name} c where ${due}`
  const { rowCount } = await session.query(
    `update ${shape.name} t set ${sets}
    from (${mine}) c
    join (${pairs}) p on p.rest = c.plinth_rest and p.turn = c.turn
    where t.ctid = p.place and t.tableoid = p.relation`,
  )
  const whole = rowCount === before.rows
  return {
    whole,
    report: {
      ...nothing(object),
      before,
      after: whole
        ? await digestOf(session, `${shape.name} t where true`, names, 't.')
        : { rows: rowCount, digest: '' },
      restored: rowCount,
      unmatched: before.rows - rowCount,
      defaulted: Math.max(0, (await countOf(session, shape.name)) - rowCount),
    },
  }
}

/** A value that was narrowed on its way back may still be equal by value. */
function isOfTheSameTypes({ detail }: ArchiveObject, shape: Shape): boolean {
  const types = new Map(shape.columns.map(({ name, type }) => [name, type]))
  return detail.columns.every(({ name, type }) => types.get(name) === type)
}
