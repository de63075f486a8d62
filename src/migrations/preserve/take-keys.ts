/**
 * A step that inserts rows again draws new keys for them where the server gives these out, such as random UUIDs, while its opposite kept the same rows
 * under their old ones: users' rows refer to those, and every row would be there twice. So a row that this step inserted, and that equals a kept one
 * in all that no default fills in, takes the kept one's key, with what refers to it.
 */
import type { Session } from '../../engines/engine.ts'
import { cast, commonColumns, type Copy, type Place } from './account.ts'
import { typedKey } from './images.ts'
import type { Shape, ShapeColumn } from './shape.ts'
import type { ArchiveObject } from './store.ts'
import { columnList, ident } from './text.ts'
import { withoutUserTriggers } from './triggers.ts'

/** In the transaction of the step, behind its last statement. Rows may refer to rows of their own table, so what was found finds more. */
export async function takeKeys(session: Session, object: ArchiveObject, copy: Copy, { shape }: Place): Promise<void> {
  const key = shape.columns.filter(({ name }) => object.detail.key?.includes(name))
  const said = saidColumns(object, shape)
  if (said.length === 0 || key.length !== object.detail.key?.length || !key.some(isDrawn)) return
  if (!(await hasInserted(session, shape))) return
  const pairs = pairsOf(object, copy, { shape, key, said })
  const referring = await concerned(session, pairs, await referringTo(session, shape, key))
  const takeAll = async (): Promise<void> => {
    while ((await takeSome(session, { shape, pairs, referring })) > 0);
  }
  const others = referring.filter(({ table }) => table !== shape.name)
  await others.reduce(
    (inner, { table }) =>
      () =>
        withoutUserTriggers(session, table, inner),
    takeAll,
  )()
}

/** Looking for rows of its own reads all of a table, which is not worth it where this transaction put none there. */
async function hasInserted(session: Session, { oid }: Shape): Promise<boolean> {
  const { rows } = await session.query<{ some: boolean }>(
    `select coalesce(sum(pg_catalog.pg_stat_get_xact_tuples_inserted(t.oid)), 0) > 0 as some
    from (select $1::oid as oid union select relid::oid from pg_catalog.pg_partition_tree($1::oid::regclass)) t`,
    [oid],
  )
  return rows[0]?.some === true
}

