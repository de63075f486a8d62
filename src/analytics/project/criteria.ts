/** What each of dbt's methods of selection matches, such as `tag:nightly` or `source:raw.orders`. Pure. */
import { PlinthError } from '../../errors.ts'
import type { GraphNode, NodeKind } from './nodes.ts'
import { pathMatcher } from './selected-paths.ts'
import { mappingOf, textOf } from './shapes.ts'
import { wildcard } from './wildcard.ts'

export type Matcher = (node: GraphNode) => boolean

/** What `value` matches by a method, or by what it looks like. Throws USAGE for a method or a value that is not known. */
export function matcherOf(
  method: string | undefined,
  value: string,
  criterion: string,
  nodes: readonly GraphNode[],
): Matcher {
  const [name, ...steps] = method?.split('.') ?? [defaultMethod(value)]
  const reason = refusedMethods[name ?? '']
  if (reason !== undefined) throw usage(`The selection method "${method}" in "${criterion}" is not supported.`, reason)
  const make = methods[name ?? '']
  if (make) return make({ value, steps, criterion, nodes })
  throw usage(
    `The selection method "${method}" in "${criterion}" is not supported.`,
    `Supported: a name, ${[...Object.keys(methods), 'selector'].map(one => `${one === 'config' ? 'config.<key>' : one}:`).join(' ')}, with +, 2+, @, spaces and commas.`,
  )
}

function defaultMethod(value: string): string {
  if (value.includes('/')) return 'path'
  return /\.(sql|py|csv|ya?ml)$/i.test(value) ? 'file' : 'fqn'
}

interface Asked {
  readonly value: string
  /** What stands behind the method, as the keys of a setting. */
  readonly steps: readonly string[]
  readonly criterion: string
  readonly nodes: readonly GraphNode[]
}

const methods: Readonly<Record<string, (asked: Asked) => Matcher>> = {
  tag: ({ value }) => {
    const like = wildcard(value)
    return ({ tags }) => tags.some(like)
  },
  path: ({ value, nodes }) => pathMatcher(value, nodes),
  file: ({ value }) => {
    const like = wildcard(value)
    return ({ path }) => {
      const file = path.split('/').at(-1) ?? ''
      return like(file) || like(file.replace(/\.[^.]*$/, ''))
    }
  },
  source:
    asked =>
    ({ kind, address, name }) => {
      const [group, table] = dotted(name)
      return kind === 'source' && named(asked, 3)([address[0] ?? '', group, table])
    },
  config: asked => node => settingOf(node, asked.steps).some(one => isSetting(one, asked)),
  resource_type: ({ value }) => {
    const wanted = kindsOf(value)
    return ({ kind }) => wanted.has(kind)
  },
  test_type: ({ value, criterion }) => {
    const found = testTypes[value]
    if (found) return found
    throw usage(`"${value}" in "${criterion}" is not a type of test.`, `Known: ${Object.keys(testTypes).join(', ')}.`)
  },
  test_name: ({ value }) => {
    const like = wildcard(value)
    return ({ kind, test, name }) =>
      kind === 'unit_test' ? like(name) : kind === 'test' && test !== '' && like(test.split('.').at(-1) ?? '')
  },
  unit_test: asked => ofKind('unit_test', asked),
  exposure: asked => ofKind('exposure', asked),
  fqn: ({ value }) => addressMatcher(value),
  package: ({ value, nodes }) => {
    const like = wildcard(value)
    const own = nodes.find(({ isOwn }) => isOwn)?.address[0]
    return ({ address, isOwn }) => like(address[0] ?? '') || (value === 'this' && (isOwn || address[0] === own))
  },
  group: ({ value }) => {
    const like = wildcard(value)
    return node => settingOf(node, ['group']).some(one => like(textOf(one) ?? ''))
  },
  access: ({ value }) => {
    return node => node.kind === 'model' && settingOf(node, ['access']).includes(value)
  },
  version: ({ value, criterion }) => {
    const known = ['latest', 'old', 'prerelease', 'none']
    if (known.includes(value)) return ({ kind, version }) => kind === 'model' && version === value
    throw usage(`"${value}" in "${criterion}" is no version that can be selected.`, `Known: ${known.join(', ')}.`)
  },
}

/** What dbt has more, with why it is not here. */
const refusedMethods: Readonly<Record<string, string>> = {
  state:
    'No manifest of another run is compared with: a run makes what its inputs or its SQL changed, and plinth rollup plan shows that.',
  result: 'Results of the last run do not select: a run goes on where the last one failed.',
  source_status: 'See plinth check --freshness, and select sources by source:.',
  metric: 'Metrics are passed over: select the transforms that they stand on.',
  semantic_model: 'Semantic models are passed over: select the transforms that they stand on.',
  saved_query: 'Saved queries are passed over: select the transforms that they stand on.',
}

