/**
 * Generated rows as a stream, for volumes that no run should hold or compare: any part of a table can be made alone, on any machine, and the
 * parts join to the whole.
 */
import { PlinthError } from '../errors.ts'
import type { Schema } from '../schema/model.ts'
import { csvLine } from './csv.ts'
import { inputText } from './datum.ts'
import type { SeedPackage } from './load.ts'
import { resolvePackage } from './resolve.ts'

export interface GenerateInputs {
  readonly package: SeedPackage
  readonly schema: Schema
  /** Qualified, such as `platform.usage_events`. It must have no protected column. */
  readonly table: string
  /** The first row, from 0; default 0. */
  readonly first?: number
  /** How many rows; default those that the package says. May exceed them: the generator has no end. */
  readonly count?: number
}

/**
 * CSV without a header, in chunks of about 64 KiB, with the columns in the order of the table file; `columns` names them for a `copy`. Throws
 * SEED_INVALID.
 *
 *     const { columns, chunks } = generateRows({ package: seedPackage, schema, table: 'platform.usage_events', count: 1e6 })
 *     await session.copyIn(`copy stage (${columns.join(', ')}) from stdin with (format csv)`, chunks)
 */
export function generateRows(inputs: GenerateInputs): {
  readonly columns: readonly string[]
  readonly chunks: AsyncIterable<string>
} {
  const source = resolvePackage(inputs.package, inputs.schema).find(
    candidate => candidate.table === inputs.table && candidate.kind === 'generated',
  )
  if (!source || source.columns.some(column => column.protection !== null)) {
    throw new PlinthError(
      'SEED_INVALID',
      `The package "${inputs.package.name}" cannot stream rows of ${inputs.table}.`,
      {
        at: inputs.package.place(['tables']),
        hint: 'Name a table that is generated and has no protected column.',
      },
    )
  }
  const first = inputs.first ?? 0
  const end = first + (inputs.count ?? source.count - first)
  async function* chunks(): AsyncGenerator<string> {
    let chunk = ''
    for (let index = first; index < end; index++) {
      const row = source?.rowAt(index)
      const fields =
        source?.columns.map(({ name, type }) => inputText(row?.values.get(name) ?? null, type) ?? null) ?? []
      chunk += `${csvLine(fields)}\n`
      if (chunk.length < 65_536) continue
      yield chunk
      chunk = ''
    }
    if (chunk !== '') yield chunk
  }
  return { columns: source.columns.map(column => column.name), chunks: chunks() }
}
