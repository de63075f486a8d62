/** What the marks mean, in as many rows as the picture's width asks for. */
import type { DataClass } from '../../schema/classification.ts'
import { ink } from './colours.ts'
import type { Picture, Relation } from './picture.ts'
import { classSvg, protectionSvg } from './svg-card.ts'
import { endSvg } from './svg-line.ts'
import { textSvg } from './svg-text.ts'
import { textWidth } from './text.ts'

export interface Legend {
  readonly height: number
  readonly lines: readonly string[]
}

export interface LegendInputs {
  readonly width: number
  readonly classes: readonly DataClass[]
  readonly picture: Picture
  readonly quiet: readonly Relation[]
}

/** Only marks that the picture has are explained. */
export function legendOf({ width, classes, picture, quiet }: LegendInputs): Legend {
  const placed: string[] = []
  let [x, row] = [0, 0]
  for (const item of items(classes, picture, quiet)) {
    const itemWidth = item.markWidth + 6 + textWidth(item.label, size, 'regular')
    if (x > 0 && x + itemWidth > width) [x, row] = [0, row + 1]
    const middle = row * rowHeight + rowHeight / 2
    placed.push(
      `<g>${item.draw(x, middle)}${textSvg({ x: x + item.markWidth + 6, y: middle + 4, size, fill: ink.muted }, item.label)}</g>`,
    )
    x += Math.ceil(itemWidth) + 22
  }
  return { height: placed.length ? (row + 1) * rowHeight : 0, lines: placed }
}

const size = 11
const rowHeight = 22

interface Item {
  readonly label: string
  readonly markWidth: number
  readonly draw: (x: number, middle: number) => string
}

function items(classes: readonly DataClass[], picture: Picture, quiet: readonly Relation[]): readonly Item[] {
  const columns = picture.entities.flatMap(entity => entity.columns)
  const optional = (has: boolean, item: Item): readonly Item[] => (has ? [item] : [])
  const counts = new Set<string>(
    picture.relations
      .filter(relation => !quiet.includes(relation))
      .flatMap(relation => [
        relation.childCount === 'zero or many' ? 'zero or many' : 'zero or one',
        relation.parentCount,
      ]),
  )
  const end = (label: 'exactly one' | 'zero or one' | 'zero or many'): readonly Item[] =>
    optional(counts.has(label), { label, markWidth: 26, draw: (x, middle) => lineEnd(x, middle, label) })
  const classified = columns.some(column => column.class !== null)
  return [
    ...optional(
      columns.some(column => column.primary),
      { label: 'primary key', markWidth: 13, draw: letters('PK', ink.primary) },
    ),
    ...optional(
      columns.some(column => column.foreign),
      { label: 'foreign key', markWidth: 13, draw: letters('FK', ink.foreign) },
    ),
    ...optional(
      columns.some(column => column.tenant),
      {
        label: 'tenant key',
        markWidth: 14,
        draw: (x, middle) =>
          `<rect x="${x}" y="${middle - 6}" width="14" height="12" fill="${ink.tenant}"/><rect x="${x}" y="${middle - 6}" width="3" height="12" fill="${ink.tenantMark}"/>`,
      },
    ),
    ...optional(quiet.length > 0, {
      label: 'key to a table that most point to, without a line',
      markWidth: 9,
      draw: (x, middle) => textSvg({ x, y: middle + 3.5, size: 10, fill: ink.foreign }, '→'),
    }),
    ...end('exactly one'),
    ...end('zero or one'),
    ...end('zero or many'),
    ...classes.map(name => ({
      label: name,
      markWidth: 8,
      draw: (x: number, middle: number) => classSvg(x + 4, middle, name),
    })),
    ...optional(classified && columns.some(column => column.class === null), {
      label: 'not classified',
      markWidth: 8,
      draw: (x, middle) => classSvg(x + 4, middle, null),
    }),
    ...optional(
      columns.some(column => column.protection === 'encrypted'),
      { label: 'encrypted', markWidth: 9, draw: (x, middle) => protectionSvg(x + 4.5, middle, 'encrypted') },
    ),
    ...optional(
      columns.some(column => column.protection === 'hashed'),
      { label: 'hashed', markWidth: 9, draw: (x, middle) => protectionSvg(x + 4.5, middle, 'hashed') },
    ),
  ]
}

function letters(text: string, fill: string): Item['draw'] {
  return (x, middle) => textSvg({ x, y: middle + 3.5, size: 9, face: 'bold', fill }, text)
}

function lineEnd(x: number, middle: number, label: 'exactly one' | 'zero or one' | 'zero or many'): string {
  return `<g fill="none" stroke="${ink.line}" stroke-width="1.4" stroke-linecap="round"><path d="M${x} ${middle}H${x + 24}"/>${endSvg({ x: x + 24, y: middle }, -1, label)}</g>`
}
