/** What dbt's words mean: renders a transform, check or macro of a project into the SQL of an engine. */
import { nearest, PlinthError } from '../errors.ts'
import {
  type CallContext,
  type Relation,
  type Rendered,
  renderTemplate,
  type Template,
  type TemplateFunction,
  type TemplateValue,
} from '../sql/template.ts'
import { unknownTransform } from './graph.ts'
import { type Grain, type Project, sourceKey } from './project.ts'
import { textOf } from './shapes.ts'

/** What names resolve to. */
export interface Names {
  readonly macros: readonly Template[]
  readonly variables: Readonly<Record<string, unknown>>
  readonly transforms: ReadonlyMap<string, { readonly schema: string; readonly name: string }>
  readonly sources: ReadonlyMap<string, { readonly schema: string; readonly identifier: string }>
}

/** What the names of a project mean. */
export function namesOf(project: Omit<Project, 'checks'>): Names {
  return {
    macros: project.macros,
    variables: project.variables,
    transforms: new Map(project.transforms.map(transform => [transform.name, transform])),
    sources: new Map(project.sources.map(source => [sourceKey(source), source])),
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
  /** Told of every use, so that loading can learn the dependencies. */
  readonly observe?: Observer
}

export interface Observer {
  ref?(name: string): void
  source?(key: string): void
  config?(values: Readonly<Record<string, unknown>>): void
}

/** Renders a template of the project. Throws TRANSFORM_INVALID with file and line. */
export async function compile(template: Template, names: Names, options: CompileOptions): Promise<Rendered> {
  return renderTemplate(template, { macros: names.macros, values: vocabulary(names, options) })
}

function vocabulary(names: Names, options: CompileOptions): Record<string, TemplateValue> {
  const { observe, self } = options
  const config = configFunction(observe)
  return {
    config,
    ref: refFunction(names, options),
    source: sourceFunction(names, options),
    var: varFunction({ ...names.variables, ...(options.changedCells ? { changed_cells: options.changedCells } : {}) }),
    is_incremental: () => options.mode === 'cells',
    this: self ? relation(self.schema, self.name, options.quote) : null,
    target: { name: 'plinth', type: options.engine, schema: self?.schema ?? 'analytics' },
    adapter: { dispatch: dispatchFunction(options.engine), type: () => options.engine },
    return: ([value]) => value as TemplateValue,
    execute: true,
    model: { name: self?.name ?? null },
    exceptions: { raise_compiler_error: ([message]) => raise(String(message)) },
    env_var: () => raise('env_var is not available in transforms: what runs must not depend on who runs it.'),
  }
}

export function relation(schema: string, identifier: string, quote = (name: string) => `"${name}"`): Relation {
  return { kind: 'relation', schema, identifier, text: `${quote(schema)}.${quote(identifier)}` }
}

function refFunction(names: Names, { observe, quote }: CompileOptions): TemplateFunction {
  return positional => {
    // With two arguments the first is the package, which here is always the project itself.
    const name = textOf(positional.at(-1)) ?? ''
    observe?.ref?.(name)
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

/** dbt also lets `config` be read, by `config.get`, which here answers what the call itself gave: nothing. */
function configFunction(observe: Observer | undefined): TemplateFunction {
  return (positional, named) => {
    const first = positional[0]
    observe?.config?.({ ...(typeof first === 'object' && first !== null ? first : {}), ...named })
    return ''
  }
}

function varFunction(variables: Readonly<Record<string, unknown>>): TemplateFunction {
  return (positional, named) => {
    const name = textOf(positional[0]) ?? ''
    if (name in variables) return (variables[name] ?? null) as TemplateValue
    if (positional.length > 1) return positional[1] as TemplateValue
    if ('default' in named) return named['default'] as TemplateValue
    const guess = nearest(name, Object.keys(variables))
    throw new PlinthError('TRANSFORM_INVALID', `The variable "${name}" is not set and has no default.`, {
      hint: guess ? `Did you mean var('${guess}')?` : 'Add it to vars in dbt_project.yml, or give a default.',
    })
  }
}

/** The engine's own macro where there is one, else the default. */
function dispatchFunction(engine: string): TemplateFunction {
  return ([name], _named, context: CallContext) => {
    const found = context.callable(`${engine}__${String(name)}`) ?? context.callable(`default__${String(name)}`)
    if (found !== undefined) return found
    return raise(`No macro "${engine}__${String(name)}" or "default__${String(name)}" exists.`)
  }
}

function raise(message: string): never {
  throw new PlinthError('TRANSFORM_INVALID', message)
}
