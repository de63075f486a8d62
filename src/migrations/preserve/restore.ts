/**
 * Brings back what an earlier step destroyed. A row counts as restored only when the table holds it again with an equal digest; what could not
 * go back stays in the archive, and is told by key.
 */
import type { Session } from '../../engines/engine.ts'
import { asPlinthError } from '../../errors.ts'
import { keyText, typedKey } from './images.ts'
import { rewriteColumns } from './rewrite.ts'
import { ownColumns, type Shape, type ShapeColumn, shapeOf } from './shape.ts'
import type { ArchiveObject, Digest, RestoreReport } from './store.ts'
import { columnList, ident, literal, rowDigest, tableDigest, valueDigest } from './text.ts'
import { withoutUserTriggers } from './triggers.ts'
import { closeCopy, openCopy, withEveryRow } from './visible.ts'

interface Options {
  readonly tenantColumn: string
  readonly kinship: Kinship
  /** What the statements of the restoring step may have done to rows. */
  readonly writes: 'rows' | 'nothing'
}

/**
 * How the restoring step is related to the one whose work was taken away. `same`: it makes the same again, and everything comes back. `edited`:
 * it may compute something else, so only what it left free is filled: rows whose key is not taken, and columns where it wrote no rows. `other`:
 * another migration under the same number, for which nothing was kept.
 */
export type Kinship = 'same' | 'edited' | 'other'

export interface Restored {
  readonly object: ArchiveObject
  readonly report: RestoreReport
  /** Nothing is left in the copy, which may go. */
  readonly whole: boolean
}

/** Inside the transaction of the opposite step, after its last statement, in the settings of `plainly`. */
export async function restoreObjects(
  session: Session,
  objects: readonly ArchiveObject[],
  options: Options,
): Promise<Restored[]> {
  const restored = new Map<ArchiveObject, Restored>()
  const ordered = await inOrder(session, objects)
  // A row may wait for another that comes back after it, so what is left is tried again for as long as others come back.
  let due = ordered
  while (due.length > 0) {
    const helpers = new Set<ArchiveObject>()
    for (const object of due) {
      const earlier = restored.get(object)
      const result = await restoreObject(session, object, { ...options, again: earlier !== undefined })
      if (result.report.restored > 0) helpers.add(object)
      restored.set(object, earlier ? added(earlier, result) : result)
    }
    due = due.filter(object => !restored.get(object)?.whole && [...helpers].some(helper => helper !== object))
  }
  return ordered.flatMap(object => restored.get(object) ?? [])
}

/** The later try began with what the earlier one left. */
function added(earlier: Restored, later: Restored): Restored {
  const after = {
    rows: earlier.report.after.rows + later.report.after.rows,
    digest: String(BigInt(earlier.report.after.digest || '0') + BigInt(later.report.after.digest || '0')),
  }
  const restored = earlier.report.restored + later.report.restored
  const defaulted = Math.max(0, earlier.report.defaulted - later.report.restored)
  return { ...later, report: { ...later.report, before: earlier.report.before, after, restored, defaulted } }
}

/** Whole tables first, then the rest in the reverse order of their destruction; and rows of parents before those of their children. */
async function inOrder(session: Session, objects: readonly ArchiveObject[]): Promise<ArchiveObject[]> {
  const rank = (object: ArchiveObject) => (object.kind === 'table' ? 0 : 1)
  const tables = objects.toSorted((a, b) => rank(a) - rank(b) || b.number - a.number)
  if (tables.length < 2) return tables
  const { rows } = await session.query<{ child: string; parent: string }>(
    `select distinct child.name as child, parent.name as parent
    from unnest(array[${tables.map(table => literal(table.source)).join(', ')}]::text[]) child (name)
    join pg_catalog.pg_constraint f on f.conrelid = to_regclass(child.name) and f.contype = 'f' and f.confrelid <> f.conrelid
    join unnest(array[${tables.map(table => literal(table.source)).join(', ')}]::text[]) parent (name) on f.confrelid = to_regclass(parent.name)`,
  )
  const sorted: ArchiveObject[] = []
  const waiting = new Set(tables)
  while (waiting.size > 0) {
    const free = [...waiting].filter(
      one =>
        one.kind === 'sequence' ||
        !rows.some(({ child, parent }) => child === one.source && [...waiting].some(other => other.source === parent)),
    )
    // A circle of references has no right order; the rows that miss theirs are told.
    for (const one of free.length > 0 ? free : [...waiting]) {
      sorted.push(one)
      waiting.delete(one)
    }
  }
  return sorted
}

