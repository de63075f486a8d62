/** An analytics project as plain data: sources to capture, transforms in the order of their dependencies, checks. */
import type { Place } from '../errors.ts'
import type { Template } from '../sql/template.ts'

export interface Project {
  readonly name: string
  /** Absolute folder of `dbt_project.yml`. */
  readonly folder: string
  readonly variables: Readonly<Record<string, unknown>>
  readonly sources: readonly Source[]
  /** Each after those that it refers to. */
  readonly transforms: readonly Transform[]
  readonly macros: readonly Template[]
  readonly checks: readonly CheckDefinition[]
}

/** A table of the warehouse that is not made by a transform. */
export interface Source {
  /** The group's name, the first argument of `source()`. */
  readonly group: string
  /** The second argument of `source()`. */
  readonly name: string
  readonly schema: string
  readonly identifier: string
  readonly columns: readonly SourceColumn[]
  /** Null for a table that somebody else fills. */
  readonly capture: Capture | null
  readonly place: Place
}

export interface SourceColumn {
  readonly name: string
  /** As both engines know it, such as `numeric(18, 6)`; empty when the file does not say. */
  readonly type: string
  readonly place: Place
}

/** Where a source's rows come from and how its changes are known (`meta.plinth.capture`). Table names are qualified. */
export interface Capture {
  readonly table: string
  readonly marks: string
  readonly timeColumn: string
  readonly organizationColumn: string
  /** A function of the source that gives an organization's shard. */
  readonly shardFunction: string
  readonly shards: number
  /** Table of the warehouse that holds when each cell was last proved; null when the project keeps none. */
  readonly reconciledCells: string | null
  /** Table of the source in which each warehouse tells how far it has sealed; null where nothing can be sealed. */
  readonly seals: string | null
  /** Table of the source that lists what was dropped behind the seals; null where nothing is. */
  readonly retirements: string | null
  /** Function of the source that makes the partitions that will be needed; null where none are to be made. */
  readonly maintain: string | null
  /** Function of the source that drops what is sealed and past its retention; null where everything is kept. */
  readonly retire: string | null
}

export type Grain = 'hour' | 'day'

export interface Transform {
  readonly name: string
  readonly schema: string
  readonly template: Template
  readonly materialized: 'incremental' | 'table' | 'view'
  /** What is replaced as a whole; null for tables and views, which are made anew. */
  readonly cell: TransformCell | null
  /** Names of the transforms that it refers to. */
  readonly refs: readonly string[]
  /** Sources that it reads, as `group.name`. */
  readonly sources: readonly string[]
}

export interface TransformCell {
  readonly bucket: string
  readonly grain: Grain
  readonly shard: string
}

export type Severity = 'error' | 'warn'

/** A check answers the rows that are wrong. */
export interface CheckDefinition {
  readonly name: string
  readonly severity: Severity
  /** Failures at and below this number are let pass. */
  readonly tolerated: number
  /** The table or transform that it looks at, for people; null for a check of its own. */
  readonly subject: string | null
  /** Where it is declared in a properties file; null for a file of its own. */
  readonly declared: Place | null
  readonly template: Template
}

/** `group.name`, by which sources are told apart. */
export function sourceKey(source: { readonly group: string; readonly name: string }): string {
  return `${source.group}.${source.name}`
}

/** A source that is copied from another database. */
export type CapturedSource = Source & { readonly capture: Capture }

export function capturedSources(project: Project): CapturedSource[] {
  return project.sources.filter((source): source is CapturedSource => source.capture !== null)
}
