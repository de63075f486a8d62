/** Commands about the analytics project: what is in it, what it compiles to, and what a run would do. */
import type { GraphNode } from '../../analytics/project/nodes.ts'
import type { RollupPlan, SourcePlan } from '../../analytics/run/preview.ts'
import { type CommandSpec, type Context, type OptionSpec, text } from '../command.ts'
import { count, paint, table } from '../print.ts'

/** Which project is meant, and where it goes when nothing but dbt's files says that. */
export const placeOptions: readonly OptionSpec[] = [
  { flags: '--vars <mapping>', description: "variables in YAML or JSON, such as '{region: eu}'" },
  { flags: '--project-dir <folder>', description: 'folder of dbt_project.yml; default here or above' },
  { flags: '--profiles-dir <folder>', description: 'folder of profiles.yml; default the project’s, then ~/.dbt' },
  { flags: '--profile <name>', description: 'profile of profiles.yml; default the one that dbt_project.yml names' },
  { flags: '-t, --target <name>', description: 'target of the profile; default the one that it names' },
]

/** As dbt's command line has them. */
export const projectOptions: readonly OptionSpec[] = [
  {
    flags: '-s, --select <criteria...>',
    description:
      'part of the project: names, tag:, path:, source:, config.<key>:, with +, 2+, @, spaces for or, commas for and',
  },
  { flags: '--exclude <criteria...>', description: 'leave these out, in the same words' },
  { flags: '--selector <name>', description: 'a selection that selectors.yml names' },
  { flags: '--resource-type <kinds...>', description: 'of what is selected these kinds alone, such as model or seed' },
  { flags: '--exclude-resource-type <kinds...>', description: 'of what is selected all but these kinds' },
  ...placeOptions,
]

export function projectRequest(context: Context) {
  return {
    select: text(context, 'select'),
    exclude: text(context, 'exclude'),
    selector: text(context, 'selector'),
    types: text(context, 'resourceType'),
    exceptTypes: text(context, 'excludeResourceType'),
    variables: text(context, 'vars'),
  }
}

export const rollupList: CommandSpec = {
  name: 'rollup list',
  summary: 'list sources, transforms, checks and unit tests of the analytics project',
  group: 'data',
  options: [
    ...projectOptions,
    { flags: '--format <format>', description: 'text, or a diagram in Mermaid', choices: ['text', 'mermaid'] },
  ],
  examples: [
    'plinth rollup list',
    "plinth rollup list --select '+usage_daily'",
    'plinth rollup list --format mermaid',
    'plinth rollup list --select config.materialized:view --json',
  ],
  async run(context) {
    const nodes = await context.foundation.listNodes(projectRequest(context))
    const data = { nodes: nodes.map(nodeData) }
    if (text(context, 'format') === 'mermaid') {
      const { mermaid } = await import('../../analytics/project/nodes.ts')
      return { data, text: mermaid(nodes) }
    }
    const rows = nodes.map(node => [
      node.kind,
      node.name,
      typeof node.config['materialized'] === 'string' ? node.config['materialized'] : node.test,
      node.parents.map(parent => parent.slice(parent.indexOf('.') + 1)).join(', '),
    ])
    return { data, text: table(['kind', 'name', 'as', 'reads'], rows) }
  },
}

function nodeData({ id, kind, name, path, tags, description, parents, config, schema, test }: GraphNode) {
  const materialized = config['materialized'] ?? null
  const asked = test === '' ? null : test
  return { id, kind, name, path, tags, description, parents, materialized, schema: schema ?? null, test: asked }
}

export const rollupCompile: CommandSpec = {
  name: 'rollup compile',
  summary: 'show or write the SQL that the analytics project compiles to',
  description:
    'Asks no database. Prints the selected transforms, checks and analyses, or writes a file for each with --output. Other engines speak other SQL: --engine bigquery.',
  group: 'data',
  options: [
    ...projectOptions,
    {
      flags: '--engine <name>',
      description: 'engine to compile for; default that of the warehouse',
      choices: ['duckdb', 'bigquery'],
    },
    { flags: '--output <folder>', description: 'write files instead of printing' },
  ],
  examples: [
    'plinth rollup compile --select usage_hourly',
    'plinth rollup compile --engine bigquery --output target/compiled',
  ],
  async run(context) {
    const output = text(context, 'output')
    const request = { ...projectRequest(context), engine: text(context, 'engine'), output }
    const files = await context.foundation.compileTransforms(request)
    const printed = files.map(({ path, sql }) => `${paint.dim(`-- ${path}`)}\n${sql}`).join('\n')
    return {
      data: { files, output: output ?? null },
      text: output === undefined ? printed : `${count(files.length, 'file')} written to ${output}.`,
    }
  },
}

