/** What a change of a column's type costs, from the two types alone. Sources: the casts without a function and the length coercions that PostgreSQL leaves out when the new type holds at least as much (`varchar_support`, `numeric_support`, `timestamp_support`). */
import { fieldsOf, listOf, openNode, textOf } from '../sql/tree.ts'
import { typeText } from '../sql/type-text.ts'
import { type Alteration, alterations, targetOf } from './alter.ts'
import { isSame, tableIn } from './catalog.ts'
import type { StatementView } from './rule.ts'

export interface TypeChange {
  readonly column: string
  /** Spelled as {@link typeText} does; null when nobody knows. */
  readonly from: string | null
  readonly to: string
  /** `zone`: between `timestamp` and `timestamptz`, which is free where the session's time zone is UTC. `unknown`: the old type is not known. */
  readonly cost: 'free' | 'rewrite' | 'zone' | 'unknown'
  /** Some values of the old type do not fit the new one, or lose something in it. */
  readonly narrows: boolean
}

export function typeChanges(view: StatementView): readonly TypeChange[] {
  return alterations(view).flatMap(one => {
    if (one.kind !== 'AlterColumnType') return []
    const to = typeText(one.definition['typeName'])
    const from = oldType(view, one.name)
    const narrows = from !== null && isNarrower(storedAs(view, from), storedAs(view, to))
    return [{ column: one.name, from, to, cost: costOf(from, to, one), narrows }]
  })
}

function oldType(view: StatementView, column: string): string | null {
  const written = targetOf(view)
  const known = view.file.text.typeOf(written, column, view.statement.index)
  if (known) return known
  const model = tableIn(view.file.before, written)?.columns.find(({ name }) => name === column)
  return model ? parserSpelling(model.type) : null
}

/** The type behind a domain that the catalog has. */
function storedAs({ file }: StatementView, type: string): string {
  const domain = file.before?.domains.find(one => isSame(`${one.schema}.${one.name}`, type))
  return domain ? parserSpelling(domain.type) : type
}

function costOf(from: string | null, to: string, { definition, name }: Alteration): TypeChange['cost'] {
  const casts = castsOf(definition['raw_default'], name)
  if (casts === null) return 'rewrite'
  if (casts.some(type => type !== to)) {
    const chain = [...(from === null ? [] : [from]), ...casts, to]
    return from !== null && chain.every((type, at) => at === 0 || isFree(chain[at - 1] ?? '', type))
      ? 'free'
      : 'rewrite'
  }
  if (from === null) return certain.has(to) ? 'rewrite' : 'unknown'
  if (isFree(from, to)) return 'free'
  const bases = [read(from).base, read(to).base].sort().join(' ')
  if (bases === 'timestamp timestamptz' && holdsSize(from, to)) return 'zone'
  return isBuiltIn(from) && isBuiltIn(to) ? 'rewrite' : 'unknown'
}

/** Types that nothing else is stored as, so that a change to one of them writes the table, whatever it was. */
const certain: ReadonlySet<string> = new Set(
  'int2 int4 int8 float4 float8 uuid json jsonb date bool bytea timetz money'.split(' '),
)

const builtIn: ReadonlySet<string> = new Set([
  ...certain,
  ...'text varchar bpchar numeric timestamp timestamptz time interval inet cidr macaddr bit varbit xml'.split(' '),
])

function isBuiltIn(type: string): boolean {
  return builtIn.has(read(type).base.replace(/(\[\])+$/, ''))
}

function isFree(from: string, to: string): boolean {
  if (from === to) return true
  const [old, next] = [read(from), read(to)]
  if (old.base === next.base) return holdsSize(from, to)
  const pair = `${old.base} ${next.base}`
  return (
    (/^(varchar text|text varchar|xml text|xml varchar)$/.test(pair) && next.sizes.length === 0) ||
    pair === 'cidr inet' ||
    (pair === 'bit varbit' && next.sizes.length === 0)
  )
}

