/**
 * Lays out tables that are connected by relations, with Graphviz as WebAssembly. Graphviz has no font here, so it is given boxes whose size is known already,
 * with a port for each row, and answers with places and curves; the drawing is ours.
 */
import type { Viz } from '@viz-js/viz'
import { anchorY, type Card, measure } from './card.ts'
import type { PlacedLine, Point, Region } from './geometry.ts'
import { cost } from './pack.ts'
import type { Relation } from './picture.ts'

/** Places the cards of one connected component, from (0, 0), children to the right of their parents. */
export async function layoutComponent(
  cards: readonly Card[],
  relations: readonly Relation[],
): Promise<Omit<Region, 'label'>> {
  const [only] = cards
  const related = relations.filter(({ child, parent }) => child !== parent)
  if (only && related.length === 0) return alone(only, relations)
  viz ??= import('@viz-js/viz').then(({ instance }) => instance())
  const graphviz = await viz
  const edges = forward(cards, related)
  const candidates = [1, 2, 3, 4, 5]
    .slice(0, cards.length > 6 ? 5 : 1)
    .map(steps => cropped(spread(withLoops(run(graphviz, cards, edges, steps), relations))))
  return candidates.reduce((least, candidate) => (cost(candidate) < cost(least) ? candidate : least))
}

/** Loaded when the first picture with relations is laid out, then kept: loading takes longer than laying out. */
let viz: Promise<Viz> | undefined

interface Edge {
  readonly relation: Relation
  readonly left: string
  readonly right: string
  /** True when the child stands left of its parent, because a circle of relations had to be broken. */
  readonly reversed: boolean
  /** Nothing stands to the right of `right`. */
  readonly leaf: boolean
}

/** Gives each relation a direction so that there is no circle: what is pointed to most stands left. */
function forward(cards: readonly Card[], relations: readonly Relation[]): readonly Edge[] {
  const rank = new Map<string, number>()
  const visiting = new Set<string>()
  const visit = (id: string): void => {
    if (rank.has(id) || visiting.has(id)) return
    visiting.add(id)
    for (const { child, parent } of relations) if (child === id) visit(parent)
    rank.set(id, rank.size)
  }
  const pointedTo = (id: string): number => relations.filter(({ parent }) => parent === id).length
  for (const { entity } of cards.toSorted((a, b) => pointedTo(b.entity.id) - pointedTo(a.entity.id))) visit(entity.id)
  const edges = relations.map(relation => {
    const reversed = (rank.get(relation.child) ?? 0) < (rank.get(relation.parent) ?? 0)
    return {
      relation,
      reversed,
      left: reversed ? relation.child : relation.parent,
      right: reversed ? relation.parent : relation.child,
    }
  })
  const inner = new Set(edges.map(edge => edge.left))
  return edges.map(edge => ({ ...edge, leaf: !inner.has(edge.right) }))
}

type Drawing = Pick<Region, 'cards' | 'lines'>

interface Answer {
  readonly bb: string
  readonly objects?: readonly { readonly name: string; readonly pos: string }[]
  readonly edges?: readonly { readonly id: string; readonly pos: string }[]
}

/** With more `steps`, tables that nothing depends on take turns in standing further right, so that a column does not grow without end. */
function run(graphviz: Viz, cards: readonly Card[], edges: readonly Edge[], steps: number): Drawing {
  const number = new Map(cards.map((card, index) => [card.entity.id, index]))
  const leaves = [...new Set(edges.filter(edge => edge.leaf).map(edge => edge.right))]
  const port = (id: string, column: string): string => {
    const index = number.get(id) ?? 0
    return `n${index}:r${cards[index]?.rows.findIndex(row => row.column.name === column) ?? -1}`.replace('r-1', 'h')
  }
  const dot = [
    'digraph {',
    'graph [rankdir=LR, nodesep=0.45, ranksep=0.45, splines=true, outputorder=nodesfirst]',
    'node [shape=plain]',
    'edge [dir=none]',
    ...cards.map((card, index) => `n${index} [label=<${boxes(card)}>]`),
    ...edges.map(({ relation, left, right, reversed, leaf }, index) => {
      const [from, to] = reversed
        ? [relation.childAnchor, relation.parentAnchor]
        : [relation.parentAnchor, relation.childAnchor]
      const far = leaf ? 1 + (leaves.indexOf(right) % steps) : 1
      return `${port(left, from)}:e -> ${port(right, to)}:w [id="${index}", minlen=${far}]`
    }),
    '}',
  ].join('\n')
  const answer = graphviz.renderJSON(dot, { yInvert: true }) as Answer
  return read(answer, cards, edges)
}

