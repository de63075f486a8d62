/** The one owner of plinth.archives and plinth.archive_objects: what was kept, by whom it was destroyed, and what became of it. */
import type { Parameterized, Result, Scalar, Session } from '../../engines/engine.ts'
import { PlinthError } from '../../errors.ts'
import type { Direction } from '../../telemetry/event.ts'
import { hasLedger } from '../ledger.ts'
import { literal } from './text.ts'

/** The schema that holds the copies. It belongs to the role that migrates, alone. */
export const archiveSchema = 'plinth_archive'

export type ArchiveStatus = 'kept' | 'restored' | 'leftover' | 'purged'

export interface Archive {
  readonly id: string
  readonly track: string
  readonly version: string
  readonly slug: string
  /** Of the step that destroyed; its opposite restores. */
  readonly direction: Direction
  readonly runId: string
  /** `kept`: its opposite has not run. `leftover`: it has, and not everything could go back. */
  readonly status: ArchiveStatus
  readonly createdAt: string
  readonly endedAt: string | null
  readonly endedBy: string | null
  readonly report: readonly RestoreReport[] | null
}

export type ArchiveKind = 'table' | 'column' | 'values' | 'rows' | 'sequence'

export interface ArchiveObject {
  readonly archiveId: string
  readonly number: number
  /**
   * `table`: a whole table. `column`: columns that vanished. `values`: columns whose type was changed. `rows`: old rows of updates, deletes and
   * truncates. `sequence`: a last value.
   */
  readonly kind: ArchiveKind
  /** Where it came from, quoted and qualified. */
  readonly source: string
  /** The table that holds it; null for a sequence, and once nothing is left. */
  readonly copy: string | null
  /** Null until somebody counted. */
  readonly rows: number | null
  readonly detail: Detail
}

/** What restoring needs to know beside the copy. */
export interface Detail {
  /** Columns that are kept, with their type as it was. */
  readonly columns: readonly { readonly name: string; readonly type: string; readonly notNull?: boolean }[]
  /** Null where the whole row stands in for a key. */
  readonly key: readonly string[] | null
  readonly tenant: string | null
  readonly sequences: readonly { readonly column: string | null; readonly name: string; readonly last: string | null }[]
  /** Of key and values as they were taken, by value; absent where there is no key, or a type has no such digest. */
  readonly digest?: Digest
  /** Digest of the values, where every row had the same. */
  readonly uniform?: string
  /** Columns that the image of a row after the step was made of. */
  readonly imageColumns?: readonly string[]
  /** What hung on the table and went with it, by identity. */
  readonly dependents?: readonly string[]
  /** Definitions that the copy does not carry. */
  readonly definitions?: readonly string[]
  /** How the step that could not place it all was related to the one that made it. */
  readonly leftBy?: 'same' | 'edited' | 'other'
  /** While its values come back in batches. */
  readonly window?: RestoreWindow
}

/** How far a column is that comes back in batches. Names are quoted and qualified. */
export interface RestoreWindow {
  /** Keys whose rows others wrote meanwhile; the copy has them no more. */
  readonly written: string
  /** Archived rows that found no place. */
  readonly left: string
  /** Of the triggers; null once all batches are done and they are gone. */
  readonly routine: string | null
  /** Whether the batches run as a replica would, so that triggers of users do not see them. */
  readonly triggers: 'muted' | 'none'
  /** The last key that is done, as text; null before the first batch. */
  readonly key: readonly string[] | null
  readonly report: RestoreReport
}

/** What became of one object. Keys only, never other values. */
export interface RestoreReport {
  readonly kind: ArchiveKind
  readonly source: string
  /** Back where they were, proved by an equal digest of each row. */
  readonly restored: number
  /** Rows that were written in between and stay as they are. */
  readonly kept: number
  /** Rows without an archived value, which have the default of the column or null. */
  readonly defaulted: number
  /** Archived rows whose table, reference or row is gone; they stay in the archive. */
  readonly orphaned: number
  /** Archived rows that no row of the table can be told to be; they stay in the archive. */
  readonly unmatched: number
  /** Up to 20 of each. */
  readonly keys: {
    readonly kept: readonly string[]
    readonly orphaned: readonly string[]
    readonly unmatched: readonly string[]
  }
  /** Of what was archived, and of the same rows in the table afterwards. */
  readonly before: Digest
  readonly after: Digest
}

