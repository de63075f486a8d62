/**
 * Who owns what follows from who connected, unless a migration says it. So what nobody said is expected of the role that owns most of the
 * same schema in the database that lives, and only what differs from that, or from what a migration said, is a difference.
 */
import { type Grant, type Owners, qualified, type Schema } from '../schema/model.ts'

/** What the migrations make, as if the usual owners of `live` had applied them. */
export function withUsualOwners(made: Schema, live: Schema): Schema {
  if (!made.owners || !live.owners) return made
  const maker = made.owners.database
  const unsaid = new Set(made.owners.objects.flatMap(({ object, role }) => (role === maker ? [object] : [])))
  const usual = usualOwners(live.owners, unsaid)
  const objects = made.owners.objects.map(one => (unsaid.has(one.object) ? { ...one, role: usual(one.schema) } : one))
  const roles = new Map(objects.map(({ object, role }) => [object, role]))
  const others = <T extends { readonly grants?: readonly Grant[] }>(one: T, owner: string | undefined): T => ({
    ...one,
    // What an owner may do anyway is not listed among what was granted.
    ...(one.grants ? { grants: one.grants.filter(({ role }) => role !== owner) } : {}),
  })
  const defaults = made.defaultGrants
    ?.map(one => ({ ...one, role: one.role === maker ? usual(one.schema) : one.role }))
    .map(one => others(one, one.role))
    .filter(one => one.schema === null || one.grants.length > 0)
  return {
    ...made,
    owners: { database: usual(null), objects },
    ...(defaults ? { defaultGrants: defaults } : {}),
    schemas: made.schemas.map(one => others(one, roles.get(`schema ${one.name}`))),
    tables: made.tables.map(one => others(one, roles.get(`table ${qualified(one)}`))),
    views: made.views.map(one => others(one, roles.get(`view ${qualified(one)}`))),
    sequences: made.sequences.map(one => others(one, roles.get(`sequence ${qualified(one)}`))),
    routines: made.routines.map(one => others(one, roles.get(`routine ${qualified(one)}(${one.arguments})`))),
  }
}

/** The role with the most objects of a schema; of two the one with more in the whole database. Null asks for the whole database. */
function usualOwners({ database, objects }: Owners, counted: ReadonlySet<string>): (schema: string | null) => string {
  const own = objects.filter(({ object }) => counted.has(object))
  const everywhere = counts(own)
  const first = (among: ReadonlyMap<string, number>): string | undefined =>
    [...among].toSorted(
      ([a, many], [b, more]) => more - many || (everywhere.get(b) ?? 0) - (everywhere.get(a) ?? 0) || (a < b ? -1 : 1),
    )[0]?.[0]
  const overall = first(everywhere) ?? database
  const bySchema = new Map(
    [...new Set(own.map(({ schema }) => schema))].map(schema => [
      schema,
      first(counts(own.filter(one => one.schema === schema))) ?? overall,
    ]),
  )
  return schema => (schema === null ? overall : (bySchema.get(schema) ?? overall))
}

function counts(objects: Owners['objects']): Map<string, number> {
  const found = new Map<string, number>()
  for (const { role } of objects) found.set(role, (found.get(role) ?? 0) + 1)
  return found
}