export const rollupPlan: CommandSpec = {
  name: 'rollup plan',
  summary: 'show what a rollup run would replace, and what it would bill, without changing anything',
  description:
    'Lists the changed hours with their cells and rows, and each table with what would happen to it. On BigQuery every query is dry-run for the bytes that it would read. Exit status 3 when something is pending, 5 when it is more than --bytes-max.',
  group: 'data',
  options: [
    ...projectOptions,
    { flags: '--rebase', description: 'plan a run that loads everything again' },
    { flags: '--bytes-max <size>', description: 'cap on the bytes that would be read, such as 10GiB' },
  ],
  examples: ['plinth rollup plan', 'plinth rollup plan --json', 'plinth rollup plan --bytes-max 10GiB'],
  async run(context) {
    const mode = context.options['rebase'] ? 'rebase' : 'changes'
    const bytesMax = bytesOf(text(context, 'bytesMax'))
    const plan = await context.foundation.planRollup({ ...projectRequest(context), mode, bytesMax })
    const parts = plan.sources.map(describe)
    if (plan.others.length > 0) parts.push(describeOthers(plan.others))
    if (plan.bytes !== null)
      parts.push(
        `${bytesText(plan.bytes)} would be read${bytesMax === null ? '' : `; the cap is ${bytesText(bytesMax)}`}.`,
      )
    if (plan.status === 'nothing-to-do') parts.push('Nothing to do.')
    const exit = { 'nothing-to-do': 0, pending: 3, 'over-the-cap': 5 }[plan.status]
    return { data: plan, text: parts.join('\n\n'), exit }
  },
}

const hoursShown = 20

function describe(source: SourcePlan): string {
  const how = source.mode === 'whole' ? `everything (${source.reason ?? 'asked for'})` : count(source.marks, 'mark')
  const head = `${paint.bold(source.source)}: ${how}, ${count(source.cells, 'cell')}, about ${count(source.rows, 'row')} in ${count(source.batches, 'batch')}`
  const hours = source.hours
    .slice(0, hoursShown)
    .map(({ hour, shards, rows }) => [hour, shards === 'all' ? 'all' : String(shards), rows.toLocaleString('en-US')])
  const more =
    source.hours.length > hoursShown ? paint.dim(`… and ${source.hours.length - hoursShown} more, see --json`) : ''
  const transforms = source.transforms.map(({ transform, action, reason, bytes }) => [
    transform,
    action,
    reason ?? '',
    bytes === null ? '' : bytesText(bytes),
  ])
  return [
    head,
    table(['hour', 'shards', 'rows'], hours),
    more,
    table(['transform', 'action', 'because', 'reads'], transforms),
  ]
    .filter(Boolean)
    .join('\n')
}

function describeOthers(others: RollupPlan['others']): string {
  const rows = others.map(({ table: name, action, reason, bytes }) => [
    name,
    action,
    reason,
    bytes === null ? '' : bytesText(bytes),
  ])
  return table(['table', 'action', 'because', 'reads'], rows)
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

function bytesText(bytes: number): string {
  const power = Math.min(units.length - 1, bytes === 0 ? 0 : Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

/** A size as it is typed, such as `10GiB`. Throws RangeError. */
export function bytesOf(given: string | undefined): number | null {
  if (given === undefined) return null
  const [, amount, unit = 'B'] = /^(\d+(?:\.\d+)?)\s*(B|[KMGTP]i?B)?$/i.exec(given.trim()) ?? []
  if (amount === undefined) throw new RangeError('--bytes-max takes a size such as 10GiB.')
  const power = units.findIndex(one => one[0] === unit[0]?.toUpperCase())
  return Math.round(Number(amount) * (/i|^B$/i.test(unit) ? 1024 : 1000) ** power)
}
