/** The columns that a statement makes or gives another type: as the rehearsal saw them, also inside `do` blocks, else as its text says. */
import type { Column, Schema, Table } from '../../schema/model.ts'
import { qualified } from '../../schema/model.ts'
import { byteIndex } from '../../sql/positions.ts'
import { type Fields, fieldsOf, listOf, openNode, relationName, textOf, walk } from '../../sql/tree.ts'
import { typeText } from '../../sql/type-text.ts'
import { once } from '../once.ts'
import type { Problem, StatementView } from '../rule.ts'

export interface MadeColumn {
  /** As the rehearsal spells it, else as written. */
  readonly table: string
  readonly name: string
  /** As PostgreSQL prints it; a serial is the integer that it stands for. */
  readonly type: string
  readonly nullable: boolean
  /** Where its numbers come from. */
  readonly counted: 'serial' | 'identity' | null
  /** Whether it is the primary key, by itself or with others. */
  readonly key: 'alone' | 'part' | null
  /** A foreign key stands on it, so that its type follows another one's. */
  readonly foreign: boolean
  readonly comment: string | null
}

/** The statements whose text makes columns. */
export const columnKinds = ['CreateStmt', 'AlterTableStmt']

/** Partitions are left out, since their columns are those of their parent. */
export function madeColumns(view: StatementView): readonly MadeColumn[] {
  if (view.statement.control !== null) return []
  // The view notes who asks for what was seen, so that is asked each time.
  return view.seen && view.file.step ? seen(view) : written(view)
}

const written = once(columnsWritten)
const seen = once(columnsSeen)

/** A problem with a column, at the place where the statement defines it. */
export function columnProblem(
  view: StatementView,
  { table, name }: Pick<MadeColumn, 'table' | 'name'>,
  message: string,
  hint?: string,
): Problem {
  const range = definitionOf(view, name)
  return {
    message,
    object: `${objectName(table)}.${name}`,
    ...(hint === undefined ? {} : { hint }),
    ...(range ? { range } : {}),
  }
}

/** A name without a schema goes to `public`, unless a path says otherwise. */
export function objectName(written: string): string {
  return written.includes('.') ? written : `public.${written}`
}

/** The table of that name; names are spelled as {@link qualified} does. */
export function tableNamed(schema: Schema | null | undefined, name: string): Table | undefined {
  if (!schema) return undefined
  const known = tablesByName.get(schema) ?? new Map(schema.tables.map(table => [qualified(table), table]))
  tablesByName.set(schema, known)
  return known.get(name)
}

const tablesByName = new WeakMap<Schema, ReadonlyMap<string, Table>>()

function columnsSeen({ seen, file, statement }: StatementView): MadeColumn[] {
  const { after } = file.step ?? { after: undefined }
  if (!after) return []
  const later = new Set(
    file.step?.statements
      .filter(one => one.index > statement.index)
      .flatMap(one => one.changes)
      .filter(change => change.kind === 'column' && change.action === 'create')
      .map(change => change.name),
  )
  const names = new Set<string>()
  for (const { action, kind, name, of } of seen?.changes ?? []) {
    if (kind === 'table' && action === 'create') {
      for (const column of tableNamed(after, name)?.columns ?? [])
        if (!later.has(`${name}.${column.name}`)) names.add(`${name}.${column.name}`)
    }
    if (kind !== 'column' || of === null || action === 'drop') continue
    if (action === 'create' || wasRetyped(file.before, after, of, name.slice(of.length + 1))) names.add(name)
  }
  return after.tables
    .filter(table => table.partitionOf === null)
    .flatMap(table =>
      table.columns
        .filter(column => names.has(`${qualified(table)}.${column.name}`))
        .map(column => columnSeen(table, column)),
    )
}

function wasRetyped(before: Schema | null, after: Schema, table: string, column: string): boolean {
  const typeIn = (schema: Schema | null) =>
    tableNamed(schema, table)?.columns.find(candidate => candidate.name === column)?.type
  return typeIn(before) !== undefined && typeIn(before) !== typeIn(after)
}

function columnSeen(table: Table, column: Column): MadeColumn {
  const keys = table.primaryKey?.columns ?? []
  return {
    table: qualified(table),
    name: column.name,
    type: column.type,
    nullable: column.nullable,
    counted: column.identity ? 'identity' : column.default?.startsWith('nextval(') ? 'serial' : null,
    key: keys.includes(column.name) ? (keys.length === 1 ? 'alone' : 'part') : null,
    foreign: table.foreignKeys.some(key => key.columns.includes(column.name)),
    comment: column.comment,
  }
}

