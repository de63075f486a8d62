/**
 * Holds a package against a schema and turns its tables into rows: columns exist, references point at earlier rows, natural keys are unique.
 * Pure: the same package and schema give the same rows. Values that will be protected are still plain here, inside of `Sealed`.
 */
import { createHash } from 'node:crypto'
import { nearest, type Place, PlinthError } from '../errors.ts'
import type { ClassOf } from '../schema/classification.ts'
import { type Column, qualified, type Schema, type Table } from '../schema/model.ts'
import { type Datum, inputText, keyText, type Protection, Sealed, SeedRow } from './datum.ts'
import type { SeedPackage, SeedTable } from './load.ts'
import { accepts, type Compiled, compile, type Scope } from './operators.ts'
import { openStream } from './random.ts'

/** One table file, ready to run. */
export interface Source {
  readonly table: string
  readonly kind: SeedTable['kind']
  readonly file: string
  readonly key: readonly SourceColumn[]
  readonly columns: readonly SourceColumn[]
  /** The column that names the organization of a row, or null. */
  readonly tenant: string | null
  readonly count: number
  /** All rows when they are held in memory; null when they are made as they are needed. */
  readonly rows: readonly SeedRow[] | null
  /** Any row alone, by its number from 0. */
  rowAt(index: number): SeedRow
  /** Where the row, or one of its columns, is written. */
  placeOf(row: SeedRow | null, column?: string): Place
}

export interface SourceColumn {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly protection: Protection | null
  /** An id that derives from the natural key: it is never updated. */
  readonly identity: boolean
}

/** Generated tables up to this many rows are held in memory, so that others can pick from them. */
export const heldRowsMax = 10_000

/**
 * With `classOf`, a column that the classification wants protected must be protected by the package as well. Throws SEED_INVALID with the file
 * and line.
 */
export function resolvePackage(seedPackage: SeedPackage, schema: Schema, classOf?: ClassOf): Source[] {
  const sources: Source[] = []
  for (const table of seedPackage.tables) {
    const source = resolveTable(table, seedPackage, schema, sources)
    if (classOf) refuseUnprotected(source, table, classOf)
    sources.push(source)
  }
  return sources
}

function resolveTable(file: SeedTable, seedPackage: SeedPackage, schema: Schema, earlier: readonly Source[]): Source {
  const target = tableOf(file, schema)
  const variants = variantsOf(file, seedPackage, target, earlier)
  const columns = columnsOf(file, target, variants)
  const key = file.key.map((name, index) => {
    const column = columns.find(candidate => candidate.name === name)
    if (!column)
      throw invalid(file, ['key', index], `The key column "${name}" is not set by any row.`, 'Set it under columns.')
    if (column.protection === 'encrypted' || column.protection === 'secret') {
      throw invalid(
        file,
        ['key', index],
        `The key column "${name}" is ${column.protection}, so no row can be found by it.`,
        'Use an id or a hashed column as key.',
      )
    }
    return column
  })
  if (file.tenant !== undefined && !columns.some(column => column.name === file.tenant)) {
    throw invalid(
      file,
      ['tenant'],
      `The tenant column "${file.tenant}" is not set by any row.`,
      'Set it under columns.',
    )
  }
  const placeOf: Source['placeOf'] = (row, column) =>
    file.place(
      row && isLabelled(file)
        ? ['rows', row.label, ...(column ? [column] : [])]
        : column
          ? ['columns', column]
          : ['table'],
    )
  const protectedColumns = columns.some(column => column.protection)
  const held = isLabelled(file) || variants.count <= heldRowsMax
  if (!held && protectedColumns) {
    throw invalid(file, ['rows'], `Tables with protected columns have at most ${heldRowsMax} rows.`)
  }
  const rows = held ? Array.from({ length: variants.count }, (_, index) => variants.rowAt(index)) : null
  for (const row of rows ?? [variants.rowAt(0)]) checkRow(row, columns, file, placeOf)
  if (rows) refuseDuplicates(rows, file, placeOf, earlier)
  return {
    table: file.table,
    kind: file.kind,
    file: file.file,
    key,
    columns,
    tenant: file.tenant ?? null,
    count: variants.count,
    rows,
    rowAt: index => rows?.[index] ?? variants.rowAt(index),
    placeOf,
  }
}

/** The compiled columns: one set for all rows, or one a labelled row that sets something of its own. */
interface Variants {
  readonly count: number
  readonly all: readonly (readonly NamedColumn[])[]
  rowAt(index: number): SeedRow
}

interface NamedColumn {
  readonly name: string
  readonly variable: boolean
  readonly compiled: Compiled
  readonly path: readonly PropertyKey[]
}

