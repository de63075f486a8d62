/** Checks out of properties files and out of files of their own, each rendered once, so that an unknown name is found before anything runs. */
import { basename } from 'node:path'
import { type Place, PlinthError } from '../../errors.ts'
import { parseTemplate } from '../../sql/template.ts'
import type { Names } from './compile.ts'
import { type Layer, layered, type Settings, treeLayers } from './configs.ts'
import { isEnabled } from './describe.ts'
import { observed } from './observe.ts'
import { contractChecks, type Declaration } from '../check/contract-checks.ts'
import { entryOf, genericTemplate } from './generic.ts'
import { checkConfig } from './keys.ts'
import { dbtTestName } from './test-names.ts'
import { renderSetting, schemaOf } from './naming.ts'
import type { CheckDefinition, Transform } from './project.ts'
import type { TemplateAt } from './files.ts'
import type { Part } from './members.ts'
import { namesIn } from './names.ts'
import { conditionOf, severityOf } from './severity.ts'
import { isYes, mappingOf, type PropertiesFile, textOf, wordsOf } from './shapes.ts'

export interface Checking extends Pick<Part, 'where' | 'settings' | 'outer' | 'properties'> {
  readonly names: Names
  readonly disabled: ReadonlySet<string>
}

/** Throws TRANSFORM_INVALID for tests that are not known or lack an argument, and for what they name. */
export async function describeChecks(
  parts: readonly Part[],
  { names, disabled }: Pick<Checking, 'names' | 'disabled'>,
  transforms: readonly Transform[],
): Promise<CheckDefinition[]> {
  const checks: CheckDefinition[] = []
  const add = (check: CheckDefinition | null) => {
    if (check) checks.push({ ...check, name: freeName(check.name, checks) })
  }
  for (const part of parts) {
    const { owner } = part.where
    const checking = { ...part, names: namesIn(names, owner), disabled }
    const own = testNames(checking.names)
    for (const declared of part.properties.flatMap(file => declarations(file, disabled)))
      add(await genericCheck(declared, own, checking))
    const looksAt = (subject: string, column: string) =>
      checks.some(check => check.kind === 'not_null' && check.subject === subject && check.column === column)
    const ofPart = transforms.filter(transform => transform.owner === owner)
    for (const declared of ofPart.flatMap(transform => contractChecks(transform, looksAt)))
      add(await genericCheck(declared, own, checking))
    for (const template of part.singular) add(await singularCheck(template, checking))
  }
  return checks.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function testNames({ macros, packages }: Names): ReadonlySet<string> {
  return new Set([
    ...testsOf(macros),
    ...[...packages].flatMap(([name, templates]) => testsOf(templates).map(test => `${name}.${test}`)),
  ])
}

function testsOf(templates: Names['macros']): string[] {
  return templates.flatMap(({ macros }) =>
    macros.flatMap(name => (name.startsWith('test_') ? [name.slice('test_'.length)] : [])),
  )
}

type Entries = readonly (string | Readonly<Record<string, unknown>>)[] | null | undefined

interface Tested {
  readonly tests?: Entries
  readonly data_tests?: Entries
}

function declarations(properties: PropertiesFile, disabled: ReadonlySet<string>): Declaration[] {
  const { value, place, file, path } = properties
  const found: Declaration[] = []
  const collect = (
    owner: Tested & { readonly columns?: readonly (Tested & { readonly name: string })[] | null | undefined },
    relation: string,
    subject: string,
    at: readonly PropertyKey[],
  ) => {
    const entries = (tested: Tested, column: string | null, where: readonly PropertyKey[]) => {
      for (const key of ['data_tests', 'tests'] as const) {
        for (const [index, entry] of (tested[key] ?? []).entries()) {
          const here = [...where, key, index]
          found.push({ entry, relation, subject, column, file, path, place: more => place([...here, ...more]) })
        }
      }
    }
    entries(owner, null, at)
    for (const [index, column] of (owner.columns ?? []).entries())
      entries(column, column.name, [...at, 'columns', index])
  }
  for (const kind of ['models', 'seeds', 'snapshots'] as const)
    for (const [index, one] of (value[kind] ?? []).entries())
      if (!disabled.has(one.name)) collect(one, `ref('${one.name}')`, one.name, [kind, index])
  for (const [groupIndex, group] of (value.sources ?? []).entries()) {
    for (const [index, table] of (group.tables ?? []).entries()) {
      const at = ['sources', groupIndex, 'tables', index]
      collect(table, `source('${group.name}', '${table.name}')`, `${group.name}.${table.name}`, at)
    }
  }
  return found
}

async function genericCheck(
  declared: Declaration,
  known: ReadonlySet<string>,
  checking: Checking,
): Promise<CheckDefinition | null> {
  const { names } = checking
  const { kind, given } = entryOf(declared.entry, declared.place([]))
  // dbt 1.10 put the arguments of a test under a key of their own; both forms are in use.
  const values: Record<string, unknown> = { ...given, ...mappingOf(given['arguments']) }
  const place = declared.place([])
  const loose = Object.fromEntries(Object.entries(values).filter(([key]) => isLoose(key)))
  const layers = [
    { values: loose, place: () => place },
    { values: mappingOf(values['config']), place: (key: string) => declared.place([kind, 'config', key]) },
  ]
  const settings = await checkSettings(checking, declared.path, kind, layers, place)
  if (!isEnabled(settings.values['enabled'])) return null
  const column = declared.column ?? (typeof values['column_name'] === 'string' ? values['column_name'] : null)
  const where = textOf(settings.values['where']) ?? null
  const argumentsOf = Object.fromEntries(Object.entries(values).filter(([key]) => !isLoose(key)))
  const { relation, subject, file } = declared
  const source = genericTemplate({ kind, relation, column, values: argumentsOf, where, place }, known)
  const name =
    textOf(given['name']) ??
    `${kind.replace('.', '_')}_${subject.replace('.', '_')}${column === null ? '' : `_${column.replace(/\W+/g, '_')}`}`
  try {
    const template = parseTemplate({ file, source, owner: checking.where.owner })
    const { refs, sources, layers: own } = await observed(name, template, names)
    // What the test says of itself holds where its use does not say otherwise.
    const all =
      own.length === 0 ? settings : await checkSettings(checking, declared.path, kind, [...own, ...layers], place)
    return {
      ...(await settingsOf(name, declared.path, all, names, place)),
      dbtName: textOf(given['name']) ?? dbtTestName(kind, { relation, subject, column }, argumentsOf),
      kind,
      subject,
      column,
      declared: place,
      template,
      path: declared.path,
      refs,
      sources,
    }
  } catch (error) {
    // The template was made here; what a reader can mend is where the check is declared, or the macro that it calls.
    if (!(error instanceof PlinthError) || (error.at?.file !== undefined && error.at.file !== file)) throw error
    throw new PlinthError(error.code, error.message, { at: place, hint: error.hint, cause: error })
  }
}

/** Settings that older files put beside the arguments of a test. */
function isLoose(key: string): boolean {
  return key !== 'alias' && key !== 'schema' && key !== 'group' && checkConfig.acted.includes(key)
}

async function singularCheck({ template, path }: TemplateAt, checking: Checking): Promise<CheckDefinition | null> {
  const { names, properties } = checking
  const name = basename(template.file, '.sql')
  const first = { file: template.file, line: 1, source: template.source }
  const { refs, sources, layers } = await observed(name, template, names)
  const patches = properties.flatMap(({ value, place }) =>
    (value.data_tests ?? []).flatMap((one, index): Layer[] =>
      one.name === name
        ? [{ values: one.config ?? {}, place: key => place(['data_tests', index, 'config', key]) }]
        : [],
    ),
  )
  const settings = await checkSettings(checking, path, name, [...patches, ...layers], first)
  if (!isEnabled(settings.values['enabled'])) return null
  const own = await settingsOf(name, path, settings, names, first)
  const known = { ...own, dbtName: name, kind: null, subject: null, column: null }
  return { ...known, declared: null, template, path, refs, sources }
}

async function checkSettings(
  { settings: { value, place }, outer, names }: Checking,
  path: string,
  last: string,
  layers: readonly Layer[],
  subject: Place,
): Promise<Settings> {
  const steps = [value.name, ...path.split('/').slice(1, -1), last]
  const trees = (['tests', 'data_tests'] as const).flatMap(key =>
    treeLayers(value[key], steps, checkConfig, at => place([key, ...at])),
  )
  // A project has the last word on what its packages bring.
  const outermost = (['tests', 'data_tests'] as const).flatMap(key =>
    outer ? treeLayers(outer.value[key], steps, checkConfig, at => outer.place([key, ...at])) : [],
  )
  const settings = layered([...trees, ...layers, ...outermost], checkConfig, subject)
  const values: Record<string, unknown> = {}
  for (const [key, given] of Object.entries(settings.values))
    values[key] = await renderSetting(given, names, settings.place(key))
  return { ...settings, values }
}

async function settingsOf(name: string, path: string, { values, place }: Settings, names: Names, subject: Place) {
  const tags = wordsOf(values['tags'])
  const limit = textOf(values['limit'])
  if (limit !== undefined && !/^\d+$/.test(limit))
    throw new PlinthError('TRANSFORM_INVALID', `"${limit}" is not a limit.`, { at: place('limit') })
  const as = textOf(values['store_failures_as']) ?? 'table'
  if (as !== 'table' && as !== 'view' && as !== 'ephemeral') {
    throw new PlinthError('TRANSFORM_INVALID', `Failures cannot be stored as "${as}".`, {
      at: place('store_failures_as'),
      hint: 'Write table, view or ephemeral.',
    })
  }
  const schema = await schemaOf(
    values['schema'] ?? 'dbt_test__audit',
    { name, kind: 'test', path, tags },
    names,
    subject,
  )
  const stored = { schema, name: textOf(values['alias']) ?? name, as: as === 'view' ? 'view' : 'table' } as const
  const isStored = values['store_failures_as'] === undefined ? isYes(values['store_failures']) : as !== 'ephemeral'
  return {
    name,
    severity: severityOf(values['severity'], place('severity')),
    warnIf: conditionOf(values['warn_if'], 'warn_if', place('warn_if')),
    errorIf: conditionOf(values['error_if'], 'error_if', place('error_if')),
    failCalc: textOf(values['fail_calc']) ?? 'count(*)',
    limit: limit === undefined ? null : Number(limit),
    store: isStored ? stored : null,
    storable: stored,
    tags,
    config: values,
  }
}

/** Two uses of one test on one column are told apart by a number. */
function freeName(name: string, taken: readonly CheckDefinition[]): string {
  const names = new Set(taken.map(check => check.name))
  let free = name
  for (let number = 2; names.has(free); number++) free = `${name}_${number}`
  return free
}
