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
    return (await compile(template, names, { engine: 'duckdb', mode: 'whole', self: null })).sql
  } catch (error) {
    if (!(error instanceof PlinthError)) throw error
    throw new PlinthError(error.code, error.message, { at, hint: error.hint, cause: error })
  }
}

/** What a schema is named for. */
export interface Node {
  readonly name: string
  readonly kind: 'model' | 'test'
  readonly path: string
  readonly tags: readonly string[]
}

/**
 * The schema of a transform or of stored failures: what the project's macro `generate_schema_name` answers, else dbt's rule, the target's
 * schema with the setting behind it.
 */
export async function schemaOf(custom: unknown, node: Node, names: Names, at: Place): Promise<string> {
  const given = textOf(custom)?.trim() ?? null
  const base = names.surroundings.schema
  const isOwn = names.macros.some(({ macros }) => macros.includes('generate_schema_name'))
  if (!isOwn) return given === null || given === '' ? base : `${base}_${given}`
  const spelled = literal({
    name: node.name,
    resource_type: node.kind,
    path: node.path,
    original_file_path: node.path,
    tags: node.tags,
    package_name: names.packageName,
    fqn: [names.packageName, ...node.path.split('/').slice(1, -1), node.name],
    config: { schema: given },
  })
  const answer = await renderText(`{{ generate_schema_name(${literal(given)}, ${spelled}) }}`, names, at)
  return answer.trim()
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
