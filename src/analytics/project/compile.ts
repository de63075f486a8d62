/** What dbt's words mean: renders a transform, check or macro of a project into the SQL of an engine. */
import { nearest, type Place, PlinthError } from '../../errors.ts'
import {
  type Relation,
  type Rendered,
  renderTemplate,
  type Template,
  type TemplateFunction,
  type TemplateValue,
} from '../../sql/template.ts'
import { crossDatabase } from './cross-database.ts'
import { unknownTransform } from './graph.ts'
import { type Grain, type Moment, type Project, sourceKey, type Surroundings } from './project.ts'
import { textOf } from './shapes.ts'
import { dispatchFunction, environmentFunction, momentValue, raise, refusedWords, varFunction } from './vocabulary.ts'

/** What names resolve to. */
export interface Names {
  readonly macros: readonly Template[]
  readonly variables: Readonly<Record<string, unknown>>
  readonly transforms: ReadonlyMap<string, { readonly schema: string; readonly name: string }>
  readonly sources: ReadonlyMap<string, { readonly schema: string; readonly identifier: string }>
  /** Transforms that are a part of the queries that refer to them, by name. */
  readonly ephemerals: ReadonlyMap<string, Template>
  /** Transforms that are switched off, which nothing may refer to. */
  readonly disabled: ReadonlySet<string>
  readonly packageName: string
  readonly surroundings: Surroundings
}

