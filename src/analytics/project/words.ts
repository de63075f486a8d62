/** Every word that a template of an analytics project may use, with what it means where the template is compiled. */
import { strict, type TemplateFunction, type TemplateValue } from '../../sql/template.ts'
import type { CompileOptions, Names } from './names.ts'
import { crossDatabase } from './cross-database.ts'
import { quoted, refFunction, relation, relationOf, sourceFunction } from './references.ts'
import { mappingOf, textOf } from './shapes.ts'
import { configFunction, dispatchFunction, environmentFunction, momentValue, raise, varFunction } from './vocabulary.ts'

/** `used` collects the ephemeral transforms that the template refers to. */
export function wordsOf(names: Names, options: CompileOptions, used: Set<string>): Record<string, TemplateValue> {
  const { self, engine } = options
  const { surroundings, packageName } = names
  const builtIn = crossDatabase(engine)
  const moment = options.moment ?? surroundings.moment
  const ref = refFunction(names, options, used)
  const source = sourceFunction(names, options)
  const config = configFunction(settingsOf(names, options), options.observe)
  return {
    ...builtIn,
    dbt: builtIn,
    config,
    ref,
    source,
    builtins: { ref, source, config },
    var: varFunction({ ...names.variables, ...(options.changedCells ? { changed_cells: options.changedCells } : {}) }),
    env_var: environmentFunction(surroundings.environment),
    is_incremental: () => options.mode === 'cells',
    should_full_refresh: () => false,
    this: self ? relation(self.schema, self.name, options.quote) : null,
    target: strict('target', {
      name: surroundings.target,
      target_name: surroundings.target,
      profile_name: packageName,
      schema: surroundings.schema,
      type: engine,
      threads: 1,
    }),
    adapter: {
      dispatch: dispatchFunction(engine, builtIn),
      type: () => engine,
      quote: ([name]) => (options.quote ?? quoted)(textOf(name) ?? ''),
    },
    api: { Relation: { create: relationOf(options.quote) } },
    execute: true,
    flags: strict('flags', { FULL_REFRESH: false, STORE_FAILURES: false, WHICH: 'run' }),
    model: modelValue(names, options),
    project_name: packageName,
    dbt_version: '1.10.0',
    run_started_at: momentValue(moment),
    invocation_id: moment.runId,
    log: () => '',
    print: () => '',
    exceptions,
    doc: () => '',
  }
}

const fails: TemplateFunction = ([message]) => raise(textOf(message) ?? '')

const exceptions: TemplateValue = {
  raise_compiler_error: fails,
  raise_not_implemented: fails,
  raise_database_error: fails,
  warn: () => '',
}

function settingsOf(names: Names, { self }: CompileOptions): Readonly<Record<string, unknown>> {
  const known = self ? names.transforms.get(self.name) : undefined
  return { ...known?.config, ...(known?.materialized === undefined ? {} : { materialized: known.materialized }) }
}

function modelValue(names: Names, options: CompileOptions): TemplateValue {
  const { self } = options
  if (!self) return { name: null }
  const { packageName } = names
  const { path = `${self.name}.sql` } = names.transforms.get(self.name) ?? {}
  const settings = settingsOf(names, options)
  return strict('model', {
    name: self.name,
    alias: self.name,
    schema: self.schema,
    resource_type: 'model',
    unique_id: `model.${packageName}.${self.name}`,
    package_name: packageName,
    path: path.split('/').slice(1).join('/'),
    original_file_path: path,
    fqn: [packageName, ...path.split('/').slice(1, -1), self.name],
    config: settings as TemplateValue,
    meta: mappingOf(settings['meta']) as TemplateValue,
    tags: (settings['tags'] ?? []) as TemplateValue,
  })
}
