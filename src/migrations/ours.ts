/**
 * What of a catalog the migrations answer for. A prelude makes what a platform gives, as far as the migrations need it; so neither what it makes, nor what
 * else the platform has in the same schemas, is ours to document or to miss.
 */
import { inventory } from '../schema/diff.ts'
import type { Schema, Table } from '../schema/model.ts'

export interface Theirs {
  /** As the prelude left it. */
  readonly laid: Schema
  /** What the prelude made, as differences name it. */
  readonly objects: ReadonlySet<string>
  readonly schemas: ReadonlySet<string>
}

/** What a prelude made of a database that was bare. */
export function theirsOf(bare: Schema, laid: Schema): Theirs {
  const before = inventory(bare)
  const schemas = new Set(bare.schemas.map(({ name }) => name))
  return {
    laid,
    objects: new Set([...inventory(laid).keys()].filter(object => !before.has(object))),
    schemas: new Set(laid.schemas.flatMap(({ name }) => (schemas.has(name) ? [] : [name]))),
  }
}

/** Without what the prelude made. */
export function withoutTheirs(schema: Schema, { objects }: Theirs): Schema {
  return keep(schema, objects, object => !objects.has(object))
}

/** Both sides of a comparison, with no more of theirs than the migrations made on it, such as a trigger on one of their tables. */
export function withoutTheirsOnBoth(made: Schema, live: Schema, theirs: Theirs): readonly [made: Schema, live: Schema] {
  const own = inventory(made)
  const lived = inventory(live)
  const laid = new Map(theirs.laid.tables.map(table => [nameOf(table), table]))
  const mades = new Map(made.tables.map(table => [nameOf(table), table]))
  const isAltered = (object: string): boolean => {
    const [before, after] = [laid.get(object), mades.get(object)]
    return before !== undefined && after !== undefined && lived.has(object) && ownParts(before, after).size > 0
  }
  const isOurs = (object: string, schema: string | null): boolean =>
    theirs.objects.has(object) ? isAltered(object) : own.has(object) || schema === null || !theirs.schemas.has(schema)
  const tables = live.tables.map(table => {
    const [before, after] = [laid.get(nameOf(table)), mades.get(nameOf(table))]
    return before && after && theirs.objects.has(nameOf(table))
      ? withParts(after, table, ownParts(before, after))
      : table
  })
  // What else the platform has for the whole database, such as an event trigger, is no more ours than what it has in its schemas.
  const others = live.others?.filter(one => one.schema !== null || own.has(`${one.kind} ${one.name}`))
  const there = { ...live, tables, ...(others ? { others } : {}) }
  return [keep(made, theirs.objects, isOurs), keep(there, theirs.objects, isOurs)]
}

const lists = ['columns', 'uniqueKeys', 'foreignKeys', 'checks', 'exclusions', 'indexes', 'triggers'] as const

/** What the migrations made on a table of theirs: list and name. */
function ownParts(laid: Table, made: Table): ReadonlySet<string> {
  const before = new Set(partsOf(laid))
  return new Set(partsOf(made).filter(part => !before.has(part)))
}

function partsOf(table: Table): string[] {
  const listed = lists.flatMap(list => table[list].map(({ name }) => `${list} ${name}`))
  return [...listed, ...table.rowSecurity.policies.map(({ name }) => `policies ${name}`)]
}

/** `made` with its own parts as they are in `live`. */
function withParts(made: Table, live: Table, own: ReadonlySet<string>): Table {
  const merged = <T extends { readonly name: string }>(list: string, mine: readonly T[], there: readonly T[]): T[] => {
    const found = new Map(there.map(part => [part.name, part]))
    return mine.flatMap(part => (own.has(`${list} ${part.name}`) ? (found.get(part.name) ?? []) : part))
  }
  const policies = merged('policies', made.rowSecurity.policies, live.rowSecurity.policies)
  return {
    ...made,
    columns: merged('columns', made.columns, live.columns),
    uniqueKeys: merged('uniqueKeys', made.uniqueKeys, live.uniqueKeys),
    foreignKeys: merged('foreignKeys', made.foreignKeys, live.foreignKeys),
    checks: merged('checks', made.checks, live.checks),
    exclusions: merged('exclusions', made.exclusions, live.exclusions),
    indexes: merged('indexes', made.indexes, live.indexes),
    triggers: merged('triggers', made.triggers, live.triggers),
    rowSecurity: { ...made.rowSecurity, policies },
  }
}

/** The objects of a catalog that pass, with what is said about those of ours. */
function keep(
  schema: Schema,
  theirs: ReadonlySet<string>,
  passes: (object: string, schema: string | null) => boolean,
): Schema {
  const among = <T extends { readonly schema: string; readonly name: string }>(kind: string, list: readonly T[]): T[] =>
    list.filter(one => passes(`${kind} ${one.schema}.${one.name}`, one.schema))
  const kept: Schema = {
    ...schema,
    tables: among('table', schema.tables),
    views: among('view', schema.views),
    enums: among('enum', schema.enums),
    domains: among('domain', schema.domains),
    sequences: among('sequence', schema.sequences),
    routines: schema.routines.filter(one => passes(`routine ${one.schema}.${one.name}(${one.arguments})`, one.schema)),
    schemas: schema.schemas.filter(({ name }) => passes(`schema ${name}`, name)),
    extensions: schema.extensions.filter(name => passes(`extension ${name}`, null)),
    ...(schema.others ? { others: schema.others.filter(one => passes(`${one.kind} ${one.name}`, one.schema)) } : {}),
  }
  const names = new Set([...inventory(kept).keys()].filter(object => !theirs.has(object)))
  const { comments, owners, defaultGrants, settings } = schema
  return {
    ...kept,
    ...(settings ? { settings: settings.filter(({ object }) => names.has(object)) } : {}),
    ...(comments ? { comments: comments.filter(({ object }) => names.has(object)) } : {}),
    ...(owners ? { owners: { ...owners, objects: owners.objects.filter(({ object }) => names.has(object)) } } : {}),
    ...(defaultGrants
      ? {
          defaultGrants: defaultGrants.filter(({ role, schema: of, kind }) =>
            passes(`default privileges of ${role} for ${kind}${of === null ? '' : ` in ${of}`}`, of),
          ),
        }
      : {}),
  }
}

function nameOf(table: Table): string {
  return `table ${table.schema}.${table.name}`
}
