/**
 * Where cards and lines go. Tables that are related are laid out by Graphviz; groups of them, and tables without relations, are packed into a shape that
 * fits a screen, since Graphviz alone would make one endless column.
 */
import { compare } from '../fold.ts'
import { type Card, cardsOf } from './card.ts'
import type { Layout, Region } from './geometry.ts'
import { layoutComponent } from './graphviz.ts'
import { pack } from './pack.ts'
import type { Picture, Relation } from './picture.ts'

/** Lays a picture out, from (0, 0). The same picture gives the same layout on every machine. */
export async function layoutPicture(picture: Picture): Promise<Layout> {
  const quiet = quietRelations(picture)
  const cards = cardsOf(picture, quiet)
  const drawn = picture.relations.filter(relation => !quiet.includes(relation))
  const regions = await Promise.all(groups(picture, drawn).map(schemas => layoutRegion(schemas, picture, drawn, cards)))
  const framed = regions.length > 1
  const boxes = regions.map(region => ({
    width: region.width + (framed ? 2 * framePadding : 0),
    height: region.height + (framed ? framePadding + frameHead : 0),
  }))
  const packed = pack(boxes, regionGap)
  const moved = regions.map((region, index) => {
    const at = packed.places[index] ?? { x: 0, y: 0 }
    return shift(region, at.x + (framed ? framePadding : 0), at.y + (framed ? frameHead : 0))
  })
  return {
    width: packed.width,
    height: packed.height,
    cards: moved.flatMap(region => region.cards),
    lines: moved.flatMap(region => region.lines),
    frames: framed
      ? regions.map((region, index) => ({
          label: region.label,
          ...(packed.places[index] ?? { x: 0, y: 0 }),
          ...(boxes[index] ?? { width: 0, height: 0 }),
        }))
      : [],
    quiet,
  }
}

const framePadding = 24
const frameHead = 48
const regionGap = 32
const cardGap = 36
/** When more lines than this lead to one table, they are not drawn. */
const linesMax = 12

/** Keys of one column to a table that a great many point to, as to the tenants: the row says so instead of a line. */
function quietRelations(picture: Picture): readonly Relation[] {
  const simple = picture.relations.filter(
    ({ child, parent, childColumns }) => child !== parent && childColumns.length === 1,
  )
  const counts = new Map<string, number>()
  for (const { parent } of simple) counts.set(parent, (counts.get(parent) ?? 0) + 1)
  return simple.filter(({ parent }) => (counts.get(parent) ?? 0) > linesMax)
}

/** Schemas that relations connect stand together. */
function groups(picture: Picture, relations: readonly Relation[]): readonly (readonly string[])[] {
  const schemaOf = new Map(picture.entities.map(entity => [entity.id, entity.schema]))
  const edges = relations.map(({ child, parent }) => [schemaOf.get(child) ?? '', schemaOf.get(parent) ?? ''] as const)
  return connected([...new Set(schemaOf.values())].sort(compare), edges)
}

async function layoutRegion(
  schemas: readonly string[],
  picture: Picture,
  relations: readonly Relation[],
  cards: ReadonlyMap<string, Card>,
): Promise<Region> {
  const ids = picture.entities.filter(entity => schemas.includes(entity.schema)).map(entity => entity.id)
  const components = connected(
    ids,
    relations.map(({ child, parent }) => [child, parent] as const),
  )
  const parts = await Promise.all(
    components.map(members =>
      layoutComponent(
        members.flatMap(id => cards.get(id) ?? []),
        relations.filter(({ child }) => members.includes(child)),
      ),
    ),
  )
  const packed = pack(parts, cardGap)
  const moved = parts.map((part, index) =>
    shift({ ...part, label: '' }, packed.places[index]?.x ?? 0, packed.places[index]?.y ?? 0),
  )
  return {
    label: schemas.join(' · '),
    width: packed.width,
    height: packed.height,
    cards: moved.flatMap(part => part.cards),
    lines: moved.flatMap(part => part.lines),
  }
}

/** Connected components, each in the order of `names`. */
function connected(
  names: readonly string[],
  edges: readonly (readonly [string, string])[],
): readonly (readonly string[])[] {
  const leader = new Map(names.map(name => [name, name]))
  const find = (name: string): string => {
    const next = leader.get(name) ?? name
    return next === name ? name : find(next)
  }
  for (const [a, b] of edges) if (leader.has(a) && leader.has(b)) leader.set(find(a), find(b))
  const found = new Map<string, string[]>()
  for (const name of names) found.set(find(name), [...(found.get(find(name)) ?? []), name])
  return [...found.values()]
}

function shift(region: Region, dx: number, dy: number): Region {
  return {
    ...region,
    cards: region.cards.map(placed => ({ ...placed, x: placed.x + dx, y: placed.y + dy })),
    lines: region.lines.map(line => ({ ...line, points: line.points.map(({ x, y }) => ({ x: x + dx, y: y + dy })) })),
  }
}
