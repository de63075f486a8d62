/** The measures of one table as it is drawn: a header band and a row for each column. All in pixels, from the card's own corner. */
import { fitText, textWidth } from './text.ts'
import type { Entity, EntityColumn, Picture, Relation } from './picture.ts'

export interface Card {
  readonly entity: Entity
  readonly width: number
  readonly height: number
  readonly name: string
  readonly schema: string
  readonly badges: string
  readonly rows: readonly CardRow[]
  /** Where the texts of a row begin. */
  readonly nameX: number
  readonly typeX: number
  /** False when nothing in the picture is classified, so that no mark would tell anything. */
  readonly classified: boolean
}

export interface CardRow {
  readonly column: EntityColumn
  /** Top of the row. */
  readonly y: number
  readonly name: string
  readonly type: string
  /** Where the column points to when no line tells it, such as `→ organizations`; else empty. */
  readonly target: string
  /** Where the texts behind the type begin. */
  readonly nullX: number
  readonly targetX: number
}

export const measure = {
  header: 42,
  row: 22,
  foot: 6,
  /** Free ground left and right of a card, on which the ends of its lines are drawn. */
  margin: 26,
  headerName: 14,
  headerSmall: 10,
  name: 12.5,
  type: 11,
  small: 9,
  wordGap: 6,
} as const

const nameWidthMax = 330
const typeWidthMax = 210

/** Measures every table of a picture. `quiet` are the relations that no line is drawn for. */
export function cardsOf(picture: Picture, quiet: readonly Relation[]): ReadonlyMap<string, Card> {
  const classified = picture.entities.some(entity => entity.columns.some(column => column.class !== null))
  const nameOf = new Map(picture.entities.map(entity => [entity.id, entity.name]))
  const targets = new Map(
    quiet.map(({ child, childAnchor, parent }) => [`${child}.${childAnchor}`, nameOf.get(parent) ?? parent]),
  )
  return new Map(
    picture.entities.map(entity => [
      entity.id,
      cardOf(entity, { classified, targetOf: column => targets.get(`${entity.id}.${column}`) }),
    ]),
  )
}

interface CardInputs {
  readonly classified: boolean
  readonly targetOf: (column: string) => string | undefined
}

function cardOf(entity: Entity, { classified, targetOf }: CardInputs): Card {
  const texts = entity.columns.map(column => ({
    column,
    name: fitText(column.name, measure.name, faceOf(column), nameWidthMax),
    type: fitText(column.type, measure.type, 'mono', typeWidthMax),
    target:
      targetOf(column.name) === undefined
        ? ''
        : fitText(`→ ${targetOf(column.name)}`, measure.small, 'regular', typeWidthMax),
  }))
  const badges = [entity.partitioned === null ? '' : 'partitioned', entity.rowSecurity ? 'row security' : '']
    .filter(Boolean)
    .join(' · ')
  const schema = fitText(entity.schema, measure.headerSmall, 'regular', nameWidthMax)
  const name = fitText(entity.name, measure.headerName, 'bold', nameWidthMax + typeWidthMax)
  const keys = texts.some(({ column }) => column.primary || column.foreign)
  const nameX = keys ? 50 : 14
  const typeX = Math.ceil(
    nameX + widest(texts.map(({ name, column }) => textWidth(name, measure.name, faceOf(column)))) + 16,
  )
  const rows = texts.map((row, index) => {
    const nullX = typeX + textWidth(row.type, measure.type, 'mono') + measure.wordGap
    const targetX = nullX + (row.column.nullable ? textWidth('null', measure.small, 'regular') + measure.wordGap : 0)
    return { ...row, y: measure.header + index * measure.row, nullX, targetX }
  })
  const textEnd = widest(
    rows.map(row =>
      row.target ? row.targetX + textWidth(row.target, measure.small, 'regular') : row.targetX - measure.wordGap,
    ),
  )
  const headerWidth = Math.max(
    textWidth(name, measure.headerName, 'bold'),
    textWidth(schema, measure.headerSmall, 'regular') +
      (badges ? 20 + textWidth(badges, measure.headerSmall, 'regular') : 0),
  )
  const width = Math.ceil(Math.max(headerWidth + 24, textEnd + 12 + (classified ? marksWidth : 4), 150))
  const height = measure.header + rows.length * measure.row + (rows.length ? measure.foot : 0)
  return { entity, width, height, name, schema, badges, rows, nameX, typeX, classified }
}

/** The middle of a column's row; of the header when the column is not drawn. */
export function anchorY(card: Card, column: string): number {
  const row = card.rows.find(candidate => candidate.column.name === column)
  return row ? row.y + measure.row / 2 : measure.header / 2
}

/** A column that is never null is written bold in the primary key, else plain. */
export function faceOf(column: EntityColumn): 'bold' | 'regular' {
  return column.primary ? 'bold' : 'regular'
}

/** Room for the marks at the right: protection and class. */
const marksWidth = 42

function widest(widths: readonly number[]): number {
  return widths.reduce((most, width) => Math.max(most, width), 0)
}
