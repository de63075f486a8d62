/** What templates are compiled with. */
import type { Session } from '../../engines/engine.ts'
import type { Place } from '../../errors.ts'
import type { Template, TemplateValue } from '../../sql/template.ts'
import type { Unanswered } from './asking.ts'
import type { Member } from './packages.ts'
import type { AllVersions } from './versions.ts'
import type { Grain, Moment, Surroundings } from './project.ts'

/** A transform by its name: its settings are known once all were read. */
export interface Known {
  readonly schema: string
  readonly name: string
  /** The installed package that it is of; undefined for the project itself. */
  readonly owner?: string | undefined
  /** The table's name, where it is not that of the transform. */
  readonly table?: string
  readonly kind?: 'model' | 'seed' | 'snapshot'
  /** Of the file of a seed. */
  readonly digest?: string
  readonly refs?: readonly string[]
  readonly sources?: readonly string[]
  readonly tags?: readonly string[]
  readonly columns?: readonly { readonly name: string; readonly type: string; readonly description: string }[]
  readonly description?: string
  readonly path?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly materialized?: string
}

/** Where a source is. */
export interface KnownSource {
  readonly schema: string
  readonly identifier: string
  /** Another database of the warehouse; null or left out for its own. */
  readonly database?: string | null
  /** SQL of files that are read in the table's place. */
  readonly location?: string | null
}

/** What names resolve to. */
export interface Names {
  readonly macros: readonly Template[]
  /** Macros of installed packages by the package's name. */
  readonly packages: ReadonlyMap<string, readonly Template[]>
  /** Where macros of a namespace are looked for first, by `dispatch` of the project. */
  readonly dispatch: ReadonlyMap<string, readonly string[]>
  readonly variables: Readonly<Record<string, unknown>>
  readonly transforms: ReadonlyMap<string, Known>
  readonly sources: ReadonlyMap<string, KnownSource>
  /** Transforms that are a part of the queries that refer to them, by name. */
  readonly ephemerals: ReadonlyMap<string, Template>
  /** Transforms that are switched off, which nothing may refer to. */
  readonly disabled: ReadonlySet<string>
  /** Transforms that have versions, by the name that these share. */
  readonly versions: AllVersions
  /** Whose words these are: the project, or a package that it has installed. */
  readonly packageName: string
  /** What the words of a package are, by its name; empty within one. */
  readonly members: ReadonlyMap<string, Member>
  readonly surroundings: Surroundings
  /** The project's name, where these are the words of a package. */
  readonly project?: string
}

/** The names as templates of a package know them: its own macros come before those of the project, which are there as well. */
export function namesIn(names: Names, owner: string | undefined): Names {
  const member = owner === undefined || owner === names.packageName ? undefined : names.members.get(owner)
  if (owner === undefined || !member) return names
  const known = views.get(names) ?? new Map<string, Names>()
  views.set(names, known)
  const view = known.get(owner) ?? {
    ...names,
    macros: [...names.macros, ...member.macros],
    packages: new Map([...names.packages, [names.packageName, names.macros]]),
    variables: member.variables,
    packageName: owner,
    project: names.packageName,
    members: new Map(),
  }
  known.set(owner, view)
  return view
}

const views = new WeakMap<Names, Map<string, Names>>()

/**
 * Cells of one grain that changed. Bounds are SQL literals; `relation` lists `bucket` and `shard`, or is null when all between them did.
 * `organizations` is the same relation where it has an `organization` as well, and nothing changed for any other.
 */
export interface ChangedCells {
  readonly relation: string | null
  readonly organizations?: string | null
  readonly from: string
  readonly until: string
}

export interface CompileOptions {
  readonly engine: string
  /** Quotes a name as the engine does; default double quotes. */
  readonly quote?: ((name: string) => string) | undefined
  /** `whole` computes everything, `cells` what changed, `increment` what is to be added to the table that is there. */
  readonly mode: 'whole' | 'cells' | 'increment'
  readonly changedCells?: Readonly<Record<Grain, ChangedCells>>
  /** What `this` is; null for checks. */
  readonly self: { readonly schema: string; readonly name: string; readonly table?: string } | null
  /** Whom templates ask by run_query and the like. */
  readonly session?: Session | undefined
  /** What a question means where there is no session; default an error. */
  readonly unanswered?: Unanswered
  /** A run that makes everything anew, dbt's `--full-refresh`. */
  readonly refresh?: 'full' | 'as needed'
  /** More words, such as the results that on-run-end is told. */
  readonly words?: Readonly<Record<string, TemplateValue>>
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
