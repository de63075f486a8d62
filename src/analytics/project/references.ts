/** Tables as templates name them: `ref`, `source`, `this`. */
import { nearest, PlinthError } from '../../errors.ts'
import type { Relation, TemplateFunction } from '../../sql/template.ts'
import type { CompileOptions, Names } from './names.ts'
import { unknownTransform } from './graph.ts'
import { mappingOf, textOf } from './shapes.ts'
import { raise } from './vocabulary.ts'

type Quote = (name: string) => string

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** What more is known of a relation than where it is. */
export interface Traits {
  readonly quote?: Quote | undefined
  /** Name of the warehouse's database; undefined where it is not known. */
  readonly database?: string | undefined
  readonly type?: 'table' | 'view' | undefined
  /** Of a source in another database, which is a part of its printed name then. */
  readonly elsewhere?: string | null | undefined
}

export function relation(schema: string, identifier: string, traits: Traits = {}): Relation {
  return named({ schema, identifier, traits }, { database: true, schema: true, identifier: true })
}

/** dbt's name of the part of a query that stands for an ephemeral transform. */
export function ephemeralName(name: string): string {
  return `__dbt__cte__${name}`
}

export function refFunction(names: Names, { observe, quote }: CompileOptions, used: Set<string>): TemplateFunction {
  const { database } = names.surroundings
  return (positional, named) => {
    const given = textOf(positional.at(-1)) ?? ''
    const name = versionOf(names, given, named['v'] ?? named['version'])
    // With two arguments the first is the package.
    const packageName = positional.length > 1 ? textOf(positional[0]) : undefined
    const known = names.transforms.get(name)
    const project = names.project ?? names.packageName
    if (packageName !== undefined && known && (known.owner ?? project) !== packageName)
      raise(`ref('${packageName}', '${name}') means another package: "${name}" is of "${known.owner ?? project}".`)
    observe?.ref?.(name)
    if (names.disabled.has(name)) raise(`The transform "${name}" is switched off (enabled: false).`)
    if (names.ephemerals.has(name)) {
      used.add(name)
      return asPart('', ephemeralName(name), ephemeralName(name))
    }
    const found = names.transforms.get(name)
    if (!found) throw unknownTransform(name, undefined, [...names.transforms.keys()])
    return relation(found.schema, found.table ?? found.name, { quote, database })
  }
}

/** The transform that a name and a version mean; the latest one without a version. */
function versionOf({ versions }: Names, given: string, version: unknown): string {
  const known = versions.get(given)
  const asked = textOf(version)
  if (!known && asked !== undefined) raise(`ref('${given}', v=${asked}) asks for a version, and "${given}" has none.`)
  if (!known) return given
  const name = asked === undefined ? known.latest : known.names.get(asked)
  return name ?? raise(`"${given}" has no version ${asked ?? ''}; it has ${[...known.names.keys()].join(', ')}.`)
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
    if (found?.location) return asPart(found.schema, found.identifier, found.location)
    if (found) {
      const { database } = names.surroundings
      return relation(found.schema, found.identifier, { quote, database, elsewhere: found.database })
    }
    const guess = nearest(key, [...names.sources.keys()])?.split('.')
    throw new PlinthError('TRANSFORM_INVALID', `There is no source "${group}"."${name}".`, {
      hint: guess
        ? `Did you mean source('${guess[0]}', '${guess[1]}')?`
        : `Known sources: ${[...names.sources.keys()].join(', ') || 'none'}.`,
    })
  }
}

/** `api.Relation.create(schema=…, identifier=…)` */
export function relationOf(quote: Quote, database: string | undefined): TemplateFunction {
  return ([first, second, third], named) => {
    const given = textOf(named['database'] ?? first)
    const elsewhere = given === undefined || given === '' || given === database ? null : given
    const type = named['type'] === 'view' ? 'view' : named['type'] === 'table' ? 'table' : undefined
    const schema = textOf(named['schema'] ?? second) ?? ''
    return relation(schema, textOf(named['identifier'] ?? third) ?? '', { quote, database, type, elsewhere })
  }
}

/** The part of a query that stands where a table would. */
function asPart(schema: string, identifier: string, text: string): Relation {
  return { kind: 'relation', schema, identifier, text, attributes: { is_cte: true, render: () => text } }
}

interface Parts {
  readonly schema: string
  readonly identifier: string
  readonly traits: Traits
}

interface Shown {
  readonly database: boolean
  readonly schema: boolean
  readonly identifier: boolean
}

function named(parts: Parts, shown: Shown, unquoted: Partial<Shown> = {}): Relation {
  const { schema, identifier, traits } = parts
  const { quote = quoted, database, type, elsewhere = null } = traits
  const written = (name: string, key: keyof Shown) => (unquoted[key] ? name : quote(name))
  const text = [
    shown.database && elsewhere !== null ? written(elsewhere, 'database') : '',
    shown.schema && schema !== '' ? written(schema, 'schema') : '',
    shown.identifier && identifier !== '' ? written(identifier, 'identifier') : '',
  ]
    .filter(Boolean)
    .join('.')
  const home = elsewhere ?? database
  const isNo = (value: unknown) => value === false
  const moved = (change: Partial<Parts>) => named({ ...parts, ...change }, shown, unquoted)
  const attributes: Relation['attributes'] = {
    include: (_, given) =>
      named(
        parts,
        {
          database: !isNo(given['database']),
          schema: !isNo(given['schema']),
          identifier: !isNo(given['identifier']),
        },
        unquoted,
      ),
    quote: (_, given) =>
      named(parts, shown, {
        database: isNo(given['database']),
        schema: isNo(given['schema']),
        identifier: isNo(given['identifier']),
      }),
    render: () => text,
    without_identifier: () => named(parts, { ...shown, identifier: false }, unquoted),
    incorporate: (_, given) => {
      const path = mappingOf(given['path'])
      const as = given['type'] === 'view' ? 'view' : given['type'] === 'table' ? 'table' : type
      return moved({
        schema: textOf(path['schema']) ?? schema,
        identifier: textOf(path['identifier']) ?? identifier,
        traits: { ...traits, type: as },
      })
    },
    replace_path: (_, given) =>
      moved({ schema: textOf(given['schema']) ?? schema, identifier: textOf(given['identifier']) ?? identifier }),
    get: ([key]) => (key === 'metadata' ? { type: 'DuckDBRelation' } : null),
    is_cte: false,
    type: type ?? null,
    is_table: type === 'table',
    is_view: type === 'view',
    ...(home === undefined ? {} : { database: home }),
  }
  return { kind: 'relation', schema, identifier, text, attributes }
}