/** A default fills it in, which is not a number from a sequence: those begin again where they began. */
function isDrawn({ default: value }: ShapeColumn): boolean {
  return value !== null && !/\bnextval\(/.test(value)
}

/** What the file says itself, and no default. */
function saidColumns(object: ArchiveObject, shape: Shape): readonly ShapeColumn[] {
  return commonColumns(object, shape).filter(one => one.default === null && !object.detail.key?.includes(one.name))
}

interface Pairing {
  readonly shape: Shape
  readonly key: readonly ShapeColumn[]
  readonly said: readonly ShapeColumn[]
}

/** Rows with the keys `fresh_1`, … that this transaction inserted, each with `kept_1`, … of the row that it is; several alike in some order. */
function pairsOf(object: ArchiveObject, copy: Copy, { shape, key, said }: Pairing): string {
  const due = copy.stateful ? "c.plinth_state = 'restore'" : 'true'
  const same = typedKey(object, shape, 'c', 't')
  const rest = commonColumns(object, shape).filter(one => !said.includes(one) && !key.includes(one))
  const ranked = (alias: string) =>
    `${words(alias, said)} as said, row_number() over (partition by ${words(alias, said)} order by ${words(alias, rest)}) as place`
  const named = (prefix: string, value: (column: ShapeColumn) => string) =>
    key.map((column, at) => `${value(column)} as ${prefix}_${at + 1}`).join(', ')
  return `with f as materialized (
      select ${named('fresh', ({ name }) => `t.${ident(name)}`)}, ${ranked('t')}
      from ${shape.name} t
      where ${isOwn} and not exists (select from ${copy.name} c where ${same})
    ), k as (
      select ${named('kept', column => cast(column, 'c'))}, ${ranked('c')}
      from ${copy.name} c
      where ${due} and ${words('c', said)} in (select f.said from f) and not exists (select from ${shape.name} t where ${same})
    )
    select ${key.map((_, at) => `f.fresh_${at + 1}, k.kept_${at + 1}`).join(', ')} from f join k on k.said = f.said and k.place = f.place`
}

function words(alias: string, columns: readonly ShapeColumn[]): string {
  return `array[${columns.map(({ name }) => `${alias}.${ident(name)}::text`).join(', ')}]::text[]`
}

/** A row that can be seen while its transaction is in progress is of our own, as are those of its savepoints. */
const isOwn = `case
  when pg_catalog.age(t.xmin) <= pg_catalog.age(pg_catalog.pg_current_xact_id()::xid) then pg_catalog.pg_xact_status(
    (pg_catalog.pg_current_xact_id()::text::numeric + pg_catalog.age(pg_catalog.pg_current_xact_id()::xid) - pg_catalog.age(t.xmin))::text::xid8
  ) = 'in progress'
  else false
end`

interface Referring {
  readonly table: string
  /** Each foreign key: its columns, and at which places of the key those are that they refer to. */
  readonly links: readonly (readonly { readonly column: string; readonly place: number }[])[]
}

/** The table itself comes first, with its key in the place of a link. */
async function referringTo(session: Session, shape: Shape, key: readonly ShapeColumn[]): Promise<readonly Referring[]> {
  const { rows } = await session.query<{ table: string; columns: readonly string[]; referred: readonly string[] }>(
    `select format('%I.%I', n.nspname, r.relname) as table,
      (select json_agg(a.attname order by k.place) from unnest(f.conkey) with ordinality k (number, place) join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number) as columns,
      (select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k (number, place) join pg_catalog.pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.number) as referred
    from pg_catalog.pg_constraint f
    join pg_catalog.pg_class r on r.oid = f.conrelid
    join pg_catalog.pg_namespace n on n.oid = r.relnamespace
    where f.contype = 'f' and f.confrelid = $1::oid and f.conparentid = 0
      and pg_catalog.has_table_privilege(r.oid, 'select') and pg_catalog.has_table_privilege(r.oid, 'update')
    order by f.conrelid, f.oid`,
    [shape.oid],
  )
  const places = new Map(key.map(({ name }, at) => [name, at + 1]))
  const found = new Map([[shape.name, [key.map(({ name: column }, at) => ({ column, place: at + 1 }))]]])
  for (const { table, columns, referred } of rows) {
    const link = columns.flatMap((column, at) => {
      const place = places.get(referred[at] ?? '')
      return place === undefined ? [] : [{ column, place }]
    })
    // One that refers to part of the key by other rows' rights cannot follow.
    if (link.length === key.length) found.set(table, [...(found.get(table) ?? []), link])
  }
  return [...found].map(([table, links]) => ({ table, links }))
}

/** Without the tables where nothing refers to a row that takes another key: nobody needs a lock on these. */
async function concerned(session: Session, pairs: string, all: readonly Referring[]): Promise<readonly Referring[]> {
  const [own, ...others] = all
  const asked = others.map(({ table, links }, at) => `exists (${rowsReferring(table, links)}) as has${at}`)
  if (!own || asked.length === 0) return all
  const { rows } = await session.query(`with p as materialized (${pairs}) select ${asked.join(', ')}`)
  return [own, ...others.filter((_, at) => rows[0]?.[`has${at}`] === true)]
}

interface Taking {
  readonly shape: Shape
  readonly pairs: string
  readonly referring: readonly Referring[]
}

/** One statement, since foreign keys are looked at behind it; answers how many rows took a key by which others may be found. */
async function takeSome(session: Session, { shape, pairs, referring }: Taking): Promise<number> {
  const updates = referring.map(({ table, links }, at) => `u${at} as (${followUp(table, links)})`)
  const { rows } = await session.query<{ taken: string }>(
    `with p as materialized (${pairs}), ${updates.join(', ')} select count(*) as taken from p`,
  )
  const refersToItself = (referring.find(({ table }) => table === shape.name)?.links.length ?? 0) > 1
  return refersToItself ? Number(rows[0]?.taken ?? 0) : 0
}

/** A row of which several columns refer to rows that take another key is written once. */
function followUp(table: string, links: Referring['links']): string {
  const joined = links.map((link, at) => `left join p p${at} on ${on(link, `p${at}`)}`).join(' ')
  const columns = [...new Set(links.flatMap(link => link.map(({ column }) => column)))]
  const values = columns.map(name => {
    const kept = links.flatMap((link, at) =>
      link.filter(one => one.column === name).map(({ place }) => `p${at}.kept_${place}`),
    )
    return `coalesce(${[...kept, `s.${ident(name)}`].join(', ')})`
  })
  return `update ${table} t set (${columnList(columns)}) = row(${values.map((_, at) => `s.v${at}`).join(', ')})
    from (
      select s.tableoid as relation, s.ctid as place, ${values.map((value, at) => `${value} as v${at}`).join(', ')}
      from (${rowsReferring(table, links)}) f join ${table} s on s.tableoid = f.tableoid and s.ctid = f.ctid ${joined}
    ) s
    where t.tableoid = s.relation and t.ctid = s.place`
}

function rowsReferring(table: string, links: Referring['links']): string {
  return links.map(link => `select s.tableoid, s.ctid from ${table} s join p on ${on(link, 'p')}`).join(' union ')
}

function on(link: Referring['links'][number], pair: string): string {
  return link.map(({ column, place }) => `${pair}.fresh_${place} = s.${ident(column)}`).join(' and ')
}
