import { qualified, type Schema, type Table } from '../../schema/model.ts'
import type { SchemaRule } from '../rule.ts'
import { type Bounds, instant, type Part, partitionsOf } from '../subjects/partitions.ts'

export const rule: SchemaRule = {
  name: 'partition-gap',
  category: 'partitions',
  severity: 'warning',
  shape: 'schema',
  title: 'Between two partitions rows have no place',
  why: `A row whose key lies in the gap is refused, or, where there is a default partition, piles up there and later stands in the way of the
partition that was forgotten. The upper bound of a range does not belong to it, so \`to ('2026-01-31')\` leaves out the whole of the 31st. Hash
partitions must cover every remainder.`,
  instead: 'Let each partition begin with the bound at which the one before it ends.',
  examples: {
    bad: [
      {
        title: 'the last day of the month',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_202601 partition of visits for values from ('2026-01-01') to ('2026-01-31');
create table visits_202602 partition of visits for values from ('2026-02-01') to ('2026-03-01');`,
      },
      {
        title: 'a remainder is missing',
        up: `create table visits (id bigint primary key) partition by hash (id);
create table visits_0 partition of visits for values with (modulus 3, remainder 0);
create table visits_1 partition of visits for values with (modulus 3, remainder 1);`,
      },
    ],
    good: [
      {
        title: 'one after the other',
        up: `create table visits (id bigint, at date, primary key (id, at)) partition by range (at);
create table visits_202601 partition of visits for values from ('2026-01-01') to ('2026-02-01');
create table visits_202602 partition of visits for values from ('2026-02-01') to ('2026-03-01');`,
      },
      {
        title: 'every remainder, one of them split',
        up: `create table visits (id bigint primary key) partition by hash (id);
create table visits_0 partition of visits for values with (modulus 2, remainder 0);
create table visits_1 partition of visits for values with (modulus 4, remainder 1);
create table visits_3 partition of visits for values with (modulus 4, remainder 3);`,
      },
    ],
  },
  *check({ schema }) {
    for (const table of schema.tables.filter(one => one.partitioning !== null)) {
      yield* table.partitioning?.strategy === 'hash' ? hashGaps(table, schema) : rangeGaps(table, schema)
    }
  },
}

function* hashGaps(table: Table, schema: Schema) {
  const parts = partitionsOf(table, schema).flatMap(({ bounds }) => (bounds.kind === 'hash' ? [bounds] : []))
  const modulus = Math.max(1, ...parts.map(bounds => bounds.modulus))
  const free = Array.from({ length: modulus }, (_, at) => at).filter(
    at => !parts.some(bounds => at % bounds.modulus === bounds.remainder),
  )
  if (free.length === 0) return
  const name = qualified(table)
  yield {
    object: name,
    message:
      parts.length === 0
        ? `${name} has no hash partition, so every insert is refused.`
        : `${name} has no partition for ${free.length} of ${modulus} remainders, so those rows are refused.`,
    hint: `Run: create table ${name}_${free[0]} partition of ${name} for values with (modulus ${modulus}, remainder ${free[0]});`,
  }
}

/** Only keys of one column have an order that can be told from what is printed. */
function* rangeGaps(table: Table, schema: Schema) {
  const parts = partitionsOf(table, schema)
    .flatMap(part => {
      const from = position(part.bounds, 'from')
      const to = position(part.bounds, 'to')
      return from === null || to === null ? [] : [{ part, from, to }]
    })
    .sort((a, b) => a.from - b.from)
  for (const [at, { part, from }] of parts.entries()) {
    const earlier = parts[at - 1]
    if (!earlier || earlier.to >= from) continue
    yield {
      object: qualified(part.table),
      message: `Between ${qualified(earlier.part.table)}, which ends before ${end(earlier.part)}, and ${qualified(part.table)} rows of ${qualified(table)} have no place.`,
      hint: `Let ${qualified(part.table)} begin where ${qualified(earlier.part.table)} ends; the upper bound itself is not part of a range.`,
    }
  }
}

function position(bounds: Bounds, side: 'from' | 'to'): number | null {
  if (bounds.kind !== 'range' || bounds[side].length !== 1) return null
  const printed = bounds[side][0] ?? ''
  if (printed === 'MINVALUE') return Number.NEGATIVE_INFINITY
  if (printed === 'MAXVALUE') return Number.POSITIVE_INFINITY
  const number = /^'?(-?\d+)'?$/.exec(printed)
  return number ? Number(number[1]) : instant(printed)
}

function end({ bounds }: Part): string {
  return bounds.kind === 'range' ? (bounds.to[0] ?? '').replaceAll("'", '') : ''
}
