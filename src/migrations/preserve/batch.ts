/**
 * One batch of values that come back. Its rows are locked first, as an update would lock them, so that what the statements behind it see is
 * what is there; the archived rows are not, so that nobody waits in a circle.
 */
import type { Session } from '../../engines/engine.ts'
import { type Account, cast, commonColumns } from './account.ts'
import { keyText, typedKey } from './images.ts'
import { nextRange, type Range } from './range.ts'
import { shapeOf } from './shape.ts'
import { type ArchiveObject, type Digest, type RestoreReport, type RestoreWindow, updateObject } from './store.ts'
import { columnList, ident, rowDigest } from './text.ts'
import { saysItself } from './window.ts'

export interface Batch {
  readonly size: number
  /** `leave`: the values fit nowhere, so they stay in the archive. */
  readonly how: 'restore' | 'leave'
}

export interface BatchDone {
  readonly window: RestoreWindow
  /** Archived rows that it looked at; none behind the last. */
  readonly seen: number
}

/** In a transaction of its own, which reads what is committed, and in the settings of `plainly`. */
export async function restoreBatch(
  session: Session,
  object: ArchiveObject,
  { size, how, tenantColumn }: Batch & { readonly tenantColumn: string },
): Promise<BatchDone> {
  const { copy, detail } = object
  const { window } = detail
  if (!window) throw new TypeError(`The values of ${object.source} do not come back in batches.`)
  const range = copy === null ? null : await nextRange(session, object, size)
  if (copy === null || range === null) return { window, seen: 0 }
  const shape = await shapeOf(session, object.source, { tenantColumn })
  const columns = shape ? commonColumns(object, shape) : []
  const account =
    shape && columns.length === detail.columns.length
      ? await fillRange(session, { object, copy, shape, range, how, window })
      : await leaveRange(session, { copy, range, window })
  const written = await writtenIn(session, object, range)
  const report = added(window.report, { ...account, kept: written.count, keptKeys: written.keys })
  const next = { ...window, key: range.until, report }
  await updateObject(session, object, { detail: { ...detail, window: next } })
  return { window: next, seen: range.seen }
}

interface Filling extends Pick<Account, 'object' | 'shape'> {
  readonly copy: string
  readonly range: Range
  readonly how: Batch['how']
  readonly window: RestoreWindow
}

interface Told extends Pick<RestoreReport, 'restored' | 'orphaned' | 'unmatched' | 'before' | 'after'> {
  readonly orphanedKeys: readonly string[]
  readonly unmatchedKeys: readonly string[]
}

async function fillRange(session: Session, input: Filling): Promise<Told> {
  const { object, shape, copy, range, how, window } = input
  const key = object.detail.key ?? []
  const columns = commonColumns(object, shape)
  const names = columns.map(column => column.name)
  const same = typedKey(object, shape, 'c', 't')
  await session.script(
    [
      saysItself,
      'set local enable_seqscan = off',
      ...(window.triggers === 'muted' ? ['set local session_replication_role = replica'] : []),
    ].join(';\n'),
  )
  await session.query(
    `select count(*)
    from (select from ${shape.name} t where ${range.within('t')} order by ${columnList(key, 't.')} for no key update) plinth_locked`,
    range.values,
  )
  const bothNull = columns.map(({ name }) => `t.${ident(name)} is null and c.${ident(name)} is null`).join(' and ')
  if (how === 'restore')
    await session.query(
      `update ${shape.name} t
      set ${columns.map(column => `${ident(column.name)} = ${cast(column, 'c')}`).join(', ')}
      from ${copy} c
      where ${range.within('c')} and ${range.within('t')} and ${same} and not (${bothNull})`,
      range.values,
    )
  const seen = `
    select c.*, t.plinth_there, ${rowDigest(names, 'c.')} as plinth_archived, t.plinth_now
    from (select * from ${copy} c where ${range.within('c')} offset 0) c
    left join (
      select true as plinth_there, ${columnList(key, 't.')}, ${rowDigest(names, 't.')} as plinth_now
      from ${shape.name} t
      where ${range.within('t')}
      offset 0
    ) t on ${same}`
  return tell(session, { object, range, window, seen })
}

