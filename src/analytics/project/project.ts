/** An analytics project as plain data: sources to capture, transforms in the order of their dependencies, checks. */
import type { Place } from '../../errors.ts'
import type { Template } from '../../sql/template.ts'
import type { Member } from './packages.ts'
import type { AllVersions } from './versions.ts'

export interface Project {
  readonly name: string
  /** Absolute folder of `dbt_project.yml`. */
  readonly folder: string
  readonly variables: Readonly<Record<string, unknown>>
  readonly sources: readonly Source[]
  /** Each after those that it refers to. What an ephemeral one refers to, those refer to that use it. */
  readonly transforms: readonly Transform[]
  /** Transforms that are no table or view but a part of the queries that refer to them. */
  readonly ephemerals: readonly Transform[]
  /** Names of transforms that are switched off. */
  readonly disabled: readonly string[]
  /** Queries that are compiled and run by hand. */
  readonly analyses: readonly Analysis[]
  readonly macros: readonly Template[]
  /** Files of rows, which the run loads when they changed. */
  readonly seeds: readonly Seed[]
  /** Macros of installed packages by the package's name. */
  readonly packages: ReadonlyMap<string, readonly Template[]>
  /** What installed packages see otherwise, by name. */
  readonly members: ReadonlyMap<string, Member>
  /** What stands on the transforms elsewhere, such as dashboards. */
  readonly exposures: readonly Exposure[]
  /** Transforms that have versions, by the name that these share. */
  readonly versions: AllVersions
  /** Where macros of a namespace are looked for first. */
  readonly dispatch: ReadonlyMap<string, readonly string[]>
  /** Statements around every run, dbt's `on-run-start` and `on-run-end`. */
  readonly around: Hooks
  /** What the files say that nothing here acts on, for people. */
  readonly notes: readonly string[]
  readonly checks: readonly CheckDefinition[]
  readonly unitTests: readonly UnitTest[]
  readonly surroundings: Surroundings
}

