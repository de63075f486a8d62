/** Relations as curves with crow's feet. */
import { ink } from './colours.ts'
import { measure } from './card.ts'
import type { PlacedLine, Point } from './geometry.ts'
import type { Relation } from './picture.ts'
import { escapeXml, round } from './svg-text.ts'

export function lineSvg({ relation, points }: PlacedLine): string {
  const [first, second] = points
  const [beforeLast, last] = points.slice(-2)
  if (!first || !second || !last || !beforeLast) return ''
  const childSide = side(first, second)
  const parentSide = side(last, beforeLast)
  const from = { x: first.x - childSide * measure.margin, y: first.y }
  const to = { x: last.x - parentSide * measure.margin, y: last.y }
  return [
    `<g fill="none" stroke="${ink.line}" stroke-width="1.4" stroke-linecap="round">`,
    `<title>${escapeXml(sentence(relation))}</title>`,
    `<path d="M${pair(from)}L${pair(first)}${curve(points.slice(1))}L${pair(to)}"/>`,
    endSvg(from, childSide, relation.childCount),
    endSvg(to, parentSide, relation.parentCount),
    '</g>',
  ].join('')
}

/** What stands at the end of a line at a card's edge; `side` is 1 when the line goes off to the right. */
export function endSvg({ x, y }: Point, side: 1 | -1, many: Relation['childCount'] | Relation['parentCount']): string {
  const at = (distance: number): number => round(x + side * distance)
  const bar = (distance: number): string => `<path d="M${at(distance)} ${round(y - 5)}v10"/>`
  const ring = (distance: number): string =>
    `<circle cx="${at(distance)}" cy="${round(y)}" r="4" fill="${ink.ground}"/>`
  if (many === 'exactly one') return bar(6) + bar(11)
  if (many === 'zero or one') return bar(6) + ring(13)
  return `<path d="M${at(0)} ${round(y - 6.5)}L${at(12)} ${round(y)}L${at(0)} ${round(y + 6.5)}"/>${ring(16)}`
}

/** Lines leave and arrive left or right of a card, never above or below. */
function side(end: Point, next: Point): 1 | -1 {
  return next.x >= end.x ? 1 : -1
}

function curve(points: readonly Point[]): string {
  const thirds = Array.from({ length: Math.floor(points.length / 3) }, (_, index) =>
    points.slice(index * 3, index * 3 + 3),
  )
  return thirds.map(three => `C${three.map(pair).join(' ')}`).join('')
}

function pair({ x, y }: Point): string {
  return `${round(x)} ${round(y)}`
}

function sentence({ name, child, childColumns, parent, parentColumns, childCount, parentCount }: Relation): string {
  return `${name}: ${child} (${childColumns.join(', ')}) to ${parentCount} ${parent} (${parentColumns.join(', ')}), which has ${childCount}`
}
