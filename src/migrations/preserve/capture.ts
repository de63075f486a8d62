/**
 * Keeps the old rows of whatever a step updates, deletes or truncates, by statement triggers that live as long as its transaction. The first
 * old row of a key wins, and keys that the step itself inserted are marked, so that only what was there before it is kept.
 */
import type { Parameterized, Result, Session } from '../../engines/engine.ts'
import { keptColumns, type Shape } from './shape.ts'
import { columnList, ident, literal, namesArray } from './text.ts'
import { identifyingCopy } from './visible.ts'
import { freeName, type Writer } from './writer.ts'

export interface Capture {
  /** As it was when the capture began. */
  readonly root: Shape
  readonly copy: string
  readonly number: number
  readonly oids: readonly number[]
  /** What each column is called by now; the copy keeps the names of the beginning. */
  readonly names: ReadonlyMap<string, string>
}

/** Tables that are watched together with one: its partitions. */
export function membersOf(root: number): Parameterized {
  return {
    text: `select c.oid, format('%I.%I', n.nspname, c.relname) as name
    from (
      select relid::oid as oid from pg_catalog.pg_partition_tree($1::oid)
      union
      select $1::oid
    ) tree
    join pg_catalog.pg_class c on c.oid = tree.oid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace`,
    values: [root],
    prepared: true,
  }
}

/**
 * `root` is the topmost table of its tree; its partitions are watched with it, into one copy. Nothing is captured before the statements are
 * sent, in this order.
 */
export async function startCapture(
  writer: Writer,
  root: Shape,
  asked: Result | undefined,
): Promise<{ readonly capture: Capture; readonly statements: readonly Parameterized[] }> {
  const own = keptColumns(root)
  const copy = freeName(root.table)
  const members = (asked?.rows ?? []) as unknown as readonly { readonly oid: number; readonly name: string }[]
  const columns = own.map(({ name, kept }) => `${ident(name)} ${kept}`)
  const marks = ['plinth_inserted boolean', 'plinth_image bigint', "plinth_state text not null default 'restore'"]
  const names = new Map(own.map(({ name }) => [name, name]))
  const made = [
    `create table ${copy} (${[...columns, ...marks].join(', ')})`,
    identifyingCopy(copy),
    ...(root.key ? [`create unique index on ${copy} (${columnList(root.key)})`] : []),
    routineOf({ root, copy, names }),
    ...members.flatMap(({ name }) => triggersOf(name, routineName(copy))),
  ]
  const { number, statements } = await writer.added('rows', {
    source: root.name,
    copy,
    rows: null,
    detail: {
      columns: own.map(({ name, type }) => ({ name, type })),
      key: root.key,
      tenant: root.tenant,
      sequences: root.sequences,
    },
  })
  const capture = { root, copy, number, oids: members.map(member => member.oid), names }
  return { capture, statements: [...made.map(text => ({ text })), ...statements] }
}

/** Goes on under another name of a column. */
export async function renameCaptured(session: Session, capture: Capture, from: string, to: string): Promise<Capture> {
  const names = new Map([...capture.names].map(([kept, name]) => [kept, name === from ? to : name]))
  await session.script(routineOf({ ...capture, names }))
  return { ...capture, names }
}

/** Copies every row that is there, before the table gets another shape or loses them all; what was captured before wins. */
export async function captureAll(session: Session, { root, copy, names }: Capture): Promise<void> {
  await session.script(
    `insert into ${copy} (${columnsOf(root)}) select ${valuesOf(root, names)} from ${root.name}${keyed(root)}`,
  )
}

/** The triggers and their function go; what they kept stays. Tables that were dropped meanwhile took theirs with them. */
export async function stopCapture(session: Session, capture: Pick<Capture, 'copy'>): Promise<void> {
  await session.send([captureStop(capture)])
}

/** The statement of {@link stopCapture}, for those who send it together with others. */
export function captureStop({ copy }: Pick<Capture, 'copy'>): Parameterized {
  return { text: `drop function ${routineName(copy)}() cascade` }
}

function routineName(copy: string): string {
  return `${copy.slice(0, -1)}f"`
}

