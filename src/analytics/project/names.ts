/** What templates are compiled with. */
import type { Place } from '../../errors.ts'
import type { Template, TemplateValue } from '../../sql/template.ts'
import type { Grain, Moment, Surroundings } from './project.ts'

/** A transform by its name: its settings are known once all were read. */
export interface Known {
  readonly schema: string
  readonly name: string
  readonly path?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly materialized?: string
}

/** What names resolve to. */
export interface Names {
  readonly macros: readonly Template[]
  readonly variables: Readonly<Record<string, unknown>>
  readonly transforms: ReadonlyMap<string, Known>
  readonly sources: ReadonlyMap<string, { readonly schema: string; readonly identifier: string }>
  /** Transforms that are a part of the queries that refer to them, by name. */
  readonly ephemerals: ReadonlyMap<string, Template>
  /** Transforms that are switched off, which nothing may refer to. */
  readonly disabled: ReadonlySet<string>
  readonly packageName: string
  readonly surroundings: Surroundings
}

/** Cells of one grain that changed. Bounds are SQL literals; `relation` lists `bucket` and `shard`, or is null when all between them did. */
export interface ChangedCells {
  readonly relation: string | null
  readonly from: string
  readonly until: string
}

export interface CompileOptions {
  readonly engine: string
  /** Quotes a name as the engine does; default double quotes. */
  readonly quote?: ((name: string) => string) | undefined
  /** `whole` computes everything, `cells` what changed. */
  readonly mode: 'whole' | 'cells'
  readonly changedCells?: Readonly<Record<Grain, ChangedCells>>
  /** What `this` is; null for checks. */
  readonly self: { readonly schema: string; readonly name: string } | null
  /** Queries that stand in for sources, by `group.name`: what a transform answers of a part of its rows. */
  readonly instead?: ReadonlyMap<string, string>
  /** Default that of the run. What is compared from run to run is given one that stays. */
  readonly moment?: Moment
  /** What takes the place of macros and of dbt's words. */
  readonly overrides?: Readonly<Record<string, TemplateValue>>
  /** Told of every use, so that loading can learn the dependencies. */
  readonly observe?: Observer
}

export interface Observer {
  ref?(name: string): void
  source?(key: string): void
  config?(values: Readonly<Record<string, unknown>>, place: Place): void
}
