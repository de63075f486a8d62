/** One table as a card. */
import { type Card, type CardRow, faceOf, measure } from './card.ts'
import { classColours, ink } from './colours.ts'
import type { PlacedCard } from './geometry.ts'
import type { EntityColumn } from './picture.ts'
import { escapeXml, textSvg } from './svg-text.ts'

export function cardSvg({ card, x, y }: PlacedCard, band: string): string {
  const { width, height, entity } = card
  const body = card.rows.length > 0
  return [
    `<g transform="translate(${x} ${y})">`,
    `<title>${escapeXml(entity.purpose ? `${entity.id}: ${entity.purpose}` : entity.id)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${ink.card}" stroke="${ink.border}"/>`,
    body
      ? `<path d="M0 ${measure.header}V8a8 8 0 0 1 8-8H${width - 8}a8 8 0 0 1 8 8V${measure.header}Z" fill="${band}"/>`
      : `<rect width="${width}" height="${height}" rx="8" fill="${band}"/>`,
    textSvg({ x: 12, y: 15.5, size: measure.headerSmall, fill: '#c9d5e3' }, card.schema),
    card.badges
      ? textSvg({ x: width - 12, y: 15.5, size: measure.headerSmall, fill: '#c9d5e3', anchor: 'end' }, card.badges)
      : '',
    textSvg({ x: 12, y: 33, size: measure.headerName, face: 'bold', fill: '#ffffff' }, card.name),
    ...card.rows.map((row, index) => rowSvg(row, card, index === 0 ? 'first' : 'later')),
    '</g>',
  ]
    .filter(Boolean)
    .join('\n')
}

/** The mark of a value's protection: a lock for encrypted, a number sign for hashed. */
export function protectionSvg(x: number, middle: number, protection: EntityColumn['protection']): string {
  if (protection === 'encrypted') {
    return `<g fill="none" stroke="${ink.muted}" stroke-width="1.3"><rect x="${x - 4}" y="${middle - 1}" width="8" height="6" rx="1.2" fill="${ink.muted}"/><path d="M${x - 2.5} ${middle - 1}v-1.5a2.5 2.5 0 0 1 5 0v1.5"/></g>`
  }
  return protection === 'hashed'
    ? textSvg({ x, y: middle + 4, size: 11, face: 'mono', fill: ink.muted, anchor: 'middle' }, '#')
    : ''
}

/** The mark of a column's class. A column that nobody classified has an empty ring. */
export function classSvg(x: number, middle: number, name: EntityColumn['class']): string {
  return name === null
    ? `<circle cx="${x}" cy="${middle}" r="3.6" fill="none" stroke="${ink.border}" stroke-dasharray="2 1.6"/>`
    : `<circle cx="${x}" cy="${middle}" r="4" fill="${classColours[name]}"/>`
}

function rowSvg(
  { column, y, name, type, target, nullX, targetX }: CardRow,
  { width, nameX, typeX, classified }: Card,
  position: 'first' | 'later',
): string {
  const middle = y + measure.row / 2
  const base = middle + 4
  return [
    '<g>',
    `<title>${escapeXml(tooltip(column, target))}</title>`,
    column.tenant
      ? `<rect x="0.5" y="${y}" width="${width - 1}" height="${measure.row}" fill="${ink.tenant}"/><rect x="0.5" y="${y}" width="3" height="${measure.row}" fill="${ink.tenantMark}"/>`
      : '',
    position === 'first' ? '' : `<path d="M1 ${y}H${width - 1}" stroke="${ink.rule}"/>`,
    column.primary ? textSvg({ x: 11, y: base - 0.5, size: measure.small, face: 'bold', fill: ink.primary }, 'PK') : '',
    column.foreign ? textSvg({ x: 29, y: base - 0.5, size: measure.small, face: 'bold', fill: ink.foreign }, 'FK') : '',
    textSvg({ x: nameX, y: base, size: measure.name, face: faceOf(column), fill: ink.text }, name),
    textSvg({ x: typeX, y: base, size: measure.type, face: 'mono', fill: ink.muted }, type),
    column.nullable ? textSvg({ x: nullX, y: base, size: measure.small, fill: '#93a1b3' }, 'null') : '',
    target ? textSvg({ x: targetX, y: base, size: measure.small, fill: ink.foreign }, target) : '',
    classified ? protectionSvg(width - 30, middle, column.protection) + classSvg(width - 14, middle, column.class) : '',
    '</g>',
  ].join('')
}

function tooltip(column: EntityColumn, target: string): string {
  const parts = [
    `${column.name} ${column.type}`,
    column.nullable ? 'may be null' : 'never null',
    column.class ?? 'not classified',
    column.protection === 'none' ? null : column.protection,
    column.tenant ? 'tenant key' : null,
    target,
  ]
  return parts.filter(Boolean).join(', ')
}
