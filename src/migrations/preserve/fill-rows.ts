/** Whole rows come back where their key is free and their references exist. */
import type { Session } from '../../engines/engine.ts'
import {
  accountByKey,
  cast,
  commonColumns,
  type Copy,
  countOf,
  digestOf,
  type Filled,
  nothing,
  type Place,
  readDigest,
} from './account.ts'
import { typedKey } from './images.ts'
import type { Shape } from './shape.ts'
import type { ArchiveObject } from './store.ts'
import { columnList, ident, rowDigest } from './text.ts'

/** Whole rows: those that are there get their old values, the others come back where the key is free and their references exist. */
export async function fillRows(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
  const { shape, options } = place
  const columns = commonColumns(object, shape)
  const names = columns.map(column => column.name)
  const [held, there] = [namesOf(object.detail.columns), namesOf(shape.columns)]
  const keyed = object.detail.key?.every(name => held.has(name) && there.has(name)) ?? false
  const due = copy.stateful ? "c.plinth_state = 'restore'" : 'true'
  const values = columns.map(column => cast(column, 'c')).join(', ')
  const references = [
    await valuesExist(session, object, shape),
    await referencesExist(session, object, copy, shape),
  ].join(' and ')
  const conflict = (await hasRules(session, shape)) ? '' : 'on conflict do nothing'
  if (keyed) {
    const same = typedKey(object, shape, 'c', 't')
    const others = columns.filter(column => !object.detail.key?.includes(column.name))
    if (options.kinship === 'same' && others.length > 0 && (await anyRow(session, shape.name)))
      await session.script(
        `update ${shape.name} t set ${others.map(column => `${ident(column.name)} = ${cast(column, 'c')}`).join(', ')}
        from ${copy.name} c
        where ${same} and ${due} and ${rowDigest(names, 't.')} <> ${rowDigest(names, 'c.')}`,
      )
    await session.script(
      `insert into ${shape.name} (${columnList(names)}) overriding system value
      select ${values}
      from ${copy.name} c
      where ${[due, references, `not exists (select from ${shape.name} t where ${same})`].join(' and ')}
      ${conflict}`,
    )
    const account = await accountByKey(session, { object, copy, shape, names, same, due })
    return options.kinship === 'same' ? account : asOrphans(account)
  }
  const before = await digestOf(session, `${copy.name} c where ${due}`, names, 'c.')
  const mine = `select c.*, ${rowDigest(names, 'c.')} as plinth_digest, row_number() over (partition by ${rowDigest(names, 'c.')}) as plinth_place from ${copy.name} c where ${due}`
  const theirs = `select ${rowDigest(names, 't.')} as plinth_digest, row_number() over (partition by ${rowDigest(names, 't.')}) as plinth_place from ${shape.name} t`
  await session.script(
    `insert into ${shape.name} (${columnList(names)}) overriding system value
    select ${values}
    from (${mine}) c
    where ${references} and not exists (
      select from (${theirs}) t where t.plinth_digest = c.plinth_digest and t.plinth_place = c.plinth_place
    )
    ${conflict}`,
  )
  const { rows } = await session.query<{ rows: string; digest: string }>(
    `select count(*) as rows, coalesce(sum(c.plinth_digest), 0)::text as digest
    from (${mine}) c
    where exists (select from (${theirs}) t where t.plinth_digest = c.plinth_digest and t.plinth_place = c.plinth_place)`,
  )
  const after = readDigest(rows[0])
  const kept = copy.stateful ? await countOf(session, `${copy.name} c where not (${due})`) : 0
  const whole = after.rows === before.rows && kept === 0
  return {
    whole,
    report: {
      ...nothing(object),
      before,
      after,
      restored: after.rows,
      kept,
      unmatched: before.rows - after.rows,
      keys: { kept: [], orphaned: [], unmatched: [] },
    },
  }
}

function namesOf(columns: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(columns.map(({ name }) => name))
}

/** What another up wrote under the same key is its own; nobody wrote it in between. */
function asOrphans({ whole, report }: Filled): Filled {
  const { orphaned, unmatched } = report.keys
  const keys = { ...report.keys, orphaned: [...orphaned, ...unmatched].slice(0, 20), unmatched: [] }
  return { whole, report: { ...report, orphaned: report.orphaned + report.unmatched, unmatched: 0, keys } }
}

/** Half a condition: every foreign key of the row finds its parent, in the table it points to or among the rows that come with it. */
async function referencesExist(session: Session, object: ArchiveObject, copy: Copy, shape: Shape): Promise<string> {
  const { rows } = await session.query<{
    parent: string
    itself: boolean
    columns: readonly string[]
    referred: readonly string[]
  }>(
    `select f.confrelid::regclass::text as parent, f.confrelid = f.conrelid as itself,
      (select json_agg(a.attname order by k.place) from unnest(f.conkey) with ordinality k (number, place) join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.number) as columns,
      (select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k (number, place) join pg_catalog.pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.number) as referred
    from pg_catalog.pg_constraint f
    where f.contype = 'f' and f.conrelid = $1::oid
      and not exists (select from pg_catalog.pg_constraint w where w.oid = f.conparentid and w.conrelid = f.conrelid)`,
    [shape.oid],
  )
  const kept = new Map(commonColumns(object, shape).map(column => [column.name, column]))
  const conditions = rows.flatMap(({ parent, itself, columns, referred }) => {
    const used = columns.map(name => kept.get(name))
    if (!used.every(column => column !== undefined)) return []
    const nulls = used.map(({ name }) => `c.${ident(name)} is null`)
    const found = (alias: string) =>
      used.map((column, at) => `${alias}.${ident(referred[at] ?? '')} = ${cast(column, 'c')}`).join(' and ')
    const among = itself ? [`exists (select from ${copy.name} p where ${found('p')})`] : []
    return [`(${[...nulls, `exists (select from ${parent} p where ${found('p')})`, ...among].join(' or ')})`]
  })
  return conditions.join(' and ') || 'true'
}

/** Half a condition: the types of the table have a row's values of enums, which come one by one. */
async function valuesExist(session: Session, object: ArchiveObject, shape: Shape): Promise<string> {
  const { rows } = await session.query<{ name: string; type: string }>(
    `select a.attname as name, a.atttypid::text as type
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_type t on t.oid = a.atttypid and t.typtype = 'e'
    where a.attrelid = $1::oid and not a.attisdropped`,
    [shape.oid],
  )
  const kept = new Set(commonColumns(object, shape).map(({ name }) => name))
  const conditions = rows
    .filter(({ name }) => kept.has(name))
    .map(({ name, type }) => {
      const value = `c.${ident(name)}`
      return `(${value} is null or ${value}::text in (select e.enumlabel::text from pg_catalog.pg_enum e where e.enumtypid = ${type}::oid))`
    })
  return conditions.join(' and ') || 'true'
}

/** With a rule of a user's on the table, the server refuses to look for conflicts, even while the rule is off. */
async function hasRules(session: Session, shape: Shape): Promise<boolean> {
  const { rows } = await session.query(
    "select from pg_catalog.pg_rewrite where ev_class = $1::oid and ev_type in ('2', '3')",
    [shape.oid],
  )
  return rows.length > 0
}

async function anyRow(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ some: boolean }>(`select exists (select from ${table}) as some`)
  return rows[0]?.some === true
}