/** What the same files may compile differently by. */
export interface Surroundings {
  /** The warehouse's engine, which takes the ways to add rows that dbt's adapter of it takes; default DuckDB. */
  readonly engine?: string | undefined
  /** The environment's name, dbt's `target.name`. */
  readonly target: string
  /** Schema of transforms that name none, dbt's `target.schema`. */
  readonly schema: string
  /** Name of the warehouse's database, dbt's `target.database`; undefined where no warehouse is known. */
  readonly database?: string | undefined
  /** What more `target` tells. */
  readonly values?: Readonly<Record<string, string>> | undefined
  /** For `env_var`. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly moment: Moment
}

/** When and in which run something is rendered. */
export interface Moment {
  /** ISO 8601. */
  readonly startedAt: string
  readonly runId: string
}

/** For what is compared from run to run. */
export const noMoment: Moment = {
  startedAt: '2000-01-01T00:00:00.000Z',
  runId: '00000000-0000-0000-0000-000000000000',
}

export interface Exposure {
  readonly name: string
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
  readonly path: string
  readonly description: string
  readonly tags: readonly string[]
  readonly refs: readonly string[]
  readonly sources: readonly string[]
}

export interface Analysis {
  readonly name: string
  readonly template: Template
  readonly path: string
  readonly refs: readonly string[]
  readonly sources: readonly string[]
  readonly description: string
  readonly tags: readonly string[]
}

/** A table of the warehouse that is not made by a transform. */
export interface Source {
  /** The group's name, the first argument of `source()`. */
  readonly group: string
  /** The second argument of `source()`. */
  readonly name: string
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
  readonly schema: string
  readonly identifier: string
  /** Another database of the warehouse; null for its own. */
  readonly database: string | null
  /** SQL of files that are read in the table's place, dbt-duckdb's `external_location`; null for a table. */
  readonly location: string | null
  readonly columns: readonly SourceColumn[]
  /** Null for a table that somebody else fills. */
  readonly capture: Capture | null
  /** Null where no freshness is asked for. */
  readonly freshness: Freshness | null
  readonly description: string
  readonly tags: readonly string[]
  /** The properties file, relative to the project. */
  readonly path: string
  readonly place: Place
}

/** How old a source's newest row may be. */
export interface Freshness {
  /** SQL of the time at which a row was loaded; null where a query says it. */
  readonly field: string | null
  /** SQL of a query that answers the newest such time; null where a field says it. */
  readonly query: string | null
  /** Condition on the rows that are looked at. */
  readonly filter: string | null
  readonly warnAfterMs: number | null
  readonly errorAfterMs: number | null
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

/** A file of rows in CSV. */
export interface Seed {
  readonly name: string
  readonly kind: 'seed'
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
  readonly schema: string
  readonly table: string
  /** Absolute. */
  readonly file: string
  /** Path within the project. */
  readonly path: string
  /** Properties file that describes it, within the project; undefined where none does. */
  readonly patchPath?: string | undefined
  /** Where it asks for grants; undefined where it does not. */
  readonly grantsPlace?: Place | undefined
  /** Of the file and of what says how it is read. */
  readonly digest: string
  readonly delimiter: string
  /** Types by column, for those that are not inferred. */
  readonly columnTypes: Readonly<Record<string, string>>
  /** Whether the word null is none in a column of text as well. */
  readonly nullWord: 'none' | 'text'
  readonly hooks: Hooks
  readonly tags: readonly string[]
  readonly description: string
  readonly config: Readonly<Record<string, unknown>>
  readonly columns: readonly Column[]
  readonly place: Place
}

/** Statements that run before and after something. */
export interface Hooks {
  readonly before: readonly Hook[]
  readonly after: readonly Hook[]
}

export interface Hook {
  readonly template: Template
  /** Whether it commits with what it stands around. */
  readonly transaction: 'inside' | 'outside'
}

/** How dbt adds rows to a table that is there. */
export interface Increment {
  readonly strategy: 'append' | 'merge' | 'delete+insert' | 'insert_overwrite'
  /** Expressions; none for rows that are only added. */
  readonly uniqueKey: readonly string[]
  readonly onSchemaChange: 'ignore' | 'fail' | 'append_new_columns' | 'sync_all_columns'
  readonly predicates: readonly string[]
  /** Columns that a merge updates; null for all. */
  readonly updated: readonly string[] | null
  readonly kept: readonly string[]
  /** Whether it is made anew whatever the run says; null leaves it to the run. */
  readonly fullRefresh: 'always' | 'never' | null
  /** Of `insert_overwrite`: expressions of the partitions that are replaced; none for those that new rows lie in. */
  readonly partitions: readonly string[]
}

/** How dbt keeps what rows were before. */
export interface Snapshot {
  readonly uniqueKey: readonly string[]
  /** Time of a row's last change; null where columns are compared instead. */
  readonly updatedAt: string | null
  /** Columns that are compared, or all; null where the time tells. */
  readonly checked: readonly string[] | 'all' | null
  readonly hardDeletes: 'ignore' | 'invalidate' | 'new_record'
  /** SQL of `dbt_valid_to` of what is valid now. */
  readonly validToCurrent: string
  /** Names of the columns that are added. */
  readonly names: SnapshotNames
}

export interface SnapshotNames {
  readonly dbt_scd_id: string
  readonly dbt_updated_at: string
  readonly dbt_valid_from: string
  readonly dbt_valid_to: string
  readonly dbt_is_deleted: string
}

export interface Transform {
  readonly name: string
  readonly kind: 'model' | 'snapshot'
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
  readonly schema: string
  /** Name of its table or view; that of the transform unless an alias says otherwise. */
  readonly table: string
  readonly template: Template
  readonly materialized: 'incremental' | 'table' | 'view' | 'snapshot'
  readonly hooks: Hooks
  /** Null unless it is incremental without cells. */
  readonly increment: Increment | null
  /** Null unless it is a snapshot. */
  readonly snapshot: Snapshot | null
  /** What is replaced as a whole; null for tables and views, which are made anew. */
  readonly cell: TransformCell | null
  /** Names of the transforms that it refers to. */
  readonly refs: readonly string[]
  /** Sources that it reads, as `group.name`. */
  readonly sources: readonly string[]
  /** The same as its file has them, with ephemeral transforms for what stands behind them. */
  readonly reads: { readonly refs: readonly string[]; readonly sources: readonly string[] }
  /** Path within the project. */
  readonly path: string
  /** Properties file that describes it, within the project; undefined where none does. */
  readonly patchPath?: string | undefined
  /** Where it asks for grants; undefined where it does not. */
  readonly grantsPlace?: Place | undefined
  readonly description: string
  readonly tags: readonly string[]
  /** Its settings as they stand after the project's, its properties' and its own were laid over each other. */
  readonly config: Readonly<Record<string, unknown>>
  /** What properties say of its columns. */
  readonly columns: readonly Column[]
  /** Null where none is enforced. */
  readonly contract: Contract | null
}

export interface Column {
  readonly name: string
  /** Empty when the file does not say. */
  readonly type: string
  readonly description: string
  readonly constraints: readonly Constraint[]
  readonly place: Place
}

/** The columns and types that a transform promises, all of them, and what holds for its rows. */
export interface Contract {
  readonly columns: readonly Column[]
  /** Those of several columns; those of one stand with it. */
  readonly constraints: readonly Constraint[]
  readonly place: Place
}

export interface Constraint {
  readonly type: 'not_null' | 'unique' | 'primary_key' | 'check' | 'foreign_key'
  readonly name: string | null
  readonly columns: readonly string[]
  /** Of a check, the condition; of a foreign key without `to`, what it references. */
  readonly expression: string | null
  /** Of a foreign key: the table, as `ref('x')` or `source('x', 'y')`, and its columns. */
  readonly to: string | null
  readonly toColumns: readonly string[]
  readonly place: Place
}

export interface TransformCell {
  readonly bucket: string
  readonly grain: Grain
  readonly shard: string
  /** Column by which its rows are those of one organization, made from rows of that organization alone; undefined where they are not. */
  readonly organization?: string | undefined
}

export type Severity = 'error' | 'warn'

/** A check answers the rows that are wrong. */
export interface CheckDefinition {
  readonly name: string
  /** What dbt calls it, by which it can be selected as well. */
  readonly dbtName: string
  /** The generic test, such as `not_null`; null for a file of its own. */
  readonly kind: string | null
  readonly severity: Severity
  /** Conditions on the number of failures, such as `> 10`. */
  readonly warnIf: string
  readonly errorIf: string
  /** An aggregate over the wrong rows; what it answers is the number of failures. */
  readonly failCalc: string
  /** At most so many wrong rows are looked at; null for all. */
  readonly limit: number | null
  /** Where the wrong rows are kept; null where they are not. */
  readonly store: StoredFailures | null
  /** The same, should the caller ask for it. */
  readonly storable: StoredFailures
  /** The table or transform that it looks at, for people; null for a check of its own. */
  readonly subject: string | null
  readonly column: string | null
  /** Where it is declared in a properties file; null for a file of its own. */
  readonly declared: Place | null
  readonly template: Template
  readonly path: string
  readonly tags: readonly string[]
  readonly config: Readonly<Record<string, unknown>>
  readonly refs: readonly string[]
  readonly sources: readonly string[]
}

/** A table or view in the warehouse that holds the rows that failed a check. */
export interface StoredFailures {
  readonly schema: string
  readonly name: string
  readonly as: 'table' | 'view'
}

/** Rows that a transform is given and rows that it must answer for them. */
export interface UnitTest {
  readonly name: string
  readonly transform: string
  readonly description: string
  readonly tags: readonly string[]
  readonly given: readonly Given[]
  readonly expected: GivenRows
  readonly overrides: {
    readonly macros: Readonly<Record<string, unknown>>
    readonly variables: Readonly<Record<string, unknown>>
    readonly environment: Readonly<Record<string, string>>
  }
  readonly path: string
  readonly place: Place
}

export interface Given {
  /** A transform's name, a source's `group.name`, or `this`: what stands in the table before. */
  readonly input: { readonly kind: 'ref' | 'source' | 'this'; readonly name: string }
  readonly rows: GivenRows
  readonly place: Place
}

/** Rows as values, or a query that answers them. */
export type GivenRows =
  | { readonly kind: 'values'; readonly rows: readonly Readonly<Record<string, unknown>>[]; readonly place: Place }
  | { readonly kind: 'query'; readonly query: string; readonly place: Place }

/** `group.name`, by which sources are told apart. */
export function sourceKey(source: { readonly group: string; readonly name: string }): string {
  return `${source.group}.${source.name}`
}

/** A source that is copied from another database. */
export type CapturedSource = Source & { readonly capture: Capture }

export function capturedSources(project: Pick<Project, 'sources'>): CapturedSource[] {
  return project.sources.filter((source): source is CapturedSource => source.capture !== null)
}