export interface Digest {
  readonly rows: number
  readonly digest: string
}

export interface ArchiveFilter {
  readonly track?: string | undefined
  readonly ids?: readonly string[] | undefined
  readonly version?: string | undefined
  readonly direction?: Direction | undefined
  readonly statuses?: readonly ArchiveStatus[] | undefined
}

/** Oldest first. Empty where there is no ledger; makes none. */
export async function readArchives(session: Session, filter: ArchiveFilter = {}): Promise<Archive[]> {
  if (!(await hasLedger(session))) return []
  return queryArchives(session, filter)
}

/** As {@link readArchives}, where the ledger is known to be there. */
export async function queryArchives(session: Session, filter: ArchiveFilter): Promise<Archive[]> {
  const clauses: [string, string | undefined][] = [
    ['track', filter.track],
    ['version', filter.version],
    ['direction', filter.direction],
  ]
  const given = clauses.filter((clause): clause is [string, string] => clause[1] !== undefined)
  const where = [
    ...given.map(([name], at) => `${name} = $${at + 1}`),
    ...(filter.ids ? [oneOf('id', filter.ids)] : []),
    ...(filter.statuses ? [oneOf('status', filter.statuses)] : []),
  ]
  const { rows } = await session.query<Archive>(
    `select id, track, version, slug, direction, run_id as "runId", status, created_at as "createdAt", ended_at as "endedAt",
      ended_by as "endedBy", report
    from plinth.archives
    ${where.length === 0 ? '' : `where ${where.join(' and ')}`}
    order by created_at, id`,
    given.map(([, value]) => value),
  )
  return rows
}

/** Versions with columns that come back in batches. */
export async function versionsUnderWay(session: Session, track: string): Promise<string[]> {
  const { rows } = await session.query<{ version: string }>(
    `select distinct a.version
    from plinth.archives a
    join plinth.archive_objects o on o.archive_id = a.id
    where a.track = $1 and a.status = 'kept' and o.detail->'window' is not null`,
    [track],
  )
  return rows.map(row => row.version)
}

export async function readObjects(session: Session, archiveId: string): Promise<ArchiveObject[]> {
  const [result] = await session.send([objectsOf(archiveId)])
  return objectsIn(result)
}

/** The question of {@link readObjects}, for those who ask it together with others. */
export function objectsOf(archiveId: string): Parameterized {
  return {
    text: `select archive_id as "archiveId", object_number as number, kind, source, copy, rows_kept as rows, detail
    from plinth.archive_objects
    where archive_id = $1
    order by object_number`,
    values: [archiveId],
    prepared: true,
  }
}

export function objectsIn(result: Result | undefined): ArchiveObject[] {
  const rows = (result?.rows ?? []) as unknown as readonly (Omit<ArchiveObject, 'rows'> & { rows: string | null })[]
  return rows.map(row => ({ ...row, rows: row.rows === null ? null : Number(row.rows) }))
}

export function archiveRow(archive: Archive): Parameterized {
  return {
    text: `insert into plinth.archives (id, track, version, slug, direction, run_id, status, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz)`,
    values: [
      archive.id,
      archive.track,
      archive.version,
      archive.slug,
      archive.direction,
      archive.runId,
      archive.status,
      archive.createdAt,
    ],
    prepared: true,
  }
}

export function objectRow(object: ArchiveObject): Parameterized {
  return {
    text: `insert into plinth.archive_objects (archive_id, object_number, kind, source, copy, rows_kept, detail)
    values ($1, $2::integer, $3, $4, $5, $6::bigint, $7::json)`,
    values: [
      object.archiveId,
      object.number,
      object.kind,
      object.source,
      object.copy,
      object.rows,
      JSON.stringify(object.detail),
    ],
    prepared: true,
  }
}

/** What changes about an object: its copy is gone, it was counted, its image was taken. */
export async function updateObject(
  session: Session,
  object: Pick<ArchiveObject, 'archiveId' | 'number'>,
  changes: ObjectChanges,
): Promise<void> {
  await session.send([objectUpdate(object, changes)])
}

