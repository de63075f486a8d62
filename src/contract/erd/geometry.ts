/** The shapes that a layout is made of. All in pixels, y growing downwards. */
import type { Card } from './card.ts'
import type { Relation } from './picture.ts'

export interface Box {
  readonly width: number
  readonly height: number
}

export interface Layout extends Box {
  readonly cards: readonly PlacedCard[]
  readonly lines: readonly PlacedLine[]
  /** One frame around each group of related schemas; none when there is one group only. */
  readonly frames: readonly Frame[]
  /** Relations that their row tells instead of a line, because lines from every table to one would hide all others. */
  readonly quiet: readonly Relation[]
}

export interface PlacedCard extends Point {
  readonly card: Card
}

export interface PlacedLine {
  readonly relation: Relation
  /** A cubic Bézier curve of 1 + 3n points from the child's end to the parent's; the ends lie `measure.margin` outside of the cards. */
  readonly points: readonly Point[]
}

export interface Point {
  readonly x: number
  readonly y: number
}

export interface Frame extends Box, Point {
  readonly label: string
}

/** Cards and lines with their own corner at (0, 0). */
export interface Region extends Box {
  readonly label: string
  readonly cards: readonly PlacedCard[]
  readonly lines: readonly PlacedLine[]
}