function variantsOf(file: SeedTable, seedPackage: SeedPackage, target: Table, earlier: readonly Source[]): Variants {
  const compiler = compilerOf(file, seedPackage, target, earlier)
  const { rows } = file
  if (typeof rows === 'number') {
    const columns = compiler(
      Object.entries(file.columns).map(([name, value]) => ({ name, value, path: ['columns', name] })),
      ['row'],
    )
    return {
      count: rows,
      all: [columns],
      rowAt: index => evaluate(columns, String(index), index, new Map([['row', index]])),
    }
  }
  if (isEach(rows)) {
    const columns = compiler(
      Object.entries(file.columns).map(([name, value]) => ({ name, value, path: ['columns', name] })),
      ['row', 'each', 'number'],
    )
    const parents = rowsOf(rows.each, earlier, file, ['rows', 'each']).filter(row =>
      Object.entries(rows.where ?? {}).every(([column, wanted]) => accepts(row.values.get(column) ?? null, wanted)),
    )
    return {
      count: parents.length * rows.times,
      all: [columns],
      rowAt(index) {
        const parent = parents[Math.floor(index / rows.times)]
        if (!parent) throw new RangeError(`There is no row ${index}.`)
        const number = (index % rows.times) + 1
        const label = rows.times === 1 ? parent.label : `${parent.label}-${number}`
        return evaluate(
          columns,
          label,
          index,
          new Map<string, Datum>([
            ['row', index],
            ['each', parent],
            ['number', number],
          ]),
        )
      },
    }
  }
  const labelled = Object.entries(rows).map(([label, own]) => {
    const given = Object.entries(own ?? {})
    // What only the row sets comes first, so that the shared columns can use its variables.
    const first = given
      .filter(([name]) => !Object.hasOwn(file.columns, name))
      .map(([name, value]) => ({ name, value, path: ['rows', label, name] }))
    const shared = Object.entries(file.columns).map(([name, value]) => {
      const override = given.find(([other]) => other === name)
      return override
        ? { name, value: override[1], path: ['rows', label, name] }
        : { name, value, path: ['columns', name] }
    })
    return { label, number: numberOf(label), columns: compiler([...first, ...shared], ['label']) }
  })
  return {
    count: labelled.length,
    all: labelled.map(row => row.columns),
    rowAt(index) {
      const row = labelled[index]
      if (!row) throw new RangeError(`There is no row ${index}.`)
      return evaluate(row.columns, row.label, row.number, new Map([['label', row.label]]))
    },
  }
}

interface Written {
  readonly name: string
  readonly value: unknown
  readonly path: readonly PropertyKey[]
}

function compilerOf(file: SeedTable, seedPackage: SeedPackage, target: Table, earlier: readonly Source[]) {
  const anchorMs = Date.parse(seedPackage.anchor)
  return (written: readonly Written[], builtIn: readonly string[]): NamedColumn[] => {
    const names = new Set(builtIn)
    const taken = new Set<string>()
    return written.map(({ name, value, path }) => {
      const variable = name.startsWith('$')
      const bare = variable ? name.slice(1) : name
      const column = variable ? undefined : columnNamed(name, target, file, path)
      if (taken.has(bare))
        throw invalid(file, path, `"${bare}" is set twice: as a column and as a variable.`, 'Rename the variable.')
      const scope: Scope = {
        table: file.table,
        identity: seedPackage.identity,
        anchorMs,
        fromMs: anchorMs - seedPackage.weeks * weekMs,
        stream: openStream(seedPackage.seed, file.table, name),
        names: new Set(names),
        rowsOf: table => rowsOf(table, earlier, file, path),
        invalid: (message, hint, below = []) => invalid(file, [...path, ...below], message, hint),
      }
      const compiled = compile(value, scope, column?.type === 'json' || column?.type === 'jsonb' ? 'json' : 'other')
      names.add(bare)
      taken.add(bare)
      return { name: bare, variable, compiled, path }
    })
  }
}

function evaluate(columns: readonly NamedColumn[], label: string, number: number, values: Map<string, Datum>): SeedRow {
  const draft = { number, values }
  for (const { name, compiled } of columns) values.set(name, compiled.evaluate(draft))
  return new SeedRow(label, values)
}

/** The columns that rows set: each must be set by all, and be protected in all or in none. */
function columnsOf(file: SeedTable, target: Table, variants: Variants): SourceColumn[] {
  const first = new Map<string, SourceColumn>()
  for (const columns of variants.all) {
    for (const { name, variable, compiled } of columns) {
      if (variable) continue
      const { type, nullable } = columnNamed(name, target, file, ['columns', name])
      const known = first.get(name)
      first.set(name, {
        name,
        type,
        nullable,
        protection: known?.protection ?? compiled.protection,
        identity: (known?.identity ?? false) || compiled.identity,
      })
    }
  }
  for (const columns of variants.all) {
    for (const name of first.keys()) {
      if (columns.some(column => column.name === name)) continue
      const at = columns.find(column => column.path[0] === 'rows')?.path.slice(0, 2) ?? ['rows']
      throw invalid(
        file,
        at,
        `A row does not set the column "${name}", which other rows set.`,
        'Set a default for it under columns.',
      )
    }
  }
  return [...first.values()]
}