/** Whether the new size of the same type takes every value of the old one as it stands. */
function holdsSize(from: string, to: string): boolean {
  const [old, next] = [read(from), read(to)]
  if (next.sizes.length === 0) return next.base !== 'bpchar' && next.base !== 'bit'
  // Elements of an array are each coerced, whatever they hold.
  if (next.base.endsWith('[]')) return from === to
  if (old.sizes.length === 0 || /^(bpchar|bit)$/.test(next.base)) return from === to
  const [precision = 0, scale = 0] = old.sizes
  const [nextPrecision = 0, nextScale = 0] = next.sizes
  return nextPrecision >= precision && scale === nextScale
}

const ranks: readonly (readonly string[])[] = [
  ['int2', 'int4', 'int8', 'numeric'],
  ['float4', 'float8'],
  ['date', 'timestamp'],
  ['date', 'timestamptz'],
  ['bpchar', 'varchar', 'text'],
]

function isNarrower(from: string, to: string): boolean {
  const [old, next] = [read(from), read(to)]
  const scale = (sizes: readonly number[]) => sizes[1] ?? 0
  if (old.base === next.base) {
    if (next.sizes.length === 0) return false
    if (old.sizes.length === 0) return true
    const whole = (sizes: readonly number[]) => (sizes[0] ?? 0) - scale(sizes)
    return whole(next.sizes) < whole(old.sizes) || scale(next.sizes) < scale(old.sizes)
  }
  if (/^(text|varchar|bpchar)$/.test(old.base) && next.base === 'varchar')
    return next.sizes.length > 0 && (old.sizes.length === 0 || (next.sizes[0] ?? 0) < (old.sizes[0] ?? 0))
  if (/^(text|varchar|bpchar|json|jsonb)$/.test(old.base))
    return !/^(text|citext|varchar|bpchar|json|jsonb|bytea)$/.test(next.base)
  if (/^(numeric|float4|float8)$/.test(old.base))
    return /^(int\d|float4|money)$/.test(next.base) || (next.base === 'numeric' && next.sizes.length > 0)
  return ranks.some(order => order.indexOf(next.base) >= 0 && order.indexOf(next.base) < order.indexOf(old.base))
}

interface Read {
  readonly base: string
  readonly sizes: readonly number[]
}

function read(type: string): Read {
  const match = /^([^(]+?)(?:\(([^)]*)\))?((?:\[\])*)$/.exec(type)
  const sizes = match?.[2] ? match[2].split(',').map(Number) : []
  return { base: `${match?.[1] ?? type}${match?.[3] ?? ''}`, sizes }
}

/** The types that a `using` casts the column to, one after the other; none without one, null where it computes something. */
function castsOf(using: unknown, column: string): readonly string[] | null {
  if (using === undefined || using === null) return []
  const [kind, fields] = openNode(using)
  if (kind === 'TypeCast') {
    const inner = castsOf(fields['arg'], column)
    return inner && [...inner, typeText({ TypeName: fieldsOf(fields, 'typeName') })]
  }
  const name = kind === 'ColumnRef' ? openNode(listOf(fields, 'fields').at(-1)) : null
  return name?.[0] === 'String' && textOf(name[1], 'sval') === column ? [] : null
}

const spellings: Readonly<Record<string, string>> = {
  'character varying': 'varchar',
  character: 'bpchar',
  integer: 'int4',
  bigint: 'int8',
  smallint: 'int2',
  boolean: 'bool',
  real: 'float4',
  'double precision': 'float8',
  'bit varying': 'varbit',
}

/** `character varying(10)` → `varchar(10)`, `timestamp(3) with time zone` → `timestamptz(3)`. */
function parserSpelling(type: string): string {
  const match = /^([a-z ]+?)(\([\d,]+\))?( with time zone| without time zone)?((?:\[\])*)$/.exec(type)
  if (!match) return type
  const [, base = '', size = '', zone = '', array = ''] = match
  return `${spellings[base] ?? base}${zone === ' with time zone' ? 'tz' : ''}${size}${array}`
}
