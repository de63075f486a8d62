/** Every word that a template of an analytics project may use, with what it means where the template is compiled. */
import { type Place, PlinthError } from '../../errors.ts'
import {
  parseTemplate,
  type RenderScope,
  renderTemplate,
  strict,
  type TemplateFunction,
  type TemplateValue,
} from '../../sql/template.ts'
import { type Ask, needsWarehouse } from './asking.ts'
import type { CompileOptions, Names } from './names.ts'
import { crossDatabase } from './cross-database.ts'
import { itertoolsModule } from './iterations.ts'
import { datetimeModule, momentValue, pytzModule } from './moments.ts'
import { nodeValue, nodeValues } from './node-values.ts'
import { quoted, refFunction, relation, relationOf, sourceFunction } from './references.ts'
import { regexModule } from './regular-expressions.ts'
import { textOf } from './shapes.ts'
import {
  configFunction,
  dispatchFunction,
  environmentFunction,
  raise,
  refusedWords,
  varFunction,
} from './vocabulary.ts'
import { warehouseWords } from './warehouse-words.ts'

/** What a template of the project is rendered with. */
export function scopeOf(names: Names, options: CompileOptions, used: Set<string>, ask: Ask | null): RenderScope {
  return {
    macros: names.macros,
    packages: names.packages,
    values: wordsOf(names, options, used, ask),
    namespaces: [names.packageName],
    overrides: options.overrides ?? {},
    refused: refusedWords,
  }
}

/** `used` collects the ephemeral transforms that the template refers to; `ask` is null while a project is read. */
function wordsOf(
  names: Names,
  options: CompileOptions,
  used: Set<string>,
  ask: Ask | null,
): Record<string, TemplateValue> {
  const { self, engine, quote = quoted } = options
  const { surroundings, packageName } = names
  const projectName = names.project ?? packageName
  const { database } = surroundings
  const asking = warehouseWords({
    ask,
    quote,
    relation: (schema, identifier, type) => relation(schema, identifier, { quote, database, type }),
  })
  const rendered = (source: string, { file = '' }: Place, whose: Names): string => {
    try {
      return renderTemplate(parseTemplate({ file, source }), scopeOf(whose, options, used, ask)).sql
    } catch (error) {
      if (!(error instanceof PlinthError) || needsWarehouse(error)) throw error
      // Its lines are those of the text, so that the place is that of the call.
      throw new PlinthError(error.code, `In ${source.trim()}: ${error.message}`, { hint: error.hint, cause: error })
    }
  }
  const builtIn = { ...crossDatabase(engine), ...asking.macros, ...naming(names) }
  const moment = options.moment ?? surroundings.moment
  const ref = refFunction(names, options, used)
  const source = sourceFunction(names, options)
  const config = configFunction(settingsOf(names, options), options.observe)
  const isFull = options.refresh === 'full'
  return {
    ...builtIn,
    dbt: builtIn,
    config,
    ref,
    source,
    builtins: { ref, source, config },
    var: varFunction(
      { ...names.variables, ...(options.changedCells ? { changed_cells: options.changedCells } : {}) },
      (text, name, { place }) => {
        // It cannot mean itself.
        const { [name]: _, ...variables } = names.variables
        return rendered(text, place, { ...names, variables })
      },
    ),
    render: ([text], _, { place }) => rendered(textOf(text) ?? '', place, names),
    env_var: environmentFunction(surroundings.environment),
    is_incremental: () => options.mode !== 'whole',
    should_full_refresh: () => isFull,
    should_store_failures: () => false,
    this: self ? relation(self.schema, self.table ?? self.name, { quote, database }) : null,
    schema: self?.schema ?? surroundings.schema,
    database: database ?? null,
    target: strict('target', targetOf(names, engine)),
    adapter: {
      ...asking.adapter,
      dispatch: dispatchFunction(engine, builtIn, names),
      type: () => engine,
      quote: ([name]) => quote(textOf(name) ?? ''),
      quote_as_configured: ([name]) => quote(textOf(name) ?? ''),
    },
    api: {
      Relation: { create: relationOf(quote, database) },
      Column: {
        translate_type: ([type]) => (textOf(type)?.toLowerCase() === 'string' ? 'TEXT' : (textOf(type) ?? '')),
        numeric_type: ([type, precision, scale]) =>
          `${textOf(type) ?? 'numeric'}(${textOf(precision) ?? '28'},${textOf(scale) ?? '6'})`,
        string_type: () => 'varchar',
      },
    },
    execute: ask !== null,
    flags: strict('flags', { FULL_REFRESH: isFull, STORE_FAILURES: false, WHICH: 'run', EMPTY: false }),
    model: self ? nodeValue(names, self) : { name: null },
    graph: { nodes: ask ? nodeValues(names) : {}, sources: {}, exposures: {}, metrics: {}, groups: {} },
    project_name: projectName,
    dbt_version: '1.10.0',
    run_started_at: momentValue(moment),
    modules: strict('modules', {
      datetime: datetimeModule(moment),
      pytz: pytzModule(),
      re: regexModule(),
      itertools: itertoolsModule(),
    }),
    invocation_id: moment.runId,
    log: () => '',
    print: () => '',
    exceptions,
    doc: () => '',
    ...options.words,
  }
}

function targetOf({ surroundings, packageName, project }: Names, engine: string): Record<string, TemplateValue> {
  const { target, schema, database, values } = surroundings
  return {
    ...values,
    name: target,
    target_name: target,
    profile_name: project ?? packageName,
    schema,
    dataset: schema,
    type: engine,
    threads: 1,
    ...(database === undefined ? {} : { database, dbname: database, project: database }),
  }
}

/** dbt's own macros that name things, which a project's are written over and may call. */
function naming({ surroundings }: Names): Record<string, TemplateFunction> {
  const schemaName: TemplateFunction = ([given]) => {
    const custom = textOf(given)?.trim() ?? ''
    return custom === '' ? surroundings.schema : `${surroundings.schema}_${custom}`
  }
  const aliasName: TemplateFunction = ([given, node]) =>
    textOf(given)?.trim() ?? textOf((node as { readonly name?: unknown } | undefined)?.name) ?? ''
  const ofEnvironment: TemplateFunction = ([given]) =>
    surroundings.target === 'prod' ? (textOf(given)?.trim() ?? surroundings.schema) : surroundings.schema
  return {
    generate_schema_name: schemaName,
    default__generate_schema_name: schemaName,
    generate_schema_name_for_env: ofEnvironment,
    generate_alias_name: aliasName,
    default__generate_alias_name: aliasName,
    generate_database_name: () => surroundings.database ?? '',
  }
}

const fails: TemplateFunction = ([message]) => raise(textOf(message) ?? '')

const exceptions: TemplateValue = {
  raise_compiler_error: fails,
  raise_not_implemented: fails,
  raise_database_error: fails,
  raise_contract_error: fails,
  warn: () => '',
}

function settingsOf(names: Names, { self }: CompileOptions): Readonly<Record<string, unknown>> {
  const known = self ? names.transforms.get(self.name) : undefined
  return { ...known?.config, ...(known?.materialized === undefined ? {} : { materialized: known.materialized }) }
}
