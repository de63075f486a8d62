/** What a run of a package would do, as plain JSON: no row, no value, no secret. */
import { createHash } from 'node:crypto'
import type { ClassOf } from '../schema/classification.ts'
import type { Schema } from '../schema/model.ts'
import type { Protection } from './datum.ts'
import type { SeedPackage } from './load.ts'
import { generatorVersion } from './random.ts'
import { resolvePackage } from './resolve.ts'

export interface SeedPlan {
  readonly package: string
  readonly description: string
  /** The window of time that generated rows fill. */
  readonly window: { readonly from: string; readonly to: string }
  readonly generatorVersion: number
  /** One digest over all files of the package. */
  readonly sha256: string
  readonly files: SeedPackage['files']
  readonly prepare: readonly string[]
  readonly tables: readonly PlannedTable[]
}

export interface PlannedTable {
  readonly table: string
  readonly kind: 'reference' | 'demo' | 'generated'
  readonly rows: number
  readonly key: readonly string[]
  readonly columns: readonly { readonly name: string; readonly protection: Protection | null }[]
}

/** Throws SEED_INVALID when the package does not fit the schema. */
export function planSeed(inputs: {
  readonly package: SeedPackage
  readonly schema: Schema
  /** Refuses a package that would store in plain what is classified as protected. */
  readonly classOf?: ClassOf | undefined
}): SeedPlan {
  const { package: seedPackage, schema, classOf } = inputs
  const { from, to } = windowOf(seedPackage)
  return {
    package: seedPackage.name,
    description: seedPackage.description,
    window: { from, to },
    generatorVersion,
    sha256: createHash('sha256').update(JSON.stringify(seedPackage.files)).digest('hex'),
    files: seedPackage.files,
    prepare: seedPackage.prepare,
    tables: resolvePackage(seedPackage, schema, classOf).map(({ table, kind, count, key, columns }) => ({
      table,
      kind,
      rows: count,
      key: key.map(column => column.name),
      columns: columns.map(({ name, protection }) => ({ name, protection })),
    })),
  }
}

/** The package's window of time: its weeks before the anchor. */
export function windowOf(seedPackage: Pick<SeedPackage, 'anchor' | 'weeks'>): {
  readonly from: string
  readonly to: string
} {
  const toMs = Date.parse(seedPackage.anchor)
  return { from: new Date(toMs - seedPackage.weeks * 604_800_000).toISOString(), to: new Date(toMs).toISOString() }
}