function boxes(card: Card): string {
  const cell = (port: string, height: number): string =>
    `<TR><TD PORT="${port}" FIXEDSIZE="TRUE" WIDTH="${card.width + 2 * measure.margin}" HEIGHT="${height}"></TD></TR>`
  const foot = card.height - measure.header - card.rows.length * measure.row
  const rows = [
    cell('h', measure.header),
    ...card.rows.map((_, index) => cell(`r${index}`, measure.row)),
    ...(foot > 0 ? [cell('f', foot)] : []),
  ]
  return `<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">${rows.join('')}</TABLE>`
}

function read(answer: Answer, cards: readonly Card[], edges: readonly Edge[]): Drawing {
  const placed = (answer.objects ?? []).flatMap(object => {
    const card = cards[Number(object.name.slice(1))]
    const [x = 0, y = 0] = numbers(object.pos)
    return card ? [{ card, x: Math.round(x - card.width / 2), y: Math.round(y - card.height / 2) }] : []
  })
  const lines = (answer.edges ?? []).flatMap(({ id, pos }) => {
    const edge = edges[Number(id)]
    if (!edge) return []
    const points = pos.split(' ').map(pair => {
      const [x = 0, y = 0] = numbers(pair)
      return { x, y }
    })
    return [{ relation: edge.relation, points: edge.reversed ? points : points.toReversed() }]
  })
  return { cards: placed, lines }
}

function withLoops({ cards, lines }: Drawing, relations: readonly Relation[]): Drawing {
  return { cards, lines: [...lines, ...cards.flatMap(({ card, x, y }) => loops(card, relations, x, y))] }
}

/** Moves everything so that it begins at (0, 0), the margins left and right of the cards included. */
function cropped({ cards, lines }: Drawing): Omit<Region, 'label'> {
  const points: readonly Point[] = [
    ...cards.flatMap(({ card, x, y }) => [
      { x: x - measure.margin, y },
      { x: x + card.width + measure.margin, y: y + card.height },
    ]),
    ...lines.flatMap(line => line.points),
  ]
  const [left, top] = [
    Math.floor(Math.min(...points.map(point => point.x))),
    Math.floor(Math.min(...points.map(point => point.y))),
  ]
  return {
    width: Math.ceil(Math.max(...points.map(point => point.x))) - left,
    height: Math.ceil(Math.max(...points.map(point => point.y))) - top,
    cards: cards.map(placed => ({ ...placed, x: placed.x - left, y: placed.y - top })),
    lines: lines.map(line => ({ ...line, points: line.points.map(({ x, y }) => ({ x: x - left, y: y - top })) })),
  }
}

function alone(card: Card, relations: readonly Relation[]): Omit<Region, 'label'> {
  const margin = relations.length ? measure.margin + relations.length * loopStep : 0
  return {
    width: card.width + margin,
    height: card.height,
    cards: [{ card, x: 0, y: 0 }],
    lines: spread({ cards: [], lines: loops(card, relations, 0, 0) }).lines,
  }
}

const loopStep = 10

/** A relation of a table to itself bows out on the right, from row to row. */
function loops(card: Card, relations: readonly Relation[], x: number, y: number): Region['lines'] {
  const own = relations.filter(({ child, parent }) => child === card.entity.id && parent === card.entity.id)
  return own.map((relation, index) => {
    const edge = x + card.width + measure.margin
    const [from, to] = [y + anchorY(card, relation.childAnchor), y + anchorY(card, relation.parentAnchor)]
    const out = edge + (index + 1) * loopStep
    return {
      relation,
      points: [
        { x: edge, y: from },
        { x: out, y: from },
        { x: out, y: to },
        { x: edge, y: to },
      ],
    }
  })
}

/** Ends of different kinds at the same row and side, such as one and many, part by half a row so that each can be read. */
function spread({ cards, lines }: Drawing): Drawing {
  const kinds = new Map<string, Set<string>>()
  for (const line of lines)
    for (const end of endsOf(line)) kinds.set(end.place, (kinds.get(end.place) ?? new Set()).add(end.kind))
  const move = (end: LineEnd): number => {
    const all = [...(kinds.get(end.place) ?? [])].sort()
    return (all.indexOf(end.kind) - (all.length - 1) / 2) * (measure.row / 2)
  }
  const moved = lines.map(line => {
    const [child, parent] = endsOf(line)
    const last = line.points.length - 1
    return {
      ...line,
      points: line.points.map((point, index) => ({
        x: point.x,
        y: point.y + (index < 2 ? move(child) : index > last - 2 ? move(parent) : 0),
      })),
    }
  })
  return { cards, lines: moved }
}

interface LineEnd {
  readonly place: string
  readonly kind: string
}

function endsOf({ relation, points }: PlacedLine): readonly [LineEnd, LineEnd] {
  const place = (point: Point | undefined): string => `${Math.round(point?.x ?? 0)} ${Math.round(point?.y ?? 0)}`
  return [
    { place: place(points[0]), kind: relation.childCount === 'zero or many' ? 'many' : 'zero or one' },
    { place: place(points.at(-1)), kind: relation.parentCount },
  ]
}

function numbers(text: string): readonly number[] {
  return text.split(',').map(Number)
}