function columnsWritten({ statement, fields }: StatementView): MadeColumn[] {
  if (!columnKinds.includes(statement.kind)) return []
  const table = relationName(fieldsOf(fields, 'relation'))
  if (statement.kind === 'CreateStmt') {
    if (fields['partbound'] !== undefined) return []
    const elements = listOf(fields, 'tableElts').map(openNode)
    const constraints = elements.filter(([kind]) => kind === 'Constraint').map(([, element]) => element)
    return elements.flatMap(([kind, element]) =>
      kind === 'ColumnDef' ? [columnWritten(table, element, constraints)] : [],
    )
  }
  if (statement.kind !== 'AlterTableStmt' || textOf(fields, 'objtype') !== 'OBJECT_TABLE') return []
  const commands = listOf(fields, 'cmds').map(node => openNode(node)[1])
  const constraints = commands
    .filter(command => textOf(command, 'subtype') === 'AT_AddConstraint')
    .map(command => fieldsOf(fieldsOf(command, 'def'), 'Constraint'))
  return commands.flatMap(command => {
    const definition = fieldsOf(fieldsOf(command, 'def'), 'ColumnDef')
    const subtype = textOf(command, 'subtype')
    if (subtype === 'AT_AddColumn') return [columnWritten(table, definition, constraints)]
    if (subtype === 'AT_AlterColumnType')
      return [columnWritten(table, { ...definition, colname: command['name'] }, constraints)]
    return []
  })
}

function columnWritten(table: string, definition: Fields, tableConstraints: readonly Fields[]): MadeColumn {
  const name = textOf(definition, 'colname')
  const own = listOf(definition, 'constraints').map(node => textOf(openNode(node)[1], 'contype'))
  const has = (type: string) => own.includes(type)
  const standsOn = (type: string, list: string) =>
    tableConstraints
      .filter(constraint => textOf(constraint, 'contype') === type)
      .map(constraint => listOf(constraint, list).map(node => textOf(openNode(node)[1], 'sval')))
      .find(columns => columns.includes(name))
  const key = has('CONSTR_PRIMARY') ? [name] : standsOn('CONSTR_PRIMARY', 'keys')
  const written = typeText(definition['typeName'])
  const { printed, serial } = spelled(written)
  return {
    table,
    name,
    type: printed,
    nullable: !has('CONSTR_NOTNULL') && !has('CONSTR_IDENTITY') && !key && serial === 'no',
    counted: has('CONSTR_IDENTITY') ? 'identity' : serial === 'alone' ? 'serial' : null,
    key: key ? (key.length === 1 ? 'alone' : 'part') : null,
    foreign: has('CONSTR_FOREIGN') || standsOn('CONSTR_FOREIGN', 'fk_attrs') !== undefined,
    comment: null,
  }
}

interface Spelled {
  readonly printed: string
  /** `alone`: nothing stands behind the word, such as a length or brackets. */
  readonly serial: 'alone' | 'with more' | 'no'
}

/** Few types are written again and again. */
const spellings = new Map<string, Spelled>()

function spelled(written: string): Spelled {
  const known = spellings.get(written)
  if (known) return known
  if (spellings.size > 10_000) spellings.clear()
  const isSerial = /^(small|big)?serial/.test(written)
  const isAlone = /^(small|big)?serial[248]?$/.test(written)
  const fresh: Spelled = {
    printed: printedType(written),
    serial: isAlone ? 'alone' : isSerial ? 'with more' : 'no',
  }
  spellings.set(written, fresh)
  return fresh
}

/** The parser's spelling of a type, as the catalog prints it: `int8` is `bigint`. */
function printedType(written: string): string {
  const match = /^([a-z_0-9]+)(\([^)]*\))?(\[\])*$/.exec(written)
  const printed = printedTypes[match?.[1] ?? '']
  if (!match || printed === undefined) return written
  const [base, zone] = printed
  return `${base}${match[2] ?? ''}${zone ?? ''}${written.includes('[]') ? '[]' : ''}`
}

const printedTypes: Readonly<Record<string, readonly [base: string, zone?: string]>> = {
  int2: ['smallint'],
  int4: ['integer'],
  int8: ['bigint'],
  smallserial: ['smallint'],
  serial2: ['smallint'],
  serial: ['integer'],
  serial4: ['integer'],
  bigserial: ['bigint'],
  serial8: ['bigint'],
  bool: ['boolean'],
  bpchar: ['character'],
  varchar: ['character varying'],
  float4: ['real'],
  float8: ['double precision'],
  timestamp: ['timestamp', ' without time zone'],
  timestamptz: ['timestamp', ' with time zone'],
  time: ['time', ' without time zone'],
  timetz: ['time', ' with time zone'],
}

/** From the column's name to the end of its line, which is nearly always its definition. */
function definitionOf({ statement, file }: StatementView, name: string): Problem['range'] {
  let found: number | undefined
  walk(statement.tree, (kind, fields) => {
    if (kind !== 'ColumnDef' || textOf(fields, 'colname') !== name || found !== undefined) return
    found = typeof fields['location'] === 'number' ? fields['location'] : undefined
  })
  if (found === undefined) return undefined
  const start = byteIndex(file.script.body)(found)
  if (start < statement.start || start >= statement.end) return undefined
  const line = /^[^\n]*/.exec(file.script.body.slice(start, statement.end))?.[0] ?? ''
  return { start, end: start + Math.max(1, line.replace(/\s*(--.*)?$/, '').replace(/,$/, '').length) }
}
