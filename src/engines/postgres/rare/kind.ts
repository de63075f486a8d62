/** How a file of this folder asks for a kind of object that few databases have. */

export interface Rare {
  /** A condition that is cheap to ask: there may be some. Null where the columns tell. */
  readonly gate: string | null
  /** A query for `kind, schema, name, "table", target, definition, comment, owner`; owner is null where it is not compared. */
  readonly others?: string
  /** A query for `object, property, "table", value, make, undo, position`. */
  readonly settings?: string
}

/** There is one of a catalog whose objects always depend on another one, such as a schema: all of these are looked for at once. */
export function listed(catalog: string): string {
  return `${catalogOid(catalog)} = any (d.classes)`
}

/** There is a relation of users with this; `c` is its row, and all of them are looked at once. */
export function relation(condition: string): string {
  return `${asked}${condition}`
}

const asked = '/* relation */ '

/** The gates of all kinds as conditions on what two looks find: the classes of objects that there are, and relations. */
export function gateQueryOf(gates: Readonly<Record<string, string>>): string {
  const names = Object.entries(gates)
  const ofRelations = names.filter(([, gate]) => gate.startsWith(asked))
  const classes = [...new Set(names.flatMap(([, gate]) => /^('\w+'::regclass::oid) = any/.exec(gate)?.[1] ?? []))]
  const flags = ofRelations.map(([name, gate]) => `coalesce(bool_or(${gate.slice(asked.length)}), false) as "${name}"`)
  const kinds = names.map(
    ([name, gate]) => `case when ${gate.startsWith(asked) ? `r."${name}"` : gate} then '${name}' end`,
  )
  return `select array_remove(array[\n${kinds.join(',\n')}\n], null) as kinds
from (
  select ${flags.join(',\n    ')}
  from pg_class c
  where c.oid >= 16384
) r, (
  select coalesce(array_agg(k), '{}') as classes
  from unnest(array[${classes.join(', ')}]) k
  where exists (select from pg_depend d where d.classid = k and d.objid >= 16384)
) d`
}

function catalogOid(catalog: string): string {
  return `'${catalog}'::regclass::oid`
}

/** Objects that users made have greater numbers than the system's. */
export function some(catalog: string, condition = 'true'): string {
  return `exists (select from ${catalog} x where x.oid >= 16384 and ${condition})`
}

/** No extension brought it along. */
export function notOfExtension(catalog: string, oid: string): string {
  return `not exists (select from pg_depend brought where brought.classid = '${catalog}'::regclass and brought.objid = ${oid} and brought.deptype = 'e')`
}

/** What belongs to no schema is told where no schemas are asked for by name. */
export const ofDatabase = '$1::text[] is null'

/** Values that may be secrets stay where they are. */
export const openOptions = `
  select o.option_name as name, o.option_value as value
  from pg_options_to_table(of_options) o
  where o.option_name !~* '(pass|secret|token|credential|private|api_?key|access_?key)' and o.option_value !~ '://[^/@]*:[^/@]*@'`
