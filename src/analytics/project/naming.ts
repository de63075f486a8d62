/** Texts of YAML files that are templates themselves, and the schema that dbt's own macro or the project's puts something into. */
import { type Place, PlinthError } from '../../errors.ts'
import { parseTemplate } from '../../sql/template.ts'
import { compile, type Names } from './compile.ts'
import { textOf } from './shapes.ts'

/** Renders a setting when it is a template; everything else stays as it is. Throws TRANSFORM_INVALID at the setting. */
export async function renderSetting(value: unknown, names: Names, at: Place): Promise<unknown> {
  if (typeof value !== 'string' || !/\{[{%]/.test(value)) return value
  const rendered = (await renderText(value, names, at)).trim()
  return rendered === 'True' || rendered === 'true'
    ? true
    : rendered === 'False' || rendered === 'false'
      ? false
      : rendered
}

export async function renderText(text: string, names: Names, at: Place): Promise<string> {
  try {
    const template = parseTemplate({ file: at.file ?? '', source: text })
    return (
      await compile(template, names, {
        engine: names.surroundings.engine ?? 'duckdb',
        mode: 'whole',
        self: null,
        unanswered: 'parse',
      })
    ).sql
  } catch (error) {
    if (!(error instanceof PlinthError)) throw error
    throw new PlinthError(error.code, error.message, { at, hint: error.hint, cause: error })
  }
}

/** What a schema or a table is named for. */
export interface Node {
  readonly name: string
  readonly kind: 'model' | 'test' | 'seed' | 'snapshot'
  readonly path: string
  readonly tags: readonly string[]
  readonly config?: Readonly<Record<string, unknown>>
}

/**
 * The schema of a transform or of stored failures: what the project's macro `generate_schema_name` answers, else dbt's rule, the target's
 * schema with the setting behind it.
 */
export async function schemaOf(custom: unknown, node: Node, names: Names, at: Place): Promise<string> {
  const given = textOf(custom)?.trim() ?? null
  const base = names.surroundings.schema
  const answer = await namedBy('generate_schema_name', given, node, names, at)
  return answer ?? (given === null || given === '' ? base : `${base}_${given}`)
}

/** The name of a table: what the project's macro `generate_alias_name` answers, else its alias, else the name of its file. */
export async function tableNameOf(alias: unknown, node: Node, names: Names, at: Place): Promise<string> {
  const given = textOf(alias)?.trim() ?? null
  return (await namedBy('generate_alias_name', given, node, names, at)) ?? given ?? node.name
}

/** Null where the project has no such macro. */
async function namedBy(
  macro: string,
  given: string | null,
  node: Node,
  names: Names,
  at: Place,
): Promise<string | null> {
  if (!names.macros.some(({ macros }) => macros.includes(macro))) return null
  const { name, kind, path, tags, config = {} } = node
  const [base = name, version = null] = versionOf(name, names) ?? []
  const spelled = literal({
    name: base,
    resource_type: kind,
    path,
    original_file_path: path,
    tags,
    package_name: names.packageName,
    unique_id: `${kind}.${names.packageName}.${name}`,
    fqn: [names.packageName, ...path.split('/').slice(1, -1), name],
    version,
    config: { ...plainOf(config), schema: given },
  })
  return (await renderText(`{{ ${macro}(${literal(given)}, ${spelled}) }}`, names, at)).trim()
}

/** The name that versions share, and which of them this is; undefined for what has none. */
function versionOf(name: string, { versions }: Names): [string, string] | undefined {
  for (const [base, { names }] of versions) for (const [number, one] of names) if (one === name) return [base, number]
  return undefined
}

/** Settings that can be written down; texts that are templates themselves stay out. */
function plainOf(config: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => !key.endsWith('_hook')))
}

/** A value as templates write it. */
export function literal(value: unknown): string {
  if (value === null || value === undefined) return 'none'
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${literal(item)}`)
      .join(', ')}}`
  return JSON.stringify(value)
}