const kinds: readonly NodeKind[] = ['model', 'seed', 'snapshot', 'source', 'test', 'unit_test', 'analysis', 'exposure']

/** Kinds of nodes by their names; those that are passed over find nothing. Throws USAGE for what is no kind. */
export function kindsOf(words = ''): ReadonlySet<string> {
  const known: readonly string[] = [...kinds, 'metric', 'semantic_model', 'saved_query', 'function']
  const given = words.split(/\s+/).filter(Boolean)
  const stranger = given.find(word => word !== 'all' && !known.includes(word))
  if (stranger !== undefined) throw usage(`"${stranger}" is not a kind of node.`, `Known: ${known.join(', ')}.`)
  return new Set(given.includes('all') ? known : given)
}

const testTypes: Readonly<Record<string, Matcher>> = {
  generic: ({ kind, test }) => kind === 'test' && test !== '',
  schema: ({ kind, test }) => kind === 'test' && test !== '',
  singular: ({ kind, test }) => kind === 'test' && test === '',
  data: ({ kind }) => kind === 'test',
  unit: ({ kind }) => kind === 'unit_test',
}

/** A name, or a package and a name. */
function ofKind(wanted: NodeKind, asked: Asked): Matcher {
  const like = named(asked, 2)
  return ({ kind, address, name }) => kind === wanted && like([address[0] ?? '', name])
}

/** Whether a name of so many parts is meant, of which a package may be left out, and of a source the table as well. */
function named({ value, criterion }: Asked, most: 2 | 3): (parts: readonly string[]) => boolean {
  const given = value.split('.')
  if (given.length > most)
    throw usage(
      `"${value}" in "${criterion}" has too many parts.`,
      `Write ${most === 3 ? 'group, group.table or package.group.table' : 'a name or package.name'}.`,
    )
  const whole = most === 3 && given.length === 1 ? ['*', ...given, '*'] : given.length < most ? ['*', ...given] : given
  const likes = whole.map(wildcard)
  return parts => likes.every((like, index) => like(parts[index] ?? ''))
}

/** Group and table of a source; the group has no dot, a table may. */
function dotted(name: string): [string, string] {
  const at = name.indexOf('.')
  return [name.slice(0, at), name.slice(at + 1)]
}

/**
 * A name, folders as dots, or a wildcard from where it stands to the end; with or without the package before it. A transform of many versions
 * answers to the name that these share. Sources answer to `source:` alone.
 */
function addressMatcher(value: string): Matcher {
  const steps = value.split('.')
  const open = steps.findIndex(step => /[*?[\]]/.test(step))
  const rest = open < 0 ? null : wildcard(steps.slice(open).join('.'))
  const isWithin = (address: readonly string[]) => {
    const flat = address.flatMap(part => part.split('.'))
    const fixed = open < 0 ? steps : steps.slice(0, open)
    return (
      steps.length <= flat.length &&
      fixed.every((step, index) => flat[index] === step) &&
      (rest === null || rest(flat.slice(fixed.length).join('.')))
    )
  }
  return ({ kind, name, address, version }) => {
    if (kind === 'source') return false
    if (name === value || address.at(-1) === value) return true
    if (version !== undefined && version !== 'none') {
      if (address.at(-2) === value || address.slice(-2).join('_') === steps.slice(-2).join('_')) return true
    }
    return isWithin(address) || isWithin(address.slice(1))
  }
}

/** What a setting says, that of dbt where the project says nothing; the elements of a list. */
function settingOf(node: GraphNode, steps: readonly string[]): readonly unknown[] {
  if (node.kind === 'unit_test' || node.kind === 'exposure') return []
  let value: unknown = { ...defaults[node.kind], ...node.config }
  for (const step of steps) value = mappingOf(value)[step]
  return Array.isArray(value) ? (value as unknown[]) : [value]
}

function isSetting(one: unknown, { value, steps }: Asked): boolean {
  if (typeof one === 'boolean') return value.toLowerCase() === String(one)
  const text = textOf(one)
  if (text === undefined) return false
  return steps.join('.') === 'severity' ? text.toLowerCase() === value.toLowerCase() : text === value
}

const made = { enabled: true, on_schema_change: 'ignore', contract: { enforced: false } }
const defaults: Readonly<Record<Exclude<NodeKind, 'unit_test' | 'exposure'>, Readonly<Record<string, unknown>>>> = {
  source: { enabled: true },
  model: { ...made, access: 'protected' },
  seed: { ...made, materialized: 'seed' },
  snapshot: { ...made, materialized: 'snapshot' },
  analysis: { ...made, materialized: 'view' },
  test: { enabled: true, materialized: 'test', severity: 'error' },
}

function usage(message: string, hint: string): PlinthError {
  return new PlinthError('USAGE', message, { hint })
}