function routineOf({ root, copy, names }: Pick<Capture, 'root' | 'copy' | 'names'>): string {
  const { key } = root
  const into = `insert into ${copy} (${columnsOf(root)}) select ${valuesOf(root, names)} from`
  // Nobody can tell which row an old one became, so they are kept for people to look at and never put back.
  const withoutKey = `insert into ${copy} (${columnsOf(root)}, plinth_state) select ${valuesOf(root, names)}, 'changed' from old_rows`
  const marks = key
    ? `insert into ${copy} (${columnList(key)}, plinth_inserted) select ${columnList(key.map(name => names.get(name) ?? name))}, true from new_rows on conflict do nothing;`
    : 'null;'
  const body = `
begin
  if tg_op = 'TRUNCATE' then
    execute ${literal(`${into} only `)} || tg_relid::regclass || ${literal(keyed(root))};
  elsif tg_op = 'INSERT' then
    ${marks}
  elsif tg_op = 'UPDATE' then
    ${key ? `${into} old_rows on conflict do nothing` : withoutKey};
    ${marks}
  else
    ${into} old_rows${keyed(root)};
  end if;
  return null;
end`
  return `create or replace function ${routineName(copy)}() returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp set row_security = off as ${literal(body)}`
}

function columnsOf(root: Shape): string {
  return columnList(keptColumns(root).map(column => column.name))
}

function valuesOf(root: Shape, names: ReadonlyMap<string, string>): string {
  return keptColumns(root)
    .map(({ name, kept }) => `${ident(names.get(name) ?? name)}::${kept}`)
    .join(', ')
}

function keyed({ key }: Shape): string {
  return key ? ' on conflict do nothing' : ''
}

/** Always: even in a session that replays changes as a replica would. */
function triggersOf(table: string, routine: string): string[] {
  const kinds = [
    ['insert', 'after', 'referencing new table as new_rows'],
    ['update', 'after', 'referencing old table as old_rows new table as new_rows'],
    ['delete', 'after', 'referencing old table as old_rows'],
    ['truncate', 'before', ''],
  ] as const
  return [
    ...kinds.map(
      ([event, moment, rows]) =>
        `create trigger plinth_capture_${event} ${moment} ${event} on ${table} ${rows} for each statement execute function ${routine}()`,
    ),
    `alter table ${table} ${kinds.map(([event]) => `enable always trigger plinth_capture_${event}`).join(', ')}`,
  ]
}

/** A table that statements change, or the server on their behalf. */
export interface Reached {
  /** The topmost of its partition tree. */
  readonly root: number
  /** Quoted and qualified. */
  readonly name: string
  /** Nothing is in it, nothing hangs below it, and the server can tell. */
  readonly empty: boolean
}

/**
 * Tables of those names and numbers, and those whose rows the server changes on its own when rows of these go or change: foreign keys that
 * cascade or set. Names are looked up where the file's own search path holds.
 */
export function reachedBy(
  { names, oids }: { readonly names: readonly string[]; readonly oids: readonly number[] },
  by: 'updates' | 'updates and deletes',
): Parameterized {
  const deleted = by === 'updates' ? '' : "f.confdeltype in ('c', 'n', 'd') or "
  return {
    text: `with recursive reached (oid) as (
      (
        select c.oid
        from pg_catalog.unnest($1::text[]) name
        join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(name)
        where c.relkind in ('r', 'p')
        union
        select pg_catalog.unnest($2::oid[])
      )
      union
      select coalesce(pg_catalog.pg_partition_root(f.conrelid)::oid, f.conrelid)
      from pg_catalog.pg_constraint f
      join reached r on r.oid = f.confrelid
      where f.contype = 'f' and (${deleted}f.confupdtype in ('c', 'n', 'd'))
    )
    select distinct c.oid as root, pg_catalog.format('%I.%I', n.nspname, c.relname) as name, ${isEmpty('c')} as empty
    from reached r
    join pg_catalog.pg_class t on t.oid = r.oid
    join pg_catalog.pg_class c on c.oid = case when t.relispartition then pg_catalog.pg_partition_root(t.oid)::oid else t.oid end
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'plinth')
    order by root`,
    values: [namesArray(names), `{${oids.join(',')}}`],
    prepared: true,
  }
}

/** Of tables that were found empty those that are so still, asked once they are locked. */
export function stillEmpty(oids: readonly number[]): Parameterized {
  return {
    text: `select c.oid from pg_catalog.pg_class c where c.oid = any ($1::oid[]) and ${isEmpty('c')}`,
    values: [`{${oids.join(',')}}`],
    prepared: true,
  }
}

/** A heap without a page has no row. Others may keep their rows elsewhere. */
function isEmpty(table: string): string {
  return `(${table}.relkind = 'r' and not ${table}.relispartition
      and ${table}.relam = (select oid from pg_catalog.pg_am where amname = 'heap')
      and pg_catalog.pg_relation_size(${table}.oid) = 0
      and not exists (select from pg_catalog.pg_inherits where inhparent = ${table}.oid))`
}
