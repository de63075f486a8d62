// A history as teams write it: tables with constraints and comments, columns, indexes, foreign keys, rows, views, functions, triggers and
// types. The same number always makes the same files.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** @returns {{ version: string, slug: string, up: string, down: string }[]} */
export function generateMigrations(count) {
  const history = newHistory()
  return Array.from({ length: count }, (_, at) => {
    const make = at < 3 ? createTable : pick(history, kinds)
    const { slug, up, down } = make(history, at)
    return { version: String(202_401_010_000 + at), slug, up: `${up.join('\n\n')}\n`, down: `${down.join('\n\n')}\n` }
  })
}

/** One file a direction, as Plinth reads them. */
export function writePairs(folder, migrations) {
  mkdirSync(folder, { recursive: true })
  for (const { version, slug, up, down } of migrations) {
    writeFileSync(join(folder, `${version}_${slug}.up.sql`), up)
    writeFileSync(join(folder, `${version}_${slug}.down.sql`), down)
  }
}

/** Both directions in one file, as dbmate reads them. */
export function writeSections(folder, migrations) {
  mkdirSync(folder, { recursive: true })
  for (const { version, slug, up, down } of migrations) {
    writeFileSync(join(folder, `${version}_${slug}.sql`), `-- migrate:up\n${up}\n-- migrate:down\n${down}`)
  }
}

function newHistory() {
  return { tables: [], random: mulberry(20_240_101) }
}

const nouns = [
  'account',
  'invoice',
  'project',
  'member',
  'session',
  'ticket',
  'report',
  'device',
  'message',
  'schedule',
  'contract',
  'payment',
]

function createTable(history, at) {
  const name = `${nouns[at % nouns.length]}_${at}`
  const table = { name, columns: ['id', 'tenant_id', 'title', 'amount', 'created_at'] }
  const parent = history.tables.length > 0 ? pick(history, history.tables) : null
  history.tables.push(table)
  const reference = parent ? `,\n  parent_id bigint references ${parent.name} (id) on delete set null` : ''
  return {
    slug: `create_${name}`,
    up: [
      `create table ${name} (
  id bigint generated always as identity primary key,
  tenant_id uuid not null,
  title text not null check (length(title) between 1 and 200),
  amount numeric(12, 2) not null default 0 check (amount >= 0),
  status text not null default 'open' check (status in ('open', 'held', 'closed')),
  details jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz${reference}
);`,
      `create index ${name}_tenant_idx on ${name} (tenant_id, created_at desc);`,
      `create unique index ${name}_title_idx on ${name} (tenant_id, title) where deleted_at is null;`,
      `comment on table ${name} is 'One ${name.replaceAll('_', ' ')} of a tenant; deleted rows keep their place until they are purged.';`,
    ],
    down: [`drop table ${name};`],
  }
}

function addColumns(history, at) {
  const table = pick(history, history.tables)
  const first = `note_${at}`
  const second = `rank_${at}`
  table.columns.push(first, second)
  return {
    slug: `add_columns_to_${table.name}`,
    up: [
      `alter table ${table.name}\n  add column ${first} text,\n  add column ${second} integer not null default 0;`,
      `alter table ${table.name} add constraint ${table.name}_${second}_check check (${second} >= 0) not valid;`,
      `alter table ${table.name} validate constraint ${table.name}_${second}_check;`,
    ],
    down: [`alter table ${table.name} drop column ${second}, drop column ${first};`],
  }
}

function addIndex(history, at) {
  const table = pick(history, history.tables)
  const column = pick(history, table.columns)
  return {
    slug: `index_${table.name}`,
    up: [`create index ${table.name}_${at}_idx on ${table.name} (${column}, tenant_id) where deleted_at is null;`],
    down: [`drop index ${table.name}_${at}_idx;`],
  }
}

function addForeignKey(history, at) {
  const table = pick(history, history.tables)
  const target = pick(history, history.tables)
  const column = `linked_${at}_id`
  table.columns.push(column)
  return {
    slug: `link_${table.name}_to_${target.name}`,
    up: [
      `alter table ${table.name} add column ${column} bigint;`,
      `alter table ${table.name}\n  add constraint ${table.name}_${at}_fkey foreign key (${column}) references ${target.name} (id);`,
      `create index ${table.name}_${at}_fkey_idx on ${table.name} (${column});`,
    ],
    down: [`alter table ${table.name} drop column ${column};`],
  }
}

function insertRows(history, at) {
  const table = pick(history, history.tables)
  const rows = Array.from({ length: 10 + Math.floor(history.random() * 40) }, (_, row) => {
    const tenant = `00000000-0000-4000-8000-${String(row % 7).padStart(12, '0')}`
    return `  ('${tenant}', 'Entry ${at}.${row}', ${Math.floor(history.random() * 100_000) / 100})`
  })
  return {
    slug: `fill_${table.name}`,
    up: [`insert into ${table.name} (tenant_id, title, amount) values\n${rows.join(',\n')};`],
    down: [`delete from ${table.name} where title like 'Entry ${at}.%';`],
  }
}

function createView(history, at) {
  const table = pick(history, history.tables)
  return {
    slug: `view_of_${table.name}`,
    up: [
      `create view ${table.name}_open_${at} as
select tenant_id, status, count(*) as entries, sum(amount) as total
from ${table.name}
where deleted_at is null
group by tenant_id, status;`,
    ],
    down: [`drop view ${table.name}_open_${at};`],
  }
}

function createTrigger(history, at) {
  const table = pick(history, history.tables)
  return {
    slug: `touch_${table.name}`,
    up: [
      `create function ${table.name}_touch_${at}() returns trigger
language plpgsql
as $$
begin
  if new is distinct from old then
    new.updated_at := now(); -- the clock of the transaction; it never goes back
  end if;
  return new;
end;
$$;`,
      `create trigger ${table.name}_touch_${at}\nbefore update on ${table.name}\nfor each row execute function ${table.name}_touch_${at}();`,
    ],
    down: [`drop trigger ${table.name}_touch_${at} on ${table.name};`, `drop function ${table.name}_touch_${at}();`],
  }
}

function createType(history, at) {
  const table = pick(history, history.tables)
  table.columns.push(`mood_${at}`)
  return {
    slug: `type_for_${table.name}`,
    up: [
      `create type mood_${at} as enum ('calm', 'busy', 'late');`,
      `alter table ${table.name} add column mood_${at} mood_${at} not null default 'calm';`,
    ],
    down: [`alter table ${table.name} drop column mood_${at};`, `drop type mood_${at};`],
  }
}

function updateRows(history, at) {
  const table = pick(history, history.tables)
  return {
    slug: `mend_${table.name}`,
    up: [`update ${table.name} set details = details || jsonb_build_object('mended', ${at}) where status = 'open';`],
    down: [`update ${table.name} set details = details - 'mended' where details ->> 'mended' = '${at}';`],
  }
}

const kinds = [
  createTable,
  createTable,
  addColumns,
  addColumns,
  addIndex,
  addIndex,
  addForeignKey,
  insertRows,
  insertRows,
  createView,
  createTrigger,
  createType,
  updateRows,
]

function pick({ random }, values) {
  return values[Math.floor(random() * values.length)]
}

/** A small generator of numbers in [0, 1) that gives the same ones everywhere. */
function mulberry(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
