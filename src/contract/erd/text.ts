/**
 * How wide text gets. A picture is drawn where no font can be measured and read where another font is installed, so these are the advance widths
 * of DejaVu Sans, about the widest of the fonts that `system-ui` stands for: elsewhere text is a little narrower and never overflows.
 */
export type Face = 'regular' | 'bold' | 'mono'

export const fonts: Readonly<Record<Face, string>> = {
  regular: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  bold: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  mono: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", "DejaVu Sans Mono", monospace',
}

/** Width in pixels of one line of text. */
export function textWidth(text: string, size: number, face: Face): number {
  let hundredths = 0
  for (const character of text) hundredths += advance(character, face)
  return (hundredths * size) / 100
}

/** The text, or as much of it as fits with an ellipsis. */
export function fitText(text: string, size: number, face: Face, widthMax: number): string {
  if (textWidth(text, size, face) <= widthMax) return text
  const characters = Array.from(text)
  while (characters.length > 1 && textWidth(`${characters.join('')}…`, size, face) > widthMax) characters.pop()
  return `${characters.join('')}…`
}

/** In hundredths of the font size. Ideographs and symbols take a whole square. */
function advance(character: string, face: Face): number {
  const code = character.codePointAt(0) ?? 0
  if (code >= 0x1100) return 105
  if (face === 'mono') return 62
  return (face === 'bold' ? bold : regular)[code - 32] ?? (face === 'bold' ? 85 : 78)
}

/** For the characters from space to tilde. */
const regular = widths(
  '32 40 46 84 64 95 78 27 39 39 50 84 32 36 32 34 64 64 64 64 64 64 64 64 64 64 34 34 84 84 84 53 100 68 69 70 77 63 58 77 75 29 29 66 56 86 75 79 60 79 69 63 61 73 68 99 69 61 69 39 34 39 84 50 50 61 63 55 63 62 35 63 63 28 28 58 28 97 63 61 63 63 41 52 39 63 59 82 59 59 52 64 34 64 84',
)
const bold = widths(
  '35 46 52 84 70 100 87 31 46 46 52 84 38 42 38 37 70 70 70 70 70 70 70 70 70 70 40 40 84 84 84 58 100 77 76 73 83 68 68 82 84 37 37 77 64 100 84 85 73 85 77 72 68 81 77 110 77 72 73 46 37 46 84 50 50 67 72 59 72 68 44 72 71 34 34 67 34 104 71 69 72 72 49 60 48 71 65 92 65 65 58 71 37 71 84',
)

function widths(list: string): readonly number[] {
  return list.split(' ').map(Number)
}
