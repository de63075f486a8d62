/** What the contract is made from: each track's schema with its classification. Plain values; who loads them is not the contract's business. */
import type { ClassOf } from '../schema/classification.ts'
import type { Schema } from '../schema/model.ts'

export interface ContractInputs {
  readonly project: ContractProject
  /** In the order that readers meet them. */
  readonly tracks: readonly ContractTrack[]
}

export interface ContractProject {
  readonly name: string
  /** The column that names the tenant, where policies do not tell it. */
  readonly tenantColumn?: string | undefined
}

export interface ContractTrack {
  readonly name: string
  readonly schema: Schema
  readonly classOf: ClassOf
}

/** First letter in upper case: `operational` is a heading `Operational`. */
export function titled(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1)
}

/** How engines call themselves. */
export function engineTitle(engine: string): string {
  return { postgres: 'PostgreSQL', duckdb: 'DuckDB', bigquery: 'BigQuery' }[engine] ?? engine
}
