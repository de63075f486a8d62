/** dbt's generic tests out of properties files, each as a template that answers the rows that are wrong. */
import { nearest, type Place, PlinthError } from '../errors.ts'
import type { TemplateFile } from '../sql/template.ts'
import { severityOf } from './severity.ts'
import type { CheckDefinition } from './project.ts'
import { mappingOf, type Properties, type PropertiesFile, textOf } from './shapes.ts'

export interface GenericCheck {
  readonly definition: Omit<CheckDefinition, 'template'>
  readonly template: TemplateFile
}

/** Throws TRANSFORM_INVALID for tests that are not known or lack an argument. */
export function genericChecks({ value, place, file }: PropertiesFile): GenericCheck[] {
  const models = (value.models ?? []).flatMap((model, index) =>
    checksOf({ ...model, relation: `ref('${model.name}')`, subject: model.name }, ['models', index], place, file),
  )
  const sources = (value.sources ?? []).flatMap((group, groupIndex) =>
    group.tables.flatMap((table, index) => {
      const subject = `${group.name}.${table.name}`
      const relation = `source('${group.name}', '${table.name}')`
      return checksOf({ ...table, relation, subject }, ['sources', groupIndex, 'tables', index], place, file)
    }),
  )
  return [...models, ...sources]
}

type Tests = NonNullable<NonNullable<Properties['models']>[number]['tests']>

interface Tested {
  /** Template expression of the table. */
  readonly relation: string
  readonly subject: string
  readonly tests?: Tests | undefined
  readonly data_tests?: Tests | undefined
  readonly columns?:
    | readonly { readonly name: string; readonly tests?: Tests | undefined; readonly data_tests?: Tests | undefined }[]
    | undefined
}

function checksOf(
  tested: Tested,
  path: readonly PropertyKey[],
  place: PropertiesFile['place'],
  file: string,
): GenericCheck[] {
  const found: GenericCheck[] = []
  const collect = (
    owner: Omit<Tested, 'relation' | 'subject'>,
    column: string | null,
    ownerPath: readonly PropertyKey[],
  ) => {
    for (const key of ['data_tests', 'tests'] as const) {
      for (const [index, test] of (owner[key] ?? []).entries())
        found.push(genericCheck(test, tested, column, place([...ownerPath, key, index]), file))
    }
  }
  collect(tested, null, path)
  for (const [index, column] of (tested.columns ?? []).entries())
    collect(column, column.name, [...path, 'columns', index])
  return found
}

function genericCheck(
  test: Tests[number],
  tested: Tested,
  column: string | null,
  place: Place,
  file: string,
): GenericCheck {
  const [kind = '', given] = typeof test === 'string' ? [test, null] : (Object.entries(test)[0] ?? [])
  const settings = mappingOf(given)
  // dbt 1.10 put the arguments of a test under a key of their own; both forms are in use.
  const values: Record<string, unknown> = { ...settings, ...mappingOf(settings['arguments']) }
  const config = { ...values, ...mappingOf(values['config']) }
  const subject = column ?? (typeof values['column_name'] === 'string' ? values['column_name'] : null)
  const make = generic[kind]
  if (!make) {
    const guess = nearest(kind, Object.keys(generic))
    throw new PlinthError('TRANSFORM_INVALID', `There is no generic test "${kind}".`, {
      at: place,
      hint: guess
        ? `Did you mean "${guess}"?`
        : `Known: ${Object.keys(generic).join(', ')}. Anything else is a file in the folder of tests.`,
    })
  }
  if (subject === null) throw missing('column_name', kind, place)
  const name =
    typeof settings['name'] === 'string'
      ? settings['name']
      : `${kind}_${tested.subject.replace('.', '_')}_${subject.replace(/\W+/g, '_')}`
  const condition = textOf(config['where'])
  const where = condition === undefined ? '' : `\nwhere ${condition}`
  const rows = where ? `(select * from {{ ${tested.relation} }}${where}\n)` : `{{ ${tested.relation} }}`
  return {
    definition: {
      name,
      severity: severityOf(config['severity'], place),
      tolerated: 0,
      subject: tested.subject,
      declared: place,
    },
    template: { file, source: make({ rows, column: subject, values, place }) },
  }
}

interface Arguments {
  readonly rows: string
  readonly column: string
  readonly values: Readonly<Record<string, unknown>>
  readonly place: Place
}

const generic: Readonly<Record<string, (given: Arguments) => string>> = {
  not_null: ({ rows, column }) => `select 1 as failure from ${rows} as tested where ${column} is null`,
  unique: ({ rows, column }) =>
    `select ${column} as value, count(*) as row_count from ${rows} as tested where ${column} is not null group by 1 having count(*) > 1`,
  accepted_values: ({ rows, column, values, place }) => {
    const accepted = values['values']
    if (!Array.isArray(accepted) || accepted.length === 0) throw missing('values', 'accepted_values', place)
    const quote = values['quote'] !== false
    const list = accepted.map(value => (quote ? `'${String(value).replaceAll("'", "''")}'` : String(value))).join(', ')
    return `select ${column} as value, count(*) as row_count from ${rows} as tested where ${column} is not null and ${column} not in (${list}) group by 1`
  },
  relationships: ({ rows, column, values, place }) => {
    const { to, field } = values
    if (typeof to !== 'string') throw missing('to', 'relationships', place)
    if (typeof field !== 'string') throw missing('field', 'relationships', place)
    return `select child.${column} as value from ${rows} as child where child.${column} is not null and not exists (select 1 from {{ ${to} }} as parent where parent.${field} = child.${column})`
  },
}

function missing(argument: string, kind: string, at: Place): PlinthError {
  return new PlinthError('TRANSFORM_INVALID', `The test "${kind}" needs "${argument}".`, { at })
}
