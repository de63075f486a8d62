/** Rows to prove on: a few in every table that takes them, made from the catalog alone. And what the tables hold, as digests. */
import { withTransaction } from '../../engines/brackets.ts'
import type { Session } from '../../engines/engine.ts'
import { plainly } from './plainly.ts'
import { ownColumns, type Shape, shapeOf } from './shape.ts'
import type { Digest } from './store.ts'
import { columnList, ident, literal, tableDigest } from './text.ts'

const none = { tenantColumn: '' }

/**
 * Writes up to three rows to each table of a scratch database but those of `spared`. What a table refuses is left out. Answers the tables that took
 * some.
 */
export async function writeSamples(session: Session, spared: readonly string[]): Promise<string[]> {
  const filled: string[] = []
  // Parents may come after their children in the alphabet, so those that waited for a row are tried again.
  let waiting = (await everyTable(session)).filter(({ name }) => !spared.includes(name))
  for (let helped = true; helped; ) {
    helped = false
    const left: Shape[] = []
    for (const shape of waiting)
      if (await writeSample(session, shape)) {
        filled.push(shape.name)
        helped = true
      } else left.push(shape)
    waiting = left
  }
  return filled.sort()
}

/** By table, quoted and qualified. */
export async function digestTables(session: Session): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>()
  await withTransaction(session, () =>
    plainly(session, async () => {
      for (const shape of await everyTable(session)) {
        const names = ownColumns(shape).map(column => column.name)
        const { rows } = await session.query<{ rows: string; digest: string }>(
          tableDigest(`${shape.name} t`, names, 't.'),
        )
        digests.set(shape.name, { rows: Number(rows[0]?.rows ?? 0), digest: rows[0]?.digest ?? '0' })
      }
    }),
  )
  return digests
}

/** Without those of which a part is foreign: what is written into that, or read, is another database's. */
async function everyTable(session: Session): Promise<Shape[]> {
  const { rows } = await session.query<{ oid: number }>(
    `with recursive part as (
      select f.oid from pg_catalog.pg_class f where f.relkind = 'f'
      union
      select i.inhparent from part p join pg_catalog.pg_inherits i on i.inhrelid = p.oid
    )
    select c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and c.oid not in (select oid from part) and n.nspname !~ '^pg_'
      and n.nspname not in ('information_schema', 'plinth', 'plinth_archive')
    order by n.nspname, c.relname`,
  )
  const shapes: Shape[] = []
  for (const { oid } of rows) {
    const shape = await shapeOf(session, oid, none)
    if (shape) shapes.push(shape)
  }
  return shapes
}

async function writeSample(session: Session, shape: Shape): Promise<boolean> {
  const parents = await parentsOf(session, shape)
  const choices = await choicesOf(session, shape)
  const given = ownColumns(shape).filter(column => column.default === null && !column.generated)
  const identities = new Set(shape.sequences.map(sequence => sequence.column))
  const columns = given.filter(column => !identities.has(column.name))
  const values = columns.map(column => parents.get(column.name) ?? choices.get(column.name) ?? sampleOf(column.type))
  for (const first of firstNumbers) {
    const text =
      columns.length === 0
        ? `insert into ${shape.name} default values`
        : `insert into ${shape.name} (${columnList(columns.map(column => column.name))})
          select ${values.join(', ')} from generate_series(${first}, ${first + 2}) n`
    const written = await session.query(text).catch(() => null)
    if (written) return written.rowCount > 0
  }
  return false
}

/** Migrations themselves write the first keys, so others are tried behind those; they still fit into three characters. */
const firstNumbers = [1, 501]

/** Where a column refers to another table, the value of one of its rows. */
async function parentsOf(session: Session, shape: Shape): Promise<Map<string, string>> {
  const { rows } = await session.query<{ column: string; parent: string; referred: string }>(
    `select a.attname as column, f.confrelid::regclass::text as parent, r.attname as referred
    from pg_catalog.pg_constraint f
    cross join lateral unnest(f.conkey, f.confkey) k (mine, theirs)
    join pg_catalog.pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.mine
    join pg_catalog.pg_attribute r on r.attrelid = f.confrelid and r.attnum = k.theirs
    where f.contype = 'f' and f.conrelid = $1::oid and f.conparentid = 0`,
    [shape.oid],
  )
  return new Map(
    rows.map(({ column, parent, referred }) => [
      column,
      `(select p.${ident(referred)} from ${parent} p order by p.${ident(referred)} limit 1 offset (n - 1) % 500)`,
    ]),
  )
}

/** Where a column allows only some words, or is an enum, the first of them. */
async function choicesOf(session: Session, shape: Shape): Promise<Map<string, string>> {
  const { rows } = await session.query<{ column: string; word: string | null }>(
    `select a.attname as column,
      coalesce(
        (
          select substring(pg_catalog.pg_get_constraintdef(c.oid) from $re$ARRAY[[]'([^']+)'$re$)
          from pg_catalog.pg_constraint c
          where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
          order by 1
          limit 1
        ),
        (select e.enumlabel from pg_catalog.pg_enum e where e.enumtypid = a.atttypid order by e.enumsortorder limit 1)
      ) as word
    from pg_catalog.pg_attribute a
    where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped`,
    [shape.oid],
  )
  return new Map(rows.flatMap(({ column, word }) => (word === null ? [] : [[column, literal(word)] as const])))
}

function sampleOf(type: string): string {
  const cast = `::${type}`
  const found = samples.find(([pattern]) => pattern.test(type))
  return found ? `(${found[1]})${cast}` : `(select null${cast})`
}

const samples: readonly (readonly [RegExp, string])[] = [
  [/\[\]$/, literal('{}')],
  [/^(smallint|integer|bigint|numeric|real|double precision|money)/, 'n'],
  // A number is what most texts can be turned into that a down turns back.
  [/^(text|character|citext|name|"char")/, 'n::text'],
  [/^boolean/, 'n = 1'],
  [/^uuid/, 'md5(n::text)'],
  [/^(date|timestamp)/, "timestamp '2026-01-01 00:00:00' + n * interval '1 hour'"],
  [/^time/, "'12:00:00'"],
  [/^interval/, "'1 hour'"],
  [/^jsonb?/, literal('{}')],
  [/^bytea/, "decode(md5(n::text), 'hex')"],
  [/^(inet|cidr)/, "'127.0.0.1'"],
]
