/** Tables as templates name them: `ref`, `source`, `this`. */
import { nearest, PlinthError } from '../../errors.ts'
import type { Relation, TemplateFunction } from '../../sql/template.ts'
import type { CompileOptions, Names } from './names.ts'
import { unknownTransform } from './graph.ts'
import { textOf } from './shapes.ts'
import { raise } from './vocabulary.ts'

type Quote = (name: string) => string

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function relation(schema: string, identifier: string, quote: Quote = quoted): Relation {
  return named(
    { schema, identifier },
    schema === '' ? quote(identifier) : `${quote(schema)}.${quote(identifier)}`,
    quote,
  )
}

/** dbt's name of the part of a query that stands for an ephemeral transform. */
export function ephemeralName(name: string): string {
  return `__dbt__cte__${name}`
}

export function refFunction(names: Names, { observe, quote }: CompileOptions, used: Set<string>): TemplateFunction {
  return (positional, named) => {
    const name = textOf(positional.at(-1)) ?? ''
    if ('v' in named || 'version' in named) raise(`ref('${name}', v=…) asks for a version, and transforms have none.`)
    // With two arguments the first is the package, which can only be the project itself.
    const packageName = positional.length > 1 ? textOf(positional[0]) : names.packageName
    if (packageName !== names.packageName)
      raise(`ref('${packageName}', '${name}') refers to another package, and there is only "${names.packageName}".`)
    observe?.ref?.(name)
    if (names.disabled.has(name)) raise(`The transform "${name}" is switched off (enabled: false).`)
    if (names.ephemerals.has(name)) {
      used.add(name)
      return asPart('', ephemeralName(name), ephemeralName(name))
    }
    const found = names.transforms.get(name)
    if (!found) throw unknownTransform(name, undefined, [...names.transforms.keys()])
    return relation(found.schema, found.name, quote)
  }
}

export function sourceFunction(names: Names, { observe, quote, instead }: CompileOptions): TemplateFunction {
  return (positional, named) => {
    const group = textOf(positional[0] ?? named['source_name']) ?? ''
    const name = textOf(positional[1] ?? named['table_name'])
    if (name === undefined) raise(`source('${group}') names no table: write source('group', 'table').`)
    const key = `${group}.${name}`
    observe?.source?.(key)
    const found = names.sources.get(key)
    const part = instead?.get(key)
    if (found && part !== undefined) return asPart(found.schema, found.identifier, `(${part})`)
    if (found) return relation(found.schema, found.identifier, quote)
    const guess = nearest(key, [...names.sources.keys()])?.split('.')
    throw new PlinthError('TRANSFORM_INVALID', `There is no source "${group}"."${name}".`, {
      hint: guess
        ? `Did you mean source('${guess[0]}', '${guess[1]}')?`
        : `Known sources: ${[...names.sources.keys()].join(', ') || 'none'}.`,
    })
  }
}

/** `api.Relation.create(schema=…, identifier=…)` */
export function relationOf(quote: Quote = quoted): TemplateFunction {
  return (_, { database, schema, identifier }) => {
    if (database !== undefined && database !== null)
      raise('A relation names a database, and the warehouse is one database.')
    return relation(textOf(schema) ?? '', textOf(identifier) ?? '', quote)
  }
}

/** The part of a query that stands where a table would. */
function asPart(schema: string, identifier: string, text: string): Relation {
  return { kind: 'relation', schema, identifier, text }
}

interface Parts {
  readonly schema: string
  readonly identifier: string
}

function named({ schema, identifier }: Parts, text: string, quote: Quote): Relation {
  const printed = (isSchema: boolean, isIdentifier: boolean, write: Quote) =>
    [isSchema ? schema : '', isIdentifier ? identifier : ''].filter(Boolean).map(write).join('.')
  const attributes: Relation['attributes'] = {
    include: (_, { schema: isSchema, identifier: isIdentifier }) =>
      named({ schema, identifier }, printed(isSchema !== false, isIdentifier !== false, quote), quote),
    quote: (_, { schema: isSchema, identifier: isIdentifier }) =>
      named(
        { schema, identifier },
        [isSchema === false ? schema : quote(schema), isIdentifier === false ? identifier : quote(identifier)].join(
          '.',
        ),
        quote,
      ),
    render: () => text,
  }
  return { kind: 'relation', schema, identifier, text, attributes }
}