async function restoreObject(
  session: Session,
  object: ArchiveObject,
  options: Options & { readonly again: boolean },
): Promise<Restored> {
  if (object.kind === 'sequence') return restoreSequence(session, object)
  const shape = mayFill(object, options) ? await shapeOf(session, object.source, options) : undefined
  if (object.copy === null) return { object, report: nothing(object), whole: true }
  await openCopy(session, object.copy)
  const stateful = object.kind === 'rows' || object.kind === 'values'
  const copy = { name: object.copy, stateful, fresh: !options.again }
  await session.query('savepoint plinth_restore')
  try {
    const result = shape
      ? await withEveryRow(session, [shape], () =>
          withoutUserTriggers(session, shape.name, () => fill(session, object, copy, { shape, options })),
        )
      : await leftWhole(session, object, copy)
    await session.query('release savepoint plinth_restore')
    await setSequences(session, object, shape)
    if (!result.whole) await closeCopy(session, object.copy)
    return { object, ...result }
  } catch (thrown) {
    const error = asPlinthError(thrown)
    // The rows do not fit what the step made of the table. They stay, and that is told; a lost connection is no such case.
    if (!/^(22|23|42)/.test(error.sqlState ?? '')) throw error
    await session.query('rollback to savepoint plinth_restore')
    const result = await leftWhole(session, object, copy)
    await closeCopy(session, object.copy)
    return { object, ...result }
  }
}

interface Copy {
  readonly name: string
  /** Its rows say what became of theirs in the table. */
  readonly stateful: boolean
  /** Nothing was taken out of it yet. */
  readonly fresh: boolean
}

type Filled = Omit<Restored, 'object'>

/** What came from one place goes there. */
interface Place {
  readonly shape: Shape
  readonly options: Options
}

function mayFill({ kind }: ArchiveObject, { kinship, writes }: Options): boolean {
  if (kinship === 'same') return true
  return kinship === 'edited' && (kind === 'table' || (kind === 'column' && writes === 'nothing'))
}

async function fill(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
  if (object.kind === 'column' || object.kind === 'values') return fillColumns(session, object, copy, place)
  return fillRows(session, object, copy, place)
}

