/** Rename, change of type and split: a new column (or two) beside the old one, kept the same by a trigger until nobody writes the old one. */
import type { Column, Schema, Table } from '../../schema/model.ts'
import { type Companions, companionsOf } from './companions.ts'
import { identifier, literal, mentions, qualifiedName, replaceColumn, shortName } from './names.ts'
import { type ExpandRequest, freeName, type Subject, usage } from './request.ts'
import {
  checkName,
  createSync,
  dropSync,
  noteWrite,
  quietChecks,
  redundantHead,
  type Sync,
  witnessTable,
} from './sync.ts'
import type { Draft, Drafts } from './draft.ts'

/** Writes a column's name as an expression needs it: `amount` in an update, `new.amount` in a trigger. */
type Reference = (column: string) => string

interface NewColumn {
  readonly name: string
  readonly type: string
  readonly collation: string | null
  /** Its value from the old column's. */
  readonly forward: (of: Reference) => string
}

interface Move {
  readonly columns: readonly NewColumn[]
  /** The old column's value from the new ones'. */
  readonly back: (of: Reference) => string
  /** One column that takes the old one's place, with its constraints, default and comment; null for a split. */
  readonly heir: NewColumn | null
}

/** Pure. Throws USAGE. */
export function draftColumns(schema: Schema, subject: Subject, request: ExpandRequest): Drafts {
  const { table, column, expansion, quietMs } = subject
  const move = moveOf(subject, request)
  const names = move.columns.map(one => one.name)
  const companions = companionsOf(schema, table, column, move.heir?.name ?? null)
  const sync: Sync = {
    schema: table.schema,
    table: table.name,
    column: column.name,
    body: bodyOf(table, column, move),
    countsMentions: true,
  }
  const what = `${expansion} ${table.schema}.${table.name}.${column.name} to ${names.join(', ')}`
  return {
    what,
    steps: [
      expandStep(subject, move, companions, sync),
      migrateStep(subject, move, companions),
      contractStep(subject, move, companions, { sync, quietMs }),
    ],
    notices: companions.notices,
  }
}

function moveOf({ expansion, table, column }: Subject, request: ExpandRequest): Move {
  if (expansion === 'split-column') return splitOf(table, column, request)
  const name = freeName(table, request.to, 'The new column')
  const { using, back } = request
  if (expansion === 'rename-column') {
    const heir = { name, type: column.type, collation: column.collation, forward: (of: Reference) => of(column.name) }
    return { columns: [heir], heir, back: of => of(name) }
  }
  const { type } = request
  if (!type) throw usage('A change of type needs the new type.', 'Pass --type, such as --type bigint.')
  if (using && !mentions(using, column.name))
    throw usage(`--using does not name ${column.name}.`, `Such as "${column.name}::${type}".`)
  if (back && !mentions(back, name)) throw usage(`--back does not name ${name}.`, `Such as "${name}::${column.type}".`)
  const heir: NewColumn = {
    name,
    type,
    collation: null,
    forward: of => (using ? `(${replaceColumn(using, column.name, of(column.name))})` : `${of(column.name)}::${type}`),
  }
  return {
    columns: [heir],
    heir,
    back: of => (back ? `(${replaceColumn(back, name, of(name))})` : `${of(name)}::${column.type}`),
  }
}

/** What stands before the first separator, and all behind it, so that both together are the old value again. */
function splitOf(table: Table, column: Column, { to, type = 'text', separator = ' ' }: ExpandRequest): Move {
  const names = (to ?? '').split(',').map(name => freeName(table, name, 'Each part of a split'))
  const [first = '', rest = ''] = names
  if (names.length !== 2 || first === rest) throw usage('A split makes two columns.', 'Pass --to first,second.')
  if (separator === '') throw usage('A split needs a separator.', "Such as --separator ' '.")
  const mark = literal(separator)
  const old = column.name
  return {
    heir: null,
    columns: [
      { name: first, type, collation: null, forward: of => `split_part(${of(old)}, ${mark}, 1)` },
      {
        name: rest,
        type,
        collation: null,
        forward: of =>
          `(case when strpos(${of(old)}, ${mark}) > 0 then substr(${of(old)}, strpos(${of(old)}, ${mark}) + ${separator.length}) end)`,
      },
    ],
    back: of =>
      `(case when ${of(rest)} is null then ${of(first)} else coalesce(${of(first)}, '') || ${mark} || ${of(rest)} end)`,
  }
}

