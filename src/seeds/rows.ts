/** Makes the rows of a table file: as many as it says, one or more for each row of another table, or those that it lists by label. */
import { createHash } from 'node:crypto'
import { nearest } from '../errors.ts'
import type { Table } from '../schema/model.ts'
import { type Datum, SeedRow } from './datum.ts'
import type { SeedPackage, SeedTable } from './load.ts'
import { columnNamed, invalid, isEach, rowsOf } from './named.ts'
import { accepts } from './operand.ts'
import { compile } from './operators.ts'
import { openStream } from './random.ts'
import type { Compiled, Scope } from './scope.ts'
import type { Source } from './source.ts'

/** The compiled columns: one set for all rows, or one a labelled row that sets something of its own. */
export interface Variants {
  readonly count: number
  readonly all: readonly (readonly NamedColumn[])[]
  rowAt(index: number): SeedRow
}

export interface NamedColumn {
  readonly name: string
  readonly variable: boolean
  readonly compiled: Compiled
  readonly path: readonly PropertyKey[]
}

export function variantsOf(
  file: SeedTable,
  seedPackage: SeedPackage,
  target: Table,
  earlier: readonly Source[],
): Variants {
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
    const parents = rowsOf(rows.each, earlier, file, ['rows', 'each']).filter(parent =>
      Object.entries(rows.where ?? {}).every(([column, wanted]) => {
        const value = parent.values.get(column)
        if (value !== undefined) return accepts(value, wanted)
        const guess = nearest(column, [...parent.values.keys()])
        const hint = guess ? `Did you mean "${guess}"?` : undefined
        throw invalid(file, ['rows', 'where', column], `Rows of ${rows.each} have no column "${column}".`, hint)
      }),
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

/** A labelled row's number for random values: from its label, so that other rows may come and go around it. */
function numberOf(label: string): number {
  return createHash('sha256').update(label).digest().readUInt32BE(0)
}

const weekMs = 604_800_000
