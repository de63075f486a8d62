/**
 * Compares two databases as plain data. The result names each object that only one side has or that differs, with the
 * property that differs, in a stable order.
 */
import type { Schema } from './model.ts'

export interface Difference {
  readonly change: 'added' | 'removed' | 'changed'
  /** Such as `table platform.users` or `column platform.users.email`. */
  readonly object: string
  /** Path of the property inside the object that differs; empty for added and removed. */
  readonly property: string
  readonly before: unknown
  readonly after: unknown
}

/** Differences that lead from `before` to `after`; empty when the catalogs are equal. */
export function diffSchemas(before: Schema, after: Schema): Difference[] {
  const left = inventory(before)
  const right = inventory(after)
  const names = [...new Set([...left.keys(), ...right.keys()])].sort()
  return names.flatMap((object): Difference[] => {
    const old = left.get(object)
    const now = right.get(object)
    if (old === undefined) return [{ change: 'added', object, property: '', before: null, after: now }]
    if (now === undefined) return [{ change: 'removed', object, property: '', before: old, after: null }]
    return Object.keys({ ...old, ...now })
      .filter(property => JSON.stringify(old[property]) !== JSON.stringify(now[property]))
      .sort()
      .map(property => ({ change: 'changed', object, property, before: old[property], after: now[property] }))
  })
}

type Properties = Readonly<Record<string, unknown>>

/** Flattens a schema to named objects, each with comparable properties. Parts of a table are objects of their own. */
export function inventory(schema: Schema): Map<string, Properties> {
  const objects = new Map<string, Properties>()
  for (const table of schema.tables) {
    const path = `${table.schema}.${table.name}`
    const {
      schema: _schema,
      name: _name,
      columns,
      primaryKey,
      uniqueKeys,
      foreignKeys,
      checks,
      exclusions,
      indexes,
      triggers,
      rowSecurity,
      ...own
    } = table
    objects.set(`table ${path}`, { ...own, rowSecurity: { enabled: rowSecurity.enabled, forced: rowSecurity.forced } })
    for (const column of columns) objects.set(`column ${path}.${column.name}`, { ...column })
    if (primaryKey) objects.set(`primary key ${path}.${primaryKey.name}`, { ...primaryKey })
    for (const key of uniqueKeys) objects.set(`unique key ${path}.${key.name}`, { ...key })
    for (const key of foreignKeys) objects.set(`foreign key ${path}.${key.name}`, { ...key })
    for (const check of checks) objects.set(`check ${path}.${check.name}`, { ...check })
    for (const exclusion of exclusions) objects.set(`exclusion ${path}.${exclusion.name}`, { ...exclusion })
    for (const index of indexes) objects.set(`index ${table.schema}.${index.name}`, { ...index, table: path })
    for (const trigger of triggers) objects.set(`trigger ${path}.${trigger.name}`, { ...trigger })
    for (const policy of rowSecurity.policies) objects.set(`policy ${path}.${policy.name}`, { ...policy })
  }
  for (const view of schema.views) objects.set(`view ${view.schema}.${view.name}`, { ...view })
  for (const type of schema.enums) objects.set(`enum ${type.schema}.${type.name}`, { ...type })
  for (const type of schema.domains) objects.set(`domain ${type.schema}.${type.name}`, { ...type })
  for (const routine of schema.routines)
    objects.set(`routine ${routine.schema}.${routine.name}(${routine.arguments})`, { ...routine })
  for (const sequence of schema.sequences) objects.set(`sequence ${sequence.schema}.${sequence.name}`, { ...sequence })
  for (const namespace of schema.schemas) objects.set(`schema ${namespace.name}`, { ...namespace })
  for (const extension of schema.extensions) objects.set(`extension ${extension}`, {})
  for (const { role, schema: of, kind, grants } of schema.defaultGrants ?? [])
    objects.set(`default privileges of ${role} for ${kind}${of === null ? '' : ` in ${of}`}`, { grants })
  for (const { kind, name, schema: _schema, ...own } of schema.others ?? []) objects.set(`${kind} ${name}`, own)
  const note = (object: string, property: Properties): void => {
    const known = objects.get(object)
    if (known) objects.set(object, { ...known, ...property })
  }
  for (const { object, text } of schema.comments ?? []) note(object, { comment: text })
  for (const { object, role } of schema.owners?.objects ?? []) note(object, { owner: role })
  for (const { object, property, value } of schema.settings ?? []) note(object, { [property]: value })
  return objects
}

/** The same catalog with each object, as `inventory` names it, replaced by what `change` answers for it. Names and kinds stay. */
export function mapObjects(schema: Schema, change: <T extends object>(object: string, part: T) => T): Schema {
  const within =
    (kind: string, path: string) =>
    <T extends { readonly name: string }>(part: T): T =>
      change(`${kind} ${path}.${part.name}`, part)
  const standing =
    (kind: string) =>
    <T extends { readonly schema: string; readonly name: string }>(part: T): T =>
      change(`${kind} ${part.schema}.${part.name}`, part)
  return {
    ...schema,
    tables: schema.tables.map(table => {
      const path = `${table.schema}.${table.name}`
      return change(`table ${path}`, {
        ...table,
        columns: table.columns.map(within('column', path)),
        primaryKey: table.primaryKey && within('primary key', path)(table.primaryKey),
        uniqueKeys: table.uniqueKeys.map(within('unique key', path)),
        foreignKeys: table.foreignKeys.map(within('foreign key', path)),
        checks: table.checks.map(within('check', path)),
        exclusions: table.exclusions.map(within('exclusion', path)),
        indexes: table.indexes.map(within('index', table.schema)),
        triggers: table.triggers.map(within('trigger', path)),
        rowSecurity: { ...table.rowSecurity, policies: table.rowSecurity.policies.map(within('policy', path)) },
      })
    }),
    views: schema.views.map(standing('view')),
    enums: schema.enums.map(standing('enum')),
    domains: schema.domains.map(standing('domain')),
    routines: schema.routines.map(routine =>
      change(`routine ${routine.schema}.${routine.name}(${routine.arguments})`, routine),
    ),
    sequences: schema.sequences.map(standing('sequence')),
    schemas: schema.schemas.map(namespace => change(`schema ${namespace.name}`, namespace)),
    ...(schema.others ? { others: schema.others.map(one => change(`${one.kind} ${one.name}`, one)) } : {}),
  }
}