/** Whole rows: those that are there get their old values, the others come back where the key is free and their references exist. */
async function fillRows(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
  const { shape, options } = place
  const columns = commonColumns(object, shape)
  const names = columns.map(column => column.name)
  const keyed = object.detail.key?.every(name => names.includes(name)) ?? false
  const due = copy.stateful ? "c.plinth_state = 'restore'" : 'true'
  const values = columns.map(column => cast(column, 'c')).join(', ')
  const references = await referencesExist(session, object, copy, shape)
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

/** What another up wrote under the same key is its own; nobody wrote it in between. */
function asOrphans({ whole, report }: Filled): Filled {
  const { orphaned, unmatched } = report.keys
  const keys = { ...report.keys, orphaned: [...orphaned, ...unmatched].slice(0, 20), unmatched: [] }
  return { whole, report: { ...report, orphaned: report.orphaned + report.unmatched, unmatched: 0, keys } }
}

interface Account {
  readonly object: ArchiveObject
  readonly copy: Copy
  readonly shape: Shape
  readonly names: readonly string[]
  readonly same: string
  readonly due: string
}

/** Whoever is equal in the table is restored and leaves the copy; what is left says why. */
async function accountByKey(session: Session, account: Account): Promise<Filled> {
  const { object, copy, shape, names, same, due } = account
  const equal = `${same} and ${due} and ${rowDigest(names, 't.')} = ${rowDigest(names, 'c.')}`
  const key = object.detail.key ?? []
  // The limit keeps the planner from working each digest out again wherever it is named.
  const { rows } = await session.query<Record<'total' | 'rows' | 'digest' | 'equal' | 'same', string>>(
    `select count(*) as total, count(*) filter (where c.due) as rows, count(*) filter (where c.due and c.digest = t.digest) as equal,
      coalesce(sum(c.digest) filter (where c.due), 0)::text as digest,
      coalesce(sum(t.digest) filter (where c.due and c.digest = t.digest), 0)::text as same
    from (select ${columnList(key, 'c.')}, ${due} as due, ${rowDigest(names, 'c.')} as digest from ${copy.name} c offset 0) c
    left join (select ${columnList(key, 't.')}, ${rowDigest(names, 't.')} as digest from ${shape.name} t offset 0) t on ${same}`,
  )
  const [seen] = rows
  const before = { rows: Number(seen?.rows ?? 0), digest: seen?.digest ?? '0' }
  const after = { rows: Number(seen?.equal ?? 0), digest: seen?.same ?? '0' }
  if (after.rows === Number(seen?.total ?? 0))
    return { whole: true, report: { ...nothing(object), before, after, restored: after.rows } }
  await session.script(`delete from ${copy.name} c using ${shape.name} t where ${equal}`)
  const there = `exists (select from ${shape.name} t where ${same})`
  const state = copy.stateful ? 'c.plinth_state' : "'restore'"
  const left = async (where: string) => keysWhere(session, copy.name, key, where)
  const kept = await left(`${state} = 'changed'`)
  const orphaned = await left(`${state} = 'orphaned' or ${state} = 'restore' and not ${there}`)
  const unmatched = await left(`${state} = 'restore' and ${there}`)
  return {
    whole: false,
    report: {
      ...nothing(object),
      before,
      after,
      restored: after.rows,
      kept: kept.count,
      orphaned: orphaned.count,
      unmatched: unmatched.count,
      keys: { kept: kept.keys, orphaned: orphaned.keys, unmatched: unmatched.keys },
    },
  }
}

/** Values of single columns, by key or by the rest of the row. */
async function fillColumns(session: Session, object: ArchiveObject, copy: Copy, place: Place): Promise<Filled> {
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
async function standsAlready(session: Session, object: ArchiveObject, { shape, options }: Place): Promise<boolean> {
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

/** The table or its columns are not there, or refuse the rows: everything stays. */
async function leftWhole(session: Session, object: ArchiveObject, copy: Copy): Promise<Filled> {
  const names = object.detail.columns.map(column => column.name)
  const before = await digestOf(session, `${copy.name} c where true`, names, 'c.')
  const { count, keys } = await keysWhere(session, copy.name, object.detail.key ?? [], 'true')
  return {
    whole: count === 0,
    report: { ...nothing(object), before, orphaned: count, keys: { kept: [], orphaned: keys, unmatched: [] } },
  }
}

async function restoreSequence(session: Session, object: ArchiveObject): Promise<Restored> {
  await setSequences(session, object, undefined)
  return { object, report: nothing(object), whole: true }
}

/** The greater of both, so that no number is given out twice. */
async function setSequences(session: Session, object: ArchiveObject, shape: Shape | undefined): Promise<void> {
  for (const { column, name, last } of object.detail.sequences) {
    if (last === null) continue
    const owned = shape?.sequences.find(sequence => sequence.column === column)?.name ?? name
    await session.query(
      `select pg_catalog.setval(to_regclass($1), greatest($2::bigint, s.last_value), true)
      from pg_catalog.pg_sequences s
      where format('%I.%I', s.schemaname, s.sequencename)::regclass = to_regclass($1)`,
      [owned, last],
    )
  }
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
    where f.contype = 'f' and f.conrelid = $1::oid and f.conparentid = 0`,
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

/** With a rule of a user's on the table, the server refuses to look for conflicts, even while the rule is off. */
async function hasRules(session: Session, shape: Shape): Promise<boolean> {
  const { rows } = await session.query(
    "select from pg_catalog.pg_rewrite where ev_class = $1::oid and ev_type in ('2', '3')",
    [shape.oid],
  )
  return rows.length > 0
}

/** A value that was narrowed on its way back may still be equal by value. */
function isOfTheSameTypes({ detail }: ArchiveObject, shape: Shape): boolean {
  const types = new Map(shape.columns.map(({ name, type }) => [name, type]))
  return detail.columns.every(({ name, type }) => types.get(name) === type)
}

/** The columns of the copy that the table can take now, as the table has them. */
function commonColumns(object: ArchiveObject, shape: Shape): ShapeColumn[] {
  const kept = new Set(object.detail.columns.map(column => column.name))
  return ownColumns(shape).filter(column => kept.has(column.name))
}

function cast(column: ShapeColumn, from: string): string {
  return `${from}.${ident(column.name)}::${column.type}`
}

function nothing({ kind, source }: ArchiveObject): RestoreReport {
  const empty = { rows: 0, digest: '0' }
  return {
    kind,
    source,
    restored: 0,
    kept: 0,
    defaulted: 0,
    orphaned: 0,
    unmatched: 0,
    keys: { kept: [], orphaned: [], unmatched: [] },
    before: empty,
    after: empty,
  }
}

async function keysWhere(session: Session, copy: string, key: readonly string[], where: string) {
  const { rows } = await session.query<{ count: string; keys: readonly string[] | null }>(
    `select (select count(*) from ${copy} c where ${where}) as count,
      (select json_agg(key) from (select ${keyText(key, 'c')} as key from ${copy} c where ${where} limit 20) shown) as keys`,
  )
  return { count: Number(rows[0]?.count ?? 0), keys: rows[0]?.keys ?? [] }
}

async function digestOf(
  session: Session,
  from: string,
  names: readonly string[],
  prefix: string,
  digest = rowDigest,
): Promise<Digest> {
  const { rows } = await session.query<{ rows: string; digest: string }>(tableDigest(from, names, prefix, digest))
  return readDigest(rows[0])
}

function readDigest(row: { readonly rows: string; readonly digest: string } | undefined): Digest {
  return { rows: Number(row?.rows ?? 0), digest: row?.digest ?? '0' }
}

async function countOf(session: Session, from: string): Promise<number> {
  const { rows } = await session.query<{ rows: string }>(`select count(*) as rows from ${from}`)
  return Number(rows[0]?.rows ?? 0)
}

async function anyRow(session: Session, table: string): Promise<boolean> {
  const { rows } = await session.query<{ some: boolean }>(`select exists (select from ${table}) as some`)
  return rows[0]?.some === true
}
