/** Cuts a picture that is too large for one diagram into parts of tables that belong together. */
import { compare } from '../fold.ts'
import type { Picture } from './picture.ts'

export interface Part {
  /** The part's own tables and, so that no relation dangles, the tables they point to. */
  readonly picture: Picture
  /** The tables that belong to this part; each table belongs to exactly one. */
  readonly members: ReadonlySet<string>
}

export interface PartsOptions {
  readonly entitiesMax: number
  /** False when a part is too large for another reason; it is then cut in half. */
  readonly fits: (part: Part) => boolean
}

export function partsOf(picture: Picture, { entitiesMax, fits }: PartsOptions): readonly Part[] {
  const order = neighbourly(picture)
  const count = Math.ceil(order.length / entitiesMax)
  const size = Math.ceil(order.length / count)
  return Array.from({ length: count }, (_, index) => order.slice(index * size, (index + 1) * size)).flatMap(ids =>
    halved(picture, ids, fits),
  )
}

function halved(picture: Picture, ids: readonly string[], fits: (part: Part) => boolean): readonly Part[] {
  const part = partOf(picture, new Set(ids))
  if (ids.length <= 1 || fits(part)) return [part]
  const middle = Math.ceil(ids.length / 2)
  return [...halved(picture, ids.slice(0, middle), fits), ...halved(picture, ids.slice(middle), fits)]
}

function partOf(picture: Picture, members: ReadonlySet<string>): Part {
  const relations = picture.relations.filter(relation => members.has(relation.child))
  const shown = new Set([...members, ...relations.map(relation => relation.parent)])
  return {
    members,
    picture: { ...picture, entities: picture.entities.filter(entity => shown.has(entity.id)), relations },
  }
}

/**
 * Tables in an order in which neighbours stand together: by schema, then breadth first along relations. Hubs, to which a quarter of all tables point,
 * are not walked through, because through them everything is everything's neighbour.
 */
function neighbourly(picture: Picture): readonly string[] {
  const pointed = new Map<string, number>()
  for (const { parent } of picture.relations) pointed.set(parent, (pointed.get(parent) ?? 0) + 1)
  const hub = (id: string): boolean => (pointed.get(id) ?? 0) > Math.max(8, picture.entities.length / 4)
  const near = new Map(picture.entities.map(entity => [entity.id, new Set<string>()]))
  for (const { child, parent } of picture.relations) {
    if (hub(child) || hub(parent)) continue
    near.get(child)?.add(parent)
    near.get(parent)?.add(child)
  }
  const schemaOf = new Map(picture.entities.map(entity => [entity.id, entity.schema]))
  const order = new Set<string>()
  for (const { id: start, schema } of picture.entities.toSorted(
    (a, b) => compare(a.schema, b.schema) || Number(hub(b.id)) - Number(hub(a.id)) || compare(a.id, b.id),
  )) {
    const queue = [start]
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      if (order.has(id)) continue
      order.add(id)
      queue.push(
        ...[...(near.get(id) ?? [])].filter(other => schemaOf.get(other) === schema && !order.has(other)).sort(compare),
      )
    }
  }
  return [...order]
}