type ObjectChanges = Partial<Pick<ArchiveObject, 'copy' | 'rows' | 'detail'>>

/** The statement of {@link updateObject}, for those who send it together with others. */
export function objectUpdate(
  { archiveId, number }: Pick<ArchiveObject, 'archiveId' | 'number'>,
  changes: ObjectChanges,
): Parameterized {
  const columns: Record<string, Scalar> = {
    ...('copy' in changes ? { copy: changes.copy ?? null } : {}),
    ...('rows' in changes ? { rows_kept: changes.rows ?? null } : {}),
    ...('detail' in changes ? { detail: JSON.stringify(changes.detail) } : {}),
  }
  const casts: Readonly<Record<string, string>> = { rows_kept: '::bigint', detail: '::json' }
  const assignments = Object.keys(columns).map((name, at) => `${name} = $${at + 3}${casts[name] ?? ''}`)
  return {
    text: `update plinth.archive_objects set ${assignments.join(', ')} where archive_id = $1 and object_number = $2::integer`,
    values: [archiveId, number, ...Object.values(columns)],
    prepared: true,
  }
}

export function objectRemoval({ archiveId, number }: Pick<ArchiveObject, 'archiveId' | 'number'>): Parameterized {
  return {
    text: 'delete from plinth.archive_objects where archive_id = $1 and object_number = $2::integer',
    values: [archiveId, number],
    prepared: true,
  }
}

export async function endArchive(
  session: Session,
  id: string,
  end: {
    readonly status: ArchiveStatus
    readonly endedAt: string
    readonly endedBy: string
    readonly report: readonly RestoreReport[]
  },
): Promise<void> {
  await session.query(
    'update plinth.archives set status = $2, ended_at = $3::timestamptz, ended_by = $4, report = $5::json where id = $1',
    [id, end.status, end.endedAt, end.endedBy, JSON.stringify(end.report)],
  )
}

/** An archive that turned out to hold nothing. */
export function archiveRemoval(id: string): Parameterized {
  return { text: 'delete from plinth.archives where id = $1', values: [id], prepared: true }
}

/** Throws ARCHIVE_REFUSED where the role may not make the schema. */
export async function ensureArchiveSchema(session: Session): Promise<void> {
  const [result] = await session.send([archiveSchemaState])
  await session.send(schemaStatements(result))
}

/** The question of {@link ensureArchiveSchema}, for those who ask it together with others. */
export const archiveSchemaState: Parameterized = {
  text: `select n.oid is not null as there,
      case when n.oid is null then has_database_privilege(current_database(), 'create') else pg_has_role(n.nspowner, 'usage') end as may,
      pg_get_userbyid(n.nspowner) as owner
    from (select 1) one
    left join pg_catalog.pg_namespace n on n.nspname = $1`,
  values: [archiveSchema],
  prepared: true,
}

/** What makes the schema, where its state says that it is not there. Throws ARCHIVE_REFUSED. */
export function schemaStatements(asked: Result | undefined): Parameterized[] {
  const [state] = (asked?.rows ?? []) as unknown as readonly SchemaState[]
  if (state?.may !== true) {
    throw new PlinthError(
      'ARCHIVE_REFUSED',
      state?.there
        ? `The archive schema ${archiveSchema} belongs to ${state.owner ?? 'another role'}, so nothing can be kept in it.`
        : `This role may not create the archive schema ${archiveSchema}, so nothing could be kept.`,
      {
        at: { object: archiveSchema },
        hint: state?.there
          ? 'Run as the role that owns it, or give this role membership in it.'
          : `Grant CREATE on the database to the role that migrates, or make the schema for it: create schema ${archiveSchema} authorization that_role`,
      },
    )
  }
  return state.there ? [] : [{ text: `create schema ${archiveSchema}` }]
}

interface SchemaState {
  readonly there: boolean
  readonly may: boolean
  readonly owner: string | null
}

function oneOf(column: string, values: readonly string[]): string {
  return `${column} in (${values.map(literal).join(', ') || 'null'})`
}
