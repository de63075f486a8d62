/**
 * One batch of values that come back, and what is done when there are none left. The rows of a batch are locked first, as an update would lock
 * them, so that what the statements behind it see is what is there; the archived rows are not, so that nobody waits in a circle.
 */
import type { Session } from '../../engines/engine.ts'
import { type Account, cast, commonColumns, countOf, nothing } from './account.ts'
import { keyText, typedKey } from './images.ts'
import { shapeOf } from './shape.ts'
import {
  type ArchiveObject,
  type Digest,
  endArchive,
  type RestoreReport,
  type RestoreWindow,
  updateObject,
} from './store.ts'
import { columnList, ident, rowDigest } from './text.ts'
import { closeCopy } from './visible.ts'
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

/** All batches are done and the triggers gone: what is left stays in the archive, and its copy goes. In one transaction. */
export async function settleArchive(
  session: Session,
  objects: readonly ArchiveObject[],
  end: { readonly archiveId: string; readonly runId: string; readonly endedAt: string; readonly tenantColumn: string },
): Promise<RestoreReport[]> {
  const reports: RestoreReport[] = []
  for (const object of objects) {
    const { window, digest: _digest, uniform: _uniform, ...detail } = object.detail
    if (!window) {
      reports.push(nothing(object))
      continue
    }
    const { report } = window
    const left = report.orphaned + report.unmatched
    const gone = [object.copy, window.written, ...(left === 0 ? [window.left] : [])].filter(name => name !== null)
    await session.script(`drop table if exists ${gone.join(', ')}`)
    if (left > 0) await closeCopy(session, window.left)
    await updateObject(session, object, { copy: left > 0 ? window.left : null, rows: left, detail })
    reports.push(report)
  }
  await endArchive(session, end.archiveId, {
    status: reports.every(report => report.orphaned + report.unmatched === 0) ? 'restored' : 'leftover',
    endedAt: end.endedAt,
    endedBy: end.runId,
    report: reports,
  })
  return reports
}

/** Rows that have the column's default since nothing was archived for them. Reads the whole table, and keeps nobody waiting. */
export async function countDefaulted(session: Session, object: ArchiveObject): Promise<void> {
  const { window } = object.detail
  if (!window) return
  const { restored, kept, unmatched } = window.report
  const { rows } = await session.query<{ there: boolean }>('select to_regclass($1) is not null as there', [
    object.source,
  ])
  const all = rows[0]?.there === true ? await countOf(session, object.source) : 0
  const report = { ...window.report, defaulted: Math.max(0, all - restored - kept - unmatched) }
  await updateObject(session, object, { detail: { ...object.detail, window: { ...window, report } } })
}

interface Range {
  /** Conditions on the key, with the values of its ends as parameters. */
  readonly within: (alias: string) => string
  readonly values: readonly string[]
  readonly until: readonly string[]
  readonly seen: number
}

async function nextRange(session: Session, { copy, detail }: ArchiveObject, size: number): Promise<Range | null> {
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
