/** What two servers of different versions give by themselves, which is nothing that anybody changed. */
import type { Grant, Schema } from '../schema/model.ts'

/**
 * Without rights that only the newer one of both knows, which `grant all` gives there, and without the right to make objects in the schema public,
 * which everybody has on older ones.
 */
export function withoutGivenBetween(one: number, other: number, schemas: readonly [Schema, Schema]): [Schema, Schema] {
  const lies = (since: number) => Math.min(one, other) < since && since <= Math.max(one, other)
  const common = (schema: Schema) => {
    const known = lies(17) ? withoutMaintain(schema) : schema
    return lies(15) ? withoutPublicMaking(known) : known
  }
  return [common(schemas[0]), common(schemas[1])]
}

function withoutMaintain(schema: Schema): Schema {
  const own = <T extends { readonly grants: readonly Grant[] }>(object: T): T => ({
    ...object,
    grants: without(object.grants, /^maintain\b/),
  })
  return {
    ...schema,
    tables: schema.tables.map(own),
    views: schema.views.map(own),
    defaultGrants: (schema.defaultGrants ?? []).map(own).filter(({ grants }) => grants.length > 0),
  }
}

function withoutPublicMaking(schema: Schema): Schema {
  const schemas = schema.schemas.map(one =>
    one.name === 'public' ? { ...one, grants: without(one.grants, /^create\b/, 'public') } : one,
  )
  return { ...schema, schemas }
}

function without(grants: readonly Grant[], privilege: RegExp, role?: string): Grant[] {
  return grants
    .map(grant =>
      role === undefined || grant.role === role
        ? { ...grant, privileges: grant.privileges.filter(one => !privilege.test(one)) }
        : grant,
    )
    .filter(({ privileges }) => privileges.length > 0)
}
