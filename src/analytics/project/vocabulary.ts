/** dbt's words that do not depend on the graph: variables, the environment, dispatch, and what is refused with its reason. */
import { nearest, PlinthError } from '../../errors.ts'
import type { CallContext, TemplateFunction, TemplateValue } from '../../sql/template.ts'
import type { Names, Observer } from './names.ts'
import { mappingOf, textOf, wordsOf } from './shapes.ts'

/** `render` is given what a variable says that is a template itself, with the variable's name. */
export function varFunction(
  variables: Readonly<Record<string, unknown>>,
  render: (text: string, name: string, context: CallContext) => string,
): TemplateFunction {
  const answer: TemplateFunction = (positional, named, context) => {
    const name = textOf(positional[0]) ?? ''
    const value = variables[name]
    if (typeof value === 'string' && /\{[{%]/.test(value)) return render(value, name, context)
    if (name in variables) return (value ?? null) as TemplateValue
    if (positional.length > 1) return positional[1] as TemplateValue
    if ('default' in named) return named['default'] as TemplateValue
    const guess = nearest(name, Object.keys(variables))
    throw new PlinthError('TRANSFORM_INVALID', `The variable "${name}" is not set and has no default.`, {
      hint: guess ? `Did you mean var('${guess}')?` : 'Add it to vars in dbt_project.yml, or give a default.',
    })
  }
  return Object.assign(answer, { has_var: ([name]: readonly unknown[]) => (textOf(name) ?? '') in variables })
}

/**
 * Says settings, and by `config.get` and `config.require` reads them: what the project's files say, and what the template itself said before.
 */
export function configFunction(
  settings: Readonly<Record<string, unknown>>,
  observe: Observer | undefined,
): TemplateFunction {
  let said = settings
  const say: TemplateFunction = (positional, named, { place }) => {
    const values = { ...mappingOf(positional[0]), ...named }
    said = { ...values, ...said }
    observe?.config?.(values, place)
    return ''
  }
  const valueOf = (given: unknown, from: Readonly<Record<string, unknown>>) =>
    from[textOf(given) ?? ''] as TemplateValue | undefined
  const get: TemplateFunction = ([name, fallback], named) =>
    valueOf(name, said) ?? ((fallback ?? named['default'] ?? null) as TemplateValue)
  const require: TemplateFunction = ([name]) =>
    valueOf(name, said) ?? raise(`The setting "${textOf(name) ?? ''}" is required and nobody set it.`)
  const metaGet: TemplateFunction = ([name, fallback], named) =>
    valueOf(name, mappingOf(said['meta'])) ?? ((fallback ?? named['default'] ?? null) as TemplateValue)
  return Object.assign(say, { get, require, meta_get: metaGet })
}

/** What is compiled is printed, stored and compared, so that a secret must not get into it. */
export function environmentFunction(environment: Readonly<Record<string, string | undefined>>): TemplateFunction {
  return ([given, fallback]) => {
    const name = textOf(given) ?? ''
    if (/SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIAL|PRIVATE|DATABASE_URL|WAREHOUSE_URL/i.test(name)) {
      throw new PlinthError('TRANSFORM_INVALID', `env_var('${name}') would put a secret into compiled SQL.`, {
        hint: 'Compiled SQL is printed and stored. Use another name for what is no secret.',
      })
    }
    const value = environment[name] ?? fallback
    if (value !== undefined && value !== null) return textOf(value) ?? ''
    throw new PlinthError('TRANSFORM_INVALID', `The environment variable ${name} is not set and has no default.`, {
      hint: `Set it, or write env_var('${name}', 'default').`,
    })
  }
}

/**
 * The engine's own macro where there is one, else the default: of the packages in the project's order for that namespace, else of the project
 * itself and then of the package. Without a namespace, of the project; what nobody defines is dbt's.
 */
export function dispatchFunction(
  engine: string,
  builtIn: Readonly<Record<string, TemplateFunction>>,
  { packageName, project = packageName, dispatch }: Pick<Names, 'packageName' | 'project' | 'dispatch'>,
): TemplateFunction {
  return (positional, named, context: CallContext) => {
    const name = textOf(positional[0] ?? named['macro_name']) ?? ''
    const namespace = textOf(positional[1] ?? named['macro_namespace'])
    // Older macros list the packages themselves.
    const given = [...new Set([packageName, project]), ...wordsOf(named['packages'] ?? positional[1])]
    const owners = namespace === undefined ? given : (dispatch.get(namespace) ?? [project, namespace])
    for (const owner of owners)
      for (const prefix of [engine, 'default']) {
        const found = context.callable(`${prefix}__${name}`, owner === packageName ? undefined : owner)
        if (found !== undefined) return found
      }
    const own = builtIn[name]
    if (own !== undefined) return own
    const of = namespace === undefined ? '' : ` of "${namespace}"`
    return raise(`No macro "${engine}__${name}" or "default__${name}"${of} exists.`)
  }
}

export function raise(message: string): never {
  throw new PlinthError('TRANSFORM_INVALID', message)
}

/** Names that dbt has and that are left out, with the reason. */
export const refusedWords: Readonly<Record<string, string>> = {
  fromyaml: 'YAML is not read by templates. Write fromjson(…), or the mapping itself.',
  toyaml: 'YAML is not written by templates. Write tojson(…).',
  submit_python_job: 'Python is not run here. Write the model in SQL.',
  context: 'The whole context is no value here. Call what it holds by its own name.',
  ...Object.fromEntries(
    ['dbt_utils', 'dbt_expectations', 'dbt_date', 'codegen', 'audit_helper', 'elementary', 'dbt_project_evaluator'].map(
      name => [
        name,
        'This package is not installed: name it in packages.yml and run `dbt deps`, which puts it into dbt_packages.',
      ],
    ),
  ),
}
