/** Text in SVG. */
import type { Face } from './text.ts'

export interface TextStyle {
  readonly x: number
  /** Baseline. */
  readonly y: number
  readonly size: number
  readonly fill: string
  readonly face?: Face
  readonly anchor?: 'start' | 'middle' | 'end'
}

export function textSvg({ x, y, size, fill, face = 'regular', anchor = 'start' }: TextStyle, text: string): string {
  const attributes = [
    face === 'mono' ? ' class="m"' : '',
    ` x="${round(x)}" y="${round(y)}" font-size="${size}"`,
    face === 'bold' ? ' font-weight="600"' : '',
    anchor === 'start' ? '' : ` text-anchor="${anchor}"`,
    ` fill="${fill}"`,
  ]
  return `<text${attributes.join('')}>${escapeXml(text)}</text>`
}

/** Escapes markup and leaves out the control characters that XML has no way to write. */
export function escapeXml(text: string): string {
  return text
    .replace(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** Tenths of a pixel are enough, and make short numbers. */
export function round(value: number): number {
  return Math.round(value * 10) / 10
}