/** What the classification calls encrypted or hashed may not come in plain. */
function refuseUnprotected(source: Source, file: SeedTable, classOf: ClassOf): void {
  for (const { name, protection } of source.columns) {
    const wanted = classOf(source.table, name)?.protection ?? 'none'
    const given = protection === 'secret' ? 'hashed' : (protection ?? 'none')
    if (wanted === 'none' || wanted === given) continue
    throw invalid(
      file,
      ['columns', name],
      `${source.table}.${name} is classified as ${wanted}, but the package stores it ${given === 'none' ? 'in plain' : given}.`,
      `Write { ${wanted === 'encrypted' ? 'encrypt' : 'hash'}: … }.`,
    )
  }
}

/** Every value fits its column's type, and nothing comes in plain into a protected column. */
function checkRow(row: SeedRow, columns: readonly SourceColumn[], file: SeedTable, placeOf: Source['placeOf']): void {
  for (const { name, type, protection } of columns) {
    const value = row.values.get(name) ?? null
    const fits = protection === null ? inputText(value, type) !== undefined : value === null || value instanceof Sealed
    if (fits) continue
    const message =
      value instanceof SeedRow
        ? `"${name}" would hold a whole row; name one of its columns.`
        : protection === null
          ? `"${name}" of ${file.table} is ${type}, which cannot hold this value.`
          : `"${name}" is ${protection} in other rows, but plain here.`
    throw new PlinthError('SEED_INVALID', message, { at: placeOf(row, name) })
  }
}

function refuseDuplicates(
  rows: readonly SeedRow[],
  file: SeedTable,
  placeOf: Source['placeOf'],
  earlier: readonly Source[],
): void {
  const keyOf = (row: SeedRow): string => JSON.stringify(file.key.map(name => keyText(row.values.get(name) ?? null)))
  const seen = new Map<string, string>()
  const labels = new Set<string>()
  for (const source of earlier.filter(source => source.table === file.table)) {
    for (const row of source.rows ?? []) {
      labels.add(row.label)
      seen.set(keyOf(row), row.label)
    }
  }
  for (const row of rows) {
    const twin = seen.get(keyOf(row))
    if (twin !== undefined) {
      throw new PlinthError(
        'SEED_INVALID',
        `The rows "${twin}" and "${row.label}" of ${file.table} have the same natural key (${file.key.join(', ')}).`,
        {
          at: placeOf(row),
          hint: 'Remove one of them, or give it another key.',
        },
      )
    }
    if (labels.has(row.label) && isLabelled(file)) {
      throw new PlinthError('SEED_INVALID', `The label "${row.label}" of ${file.table} is used in an earlier file.`, {
        at: placeOf(row),
        hint: 'Give the row another label.',
      })
    }
    seen.set(keyOf(row), row.label)
    labels.add(row.label)
  }
}

function rowsOf(
  table: string,
  earlier: readonly Source[],
  file: SeedTable,
  path: readonly PropertyKey[],
): readonly SeedRow[] {
  const found = earlier.filter(source => source.table === table || source.table.split('.')[1] === table)
  if (found.length === 0) {
    const guess = nearest(
      table,
      earlier.map(source => source.table.split('.')[1] ?? source.table),
    )
    throw invalid(
      file,
      path,
      `No earlier file of the package loads a table "${table}".`,
      guess ? `Did you mean "${guess}"?` : 'List its file before this one.',
    )
  }
  if (found.some(source => source.rows === null)) {
    throw invalid(
      file,
      path,
      `"${table}" has more than ${heldRowsMax} generated rows, so none can be picked or referred to.`,
    )
  }
  return found.flatMap(source => source.rows ?? [])
}

function tableOf(file: SeedTable, schema: Schema): Table {
  const found = schema.tables.find(table => qualified(table) === file.table)
  if (found) return found
  const guess = nearest(file.table, schema.tables.map(qualified))
  throw invalid(
    file,
    ['table'],
    `There is no table ${file.table}.`,
    guess ? `Did you mean "${guess}"?` : 'Apply the migrations first: plinth apply.',
  )
}

function columnNamed(name: string, target: Table, file: SeedTable, path: readonly PropertyKey[]): Column {
  const found = target.columns.find(column => column.name === name)
  if (found) return found
  const guess = nearest(
    name,
    target.columns.map(column => column.name),
  )
  throw invalid(
    file,
    path,
    `${file.table} has no column "${name}".`,
    guess ? `Did you mean "${guess}"?` : `Its columns: ${target.columns.map(column => column.name).join(', ')}.`,
  )
}

function invalid(file: SeedTable, path: readonly PropertyKey[], message: string, hint?: string): PlinthError {
  return new PlinthError('SEED_INVALID', message, { at: file.place(path), hint })
}

function isEach(rows: SeedTable['rows']): rows is Extract<SeedTable['rows'], { each: string }> {
  return typeof rows === 'object' && typeof rows['each'] === 'string'
}

function isLabelled(file: SeedTable): boolean {
  return typeof file.rows === 'object' && !isEach(file.rows)
}

/** A labelled row's number for random values: from its label, so that other rows may come and go around it. */
function numberOf(label: string): number {
  return createHash('sha256').update(label).digest().readUInt32BE(0)
}

const weekMs = 604_800_000