/** What the names of a project mean. */
export function namesOf(project: Omit<Project, 'checks' | 'unitTests' | 'analyses'>): Names {
  return {
    macros: project.macros,
    variables: project.variables,
    transforms: new Map(project.transforms.map(transform => [transform.name, transform])),
    sources: new Map(project.sources.map(source => [sourceKey(source), source])),
    ephemerals: new Map(project.ephemerals.map(({ name, template }) => [name, template])),
    disabled: new Set(project.disabled),
    packageName: project.name,
    surroundings: project.surroundings,
  }
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

/** Renders a template of the project. Throws TRANSFORM_INVALID with file and line. */
export async function compile(template: Template, names: Names, options: CompileOptions): Promise<Rendered> {
  const used = new Set<string>()
  const rendered = render(template, names, options, used)
  return used.size === 0 ? rendered : withEphemerals(rendered, names, options, used)
}

function render(template: Template, names: Names, options: CompileOptions, used: Set<string>): Rendered {
  return renderTemplate(template, {
    macros: names.macros,
    values: vocabulary(names, options, used),
    namespaces: [names.packageName],
    overrides: options.overrides ?? {},
    refused: refusedWords,
  })
}

/** Puts the queries of ephemeral transforms before the query, each after those that it refers to; a line still knows its file. */
async function withEphemerals(
  body: Rendered,
  names: Names,
  options: CompileOptions,
  used: ReadonlySet<string>,
): Promise<Rendered> {
  const parts = new Map<string, Rendered>()
  const add = async (name: string): Promise<void> => {
    const template = names.ephemerals.get(name)
    if (parts.has(name) || !template) return
    const inner = new Set<string>()
    const { observe: _, ...rest } = options
    const rendered = render(template, names, { ...rest, mode: 'whole', self: { schema: '', name } }, inner)
    for (const other of inner) await add(other)
    parts.set(name, rendered)
  }
  for (const name of used) await add(name)
  const lines: string[] = []
  const places: ((line: number) => Place)[] = []
  const push = (text: string, place: (line: number) => Place) => {
    for (const [index, line] of text.split('\n').entries()) {
      lines.push(line)
      places.push(() => place(index + 1))
    }
  }
  for (const [index, [name, rendered]] of [...parts].entries()) {
    push(`${index === 0 ? 'with ' : ''}${ephemeralName(name)} as (`, () => rendered.place(1))
    push(rendered.sql, rendered.place)
    push(index === parts.size - 1 ? ')' : '),', () => rendered.place(1))
  }
  push('select * from (', () => body.place(1))
  push(body.sql, body.place)
  push(') as result', () => body.place(1))
  return { sql: lines.join('\n'), place: line => (places[Math.min(line, places.length) - 1] ?? body.place)(line) }
}

function ephemeralName(name: string): string {
  return `__dbt__cte__${name}`
}

function vocabulary(names: Names, options: CompileOptions, used: Set<string>): Record<string, TemplateValue> {
  const { observe, self, engine } = options
  const { surroundings } = names
  const builtIn = crossDatabase(engine)
  const target = {
    name: surroundings.target,
    profile_name: names.packageName,
    schema: surroundings.schema,
    type: engine,
    threads: 1,
  }
  const moment = options.moment ?? surroundings.moment
  return {
    ...builtIn,
    dbt: builtIn,
    config: configFunction(observe),
    ref: refFunction(names, options, used),
    source: sourceFunction(names, options),
    var: varFunction({ ...names.variables, ...(options.changedCells ? { changed_cells: options.changedCells } : {}) }),
    env_var: environmentFunction(surroundings.environment),
    is_incremental: () => options.mode === 'cells',
    should_full_refresh: () => false,
    this: self ? relation(self.schema, self.name, options.quote) : null,
    target,
    adapter: {
      dispatch: dispatchFunction(engine, builtIn),
      type: () => engine,
      quote: ([name]) => (options.quote ?? doubleQuoted)(textOf(name) ?? ''),
    },
    api: { Relation: null },
    execute: true,
    flags: { FULL_REFRESH: false, STORE_FAILURES: false, WHICH: 'run' },
    model: self
      ? {
          name: self.name,
          alias: self.name,
          schema: self.schema,
          unique_id: `model.${names.packageName}.${self.name}`,
          package_name: names.packageName,
        }
      : { name: null },
    project_name: names.packageName,
    dbt_version: '1.10.0',
    run_started_at: momentValue(moment),
    invocation_id: moment.runId,
    log: () => '',
    print: () => '',
    exceptions: {
      raise_compiler_error: ([message]) => raise(textOf(message) ?? ''),
      warn: () => '',
    },
    doc: () => '',
    fromjson: ([text]) => JSON.parse(textOf(text) ?? 'null') as TemplateValue,
  }
}

function doubleQuoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function relation(schema: string, identifier: string, quote = (name: string) => `"${name}"`): Relation {
  return { kind: 'relation', schema, identifier, text: `${quote(schema)}.${quote(identifier)}` }
}

function refFunction(names: Names, { observe, quote }: CompileOptions, used: Set<string>): TemplateFunction {
  return (positional, named) => {
    const name = textOf(positional.at(-1)) ?? ''
    if ('v' in named || 'version' in named) raise(`ref('${name}', v=…) asks for a version, and transforms have none.`)
    // With two arguments the first is the package, which can only be the project itself.
    const packageName = positional.length > 1 ? textOf(positional[0]) : names.packageName
    if (packageName !== names.packageName)
      raise(`ref('${packageName}', '${name}') refers to another package, and there is only "${names.packageName}".`)
    observe?.ref?.(name)
    if (names.disabled.has(name)) raise(`The transform "${name}" is switched off (enabled: false).`)
    if (names.ephemerals.has(name)) {
      used.add(name)
      return { kind: 'relation', schema: '', identifier: ephemeralName(name), text: ephemeralName(name) }
    }
    const found = names.transforms.get(name)
    if (!found) throw unknownTransform(name, undefined, [...names.transforms.keys()])
    return relation(found.schema, found.name, quote)
  }
}

function sourceFunction(names: Names, { observe, quote, instead }: CompileOptions): TemplateFunction {
  return ([group, name]) => {
    const key = `${String(group)}.${String(name)}`
    observe?.source?.(key)
    const found = names.sources.get(key)
    const part = instead?.get(key)
    if (found && part !== undefined)
      return { kind: 'relation', schema: found.schema, identifier: found.identifier, text: `(${part})` }
    if (found) return relation(found.schema, found.identifier, quote)
    const guess = nearest(key, [...names.sources.keys()])?.split('.')
    throw new PlinthError('TRANSFORM_INVALID', `There is no source "${String(group)}"."${String(name)}".`, {
      hint: guess
        ? `Did you mean source('${guess[0]}', '${guess[1]}')?`
        : `Known sources: ${[...names.sources.keys()].join(', ') || 'none'}.`,
    })
  }
}

/** dbt also lets `config` be read, by `config.get`, which is for materializations; transforms only say it. */
function configFunction(observe: Observer | undefined): TemplateFunction {
  return (positional, named, { place }) => {
    const first = positional[0]
    observe?.config?.({ ...(typeof first === 'object' && first !== null ? first : {}), ...named }, place)
    return ''
  }
}