function expandStep({ table, column }: Subject, move: Move, companions: Companions, sync: Sync): Draft {
  const relation = qualifiedName(table.schema, table.name)
  const { heir } = move
  const constant = heir && constantDefault(column)
  return {
    title: `expand ${table.name} ${column.name}`,
    up: [
      `alter table ${relation}\n  ${move.columns.map(one => `add column ${spellColumn(one)}`).join(',\n  ')}`,
      // Set apart from the column, a default leaves the rows that are there empty, for the batches to fill.
      ...(heir && constant
        ? [
            `alter table ${relation} alter column ${identifier(heir.name)} set default ${heir.forward(() => `(${constant})`)}`,
          ]
        : []),
      ...(heir && column.comment !== null
        ? [`comment on column ${relation}.${identifier(heir.name)} is ${literal(column.comment)}`]
        : []),
      ...createSync(sync),
      ...(heir && !column.nullable ? [addFilled(table, heir)] : []),
      ...companions.add,
    ],
    upHead: ['lock-timeout=2s risk=low'],
    upWhy:
      'Old and new code may run side by side from here: whatever one of them writes, the other reads. New code reads whole rows after the next migration.',
    down: [
      ...dropSync(sync),
      `alter table ${relation}\n  ${move.columns.map(({ name }) => `drop column ${identifier(name)}`).join(',\n  ')}`,
    ],
    downHead: ['lock-timeout=2s', redundantHead([...move.columns.map(({ name }) => name), witnessTable(sync)])],
    downWhy: 'Every value is in the old column as well, so nothing is lost. New code must be out of service.',
  }
}

function migrateStep({ table, column }: Subject, move: Move, companions: Companions): Draft {
  const relation = qualifiedName(table.schema, table.name)
  const plain: Reference = name => identifier(name)
  const empty = move.columns.map(({ name }) => `${identifier(name)} is null`).join(' and ')
  const sets = move.columns.map(one => `${identifier(one.name)} = ${one.forward(plain)}`).join(',\n  ')
  const filled = move.heir && !column.nullable ? filledName(table, move.heir) : null
  return {
    title: `migrate ${table.name} ${column.name}`,
    up: [
      `update ${relation}\nset ${sets}\nwhere ${empty} and ${identifier(column.name)} is not null`,
      ...(filled ? [`alter table ${relation} validate constraint ${filled}`] : []),
      ...companions.complete,
    ],
    upHead: ['batch=1000 pause=10ms lock-timeout=2s risk=low', redundantHead(move.columns.map(({ name }) => name))],
    upWhy:
      'Fills the rows that nobody wrote since, in batches that are resumed after an interruption. New code may read the new way afterwards.',
    down: [
      ...companions.uncomplete,
      ...(filled
        ? [`alter table ${relation} drop constraint ${filled}`, addFilled(table, move.heir as NewColumn)]
        : []),
    ],
    downHead: companions.uncomplete.length + (filled ? 1 : 0) > 0 ? ['transaction=statement lock-timeout=2s'] : [],
    downWhy: 'The values may stay: the trigger keeps them the same as the old ones.',
  }
}

interface Ending {
  readonly sync: Sync
  readonly quietMs: number
}