/** The table or the column is gone again: all of it stays. */
async function leaveRange(
  session: Session,
  { copy, range, window }: Pick<Filling, 'copy' | 'range' | 'window'>,
): Promise<Told> {
  const { rowCount } = await session.query(
    `insert into ${window.left} select * from ${copy} c where ${range.within('c')}`,
    range.values,
  )
  const none = { rows: 0, digest: '0' }
  return {
    restored: 0,
    orphaned: rowCount,
    unmatched: 0,
    before: none,
    after: none,
    orphanedKeys: [],
    unmatchedKeys: [],
  }
}

/** Whoever is equal is back; the others go where what is left is kept. */
async function tell(
  session: Session,
  { object, range, window, seen }: Pick<Filling, 'object' | 'range' | 'window'> & { readonly seen: string },
): Promise<Told> {
  const key = object.detail.key ?? []
  const kept = await columnsOf(session, window.left)
  const { rows } = await session.query<
    Record<string, string> & { readonly lost: readonly string[] | null; readonly odd: readonly string[] | null }
  >(
    `with plinth_seen as materialized (${seen}),
    plinth_left as (
      insert into ${window.left} (${columnList(kept)})
      select ${columnList(kept)} from plinth_seen where plinth_now is distinct from plinth_archived
    )
    select count(*)::text as total, coalesce(sum(plinth_archived), 0)::text as "totalDigest",
      (count(*) filter (where plinth_now = plinth_archived))::text as equal,
      coalesce(sum(plinth_now) filter (where plinth_now = plinth_archived), 0)::text as "equalDigest",
      (count(*) filter (where plinth_there is null))::text as orphaned,
      (array_to_json((array_agg(${keyText(key, 'plinth_seen')}) filter (where plinth_there is null))[1:20])) as lost,
      (array_to_json((array_agg(${keyText(key, 'plinth_seen')}) filter (where plinth_there and plinth_now <> plinth_archived))[1:20])) as odd
    from plinth_seen`,
    range.values,
  )
  const [row] = rows
  const number = (name: string) => Number(row?.[name] ?? 0)
  const total = number('total')
  const restored = number('equal')
  const orphaned = number('orphaned')
  return {
    restored,
    orphaned,
    unmatched: total - restored - orphaned,
    before: { rows: total, digest: row?.['totalDigest'] ?? '0' },
    after: { rows: restored, digest: row?.['equalDigest'] ?? '0' },
    orphanedKeys: row?.lost ?? [],
    unmatchedKeys: row?.odd ?? [],
  }
}

async function columnsOf(session: Session, table: string): Promise<string[]> {
  const { rows } = await session.query<{ name: string }>(
    'select attname as name from pg_catalog.pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum',
    [table],
  )
  return rows.map(row => row.name)
}

/** Rows that others wrote before their batch came. */
async function writtenIn(session: Session, { detail }: ArchiveObject, range: Range) {
  const from = `${detail.window?.written ?? ''} w where ${range.within('w')}`
  const { rows } = await session.query<{ count: string; keys: readonly string[] | null }>(
    `select count(*)::text as count, array_to_json((array_agg(${keyText(detail.key ?? [], 'w')}))[1:20]) as keys from ${from}`,
    range.values,
  )
  return { count: Number(rows[0]?.count ?? 0), keys: rows[0]?.keys ?? [] }
}

function added(
  report: RestoreReport,
  told: Told & { readonly kept: number; readonly keptKeys: readonly string[] },
): RestoreReport {
  const sum = (left: Digest, right: Digest) => ({
    rows: left.rows + right.rows,
    digest: String(BigInt(left.digest) + BigInt(right.digest)),
  })
  const both = (left: readonly string[], right: readonly string[]) => [...left, ...right].slice(0, 20)
  return {
    ...report,
    restored: report.restored + told.restored,
    kept: report.kept + told.kept,
    orphaned: report.orphaned + told.orphaned,
    unmatched: report.unmatched + told.unmatched,
    before: sum(report.before, told.before),
    after: sum(report.after, told.after),
    keys: {
      kept: both(report.keys.kept, told.keptKeys),
      orphaned: both(report.keys.orphaned, told.orphanedKeys),
      unmatched: both(report.keys.unmatched, told.unmatchedKeys),
    },
  }
}