function contractStep(
  { table, column }: Subject,
  move: Move,
  companions: Companions,
  { sync, quietMs }: Ending,
): Draft {
  const relation = qualifiedName(table.schema, table.name)
  const plain: Reference = name => identifier(name)
  const old = identifier(column.name)
  const { heir } = move
  const any = move.columns.map(({ name }) => `${identifier(name)} is not null`).join(' or ')
  const late = heir && column.default !== null && !constantDefault(column) ? column.default : null
  const filled = heir && !column.nullable ? filledName(table, heir) : null
  const oldFilled = identifier(shortName('plinth', table.name, column.name, 'filled'))
  const [created = '', begun = '', ...triggers] = createSync(sync)
  return {
    title: `contract ${table.name} ${column.name}`,
    up: [
      ...dropSync(sync),
      ...(heir && late ? [`alter table ${relation} alter column ${identifier(heir.name)} set default ${late}`] : []),
      ...(heir && filled
        ? [
            `alter table ${relation} alter column ${identifier(heir.name)} set not null`,
            `alter table ${relation} drop constraint ${filled}`,
          ]
        : []),
      `alter table ${relation} drop column ${old}`,
    ],
    upHead: ['lock-timeout=2s risk=medium', redundantHead([column.name, witnessTable(sync)])],
    upWhy:
      'Old code does not run from here on. The checks beside this file refuse it while the old column is still being written.',
    down: [
      `alter table ${relation} add column ${spellColumn({ ...column })}${column.default === null ? '' : `, alter column ${old} set default ${column.default}`}`,
      ...(column.comment === null ? [] : [`comment on column ${relation}.${old} is ${literal(column.comment)}`]),
      ...(heir && late ? [`alter table ${relation} alter column ${identifier(heir.name)} drop default`] : []),
      created,
      begun,
      ...triggers.slice(0, 2),
      ...(heir && filled
        ? [
            addFilled(table, heir),
            `alter table ${relation} validate constraint ${filled}`,
            `alter table ${relation} alter column ${identifier(heir.name)} drop not null`,
          ]
        : []),
      `update ${relation}\nset ${old} = ${move.back(plain)}\nwhere ${old} is null and (${any})`,
      ...(column.nullable
        ? []
        : [
            `alter table ${relation} add constraint ${oldFilled} check (${old} is not null) not valid`,
            `alter table ${relation} validate constraint ${oldFilled}`,
            `alter table ${relation} alter column ${old} set not null`,
            `alter table ${relation} drop constraint ${oldFilled}`,
          ]),
      ...companions.restore,
      // Last, so that the batches above are not taken for old code.
      ...triggers.slice(2),
    ],
    downHead: ['batch=1000 lock-timeout=2s', redundantHead([column.name])],
    downWhy: 'Brings the old column back from the new one, in batches, with the trigger that keeps both the same.',
    checks: `${quietChecks(sync, quietMs)}
-- check: ${checkName(column.name)}_is_carried_over before up
-- Rows have a value in ${column.name} and none in its place: roll back the migration before this one and apply it again.
select from ${relation}
where ${old} is not null and ${move.columns.map(({ name }) => `${identifier(name)} is null`).join(' and ')};
`,
  }
}

/** Who wrote is told by what changed; an insert tells it by what differs from a default. Code that writes both writes the new way. */
function bodyOf(table: Table, column: Column, move: Move): string {
  const now: Reference = name => `new.${identifier(name)}`
  const before: Reference = name => `old.${identifier(name)}`
  const old = column.name
  const constant = move.heir && constantDefault(column)
  const names = move.columns.map(({ name }) => name)
  // PL/pgSQL would take the `then` of a bare case for its own.
  const differs = (one: string, other: string) => `${one} is distinct from ${other}`
  const insertedNew =
    move.heir && constant
      ? differs(
          now(move.heir.name),
          move.heir.forward(() => `(${constant})`),
        )
      : names.map(name => `${now(name)} is not null`).join(' or ')
  const insertedOld = constant ? differs(now(old), `(${constant})`) : `${now(old)} is not null`
  const changed = (list: readonly string[]) => list.map(name => differs(now(name), before(name))).join(' or ')
  const carry = move.columns.map(one => `      ${now(one.name)} := ${one.forward(now)};`).join('\n')
  const astray = move.columns.map(one => differs(now(one.name), one.forward(now))).join(' or ')
  return `  if (tg_op = 'INSERT' and (${insertedNew})) or (tg_op = 'UPDATE' and (${changed(names)})) then
    -- What says the same already is left as it was written: not every cast leads back.
    if ${astray} then
      ${now(old)} := ${move.back(now)};
    end if;
  elsif (tg_op = 'INSERT' and (${insertedOld})) or (tg_op = 'UPDATE' and (${changed([old])})) then
    if ${differs(now(old), move.back(now))} then
${carry}
      ${noteWrite({ schema: table.schema, table: table.name, column: old })}
    end if;
  elsif ${names.map(name => `${now(name)} is null`).join(' and ')} then
    if ${now(old)} is not null then
${carry}
    end if;
  elsif ${now(old)} is null then
    ${now(old)} := ${move.back(now)};
  end if;`
}

function spellColumn({
  name,
  type,
  collation,
}: {
  readonly name: string
  readonly type: string
  readonly collation: string | null
}): string {
  return `${identifier(name)} ${type}${collation === null ? '' : ` collate ${collation}`}`
}

/** A default that is the same for every row; `now()` or a sequence is not. */
function constantDefault({ default: text }: Column): string | null {
  return text !== null &&
    /^(?:'(?:[^']|'')*'(?:::[\w .,()"[\]]+)?|\(?-?\d+(?:\.\d+)?\)?(?:::[\w .,()"]+)?|true|false)$/.test(text)
    ? text
    : null
}

function filledName(table: Table, { name }: NewColumn): string {
  return identifier(shortName('plinth', table.name, name, 'filled'))
}

function addFilled(table: Table, heir: NewColumn): string {
  return `alter table ${qualifiedName(table.schema, table.name)} add constraint ${filledName(table, heir)} check (${identifier(heir.name)} is not null) not valid`
}
