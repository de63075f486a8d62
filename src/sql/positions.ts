/** Positions in text. Parsers count UTF-8 bytes or code points, strings count UTF-16 units, people count lines and columns from 1. */

export interface LineColumn {
  readonly line: number
  readonly column: number
}

/** Answers line and column (both from 1, columns in UTF-16 units) of string indexes, after one pass over the text. */
export function lineIndex(text: string): (index: number) => LineColumn {
  const starts = text === lastStarts.text ? lastStarts.starts : lineStarts(text)
  lastStarts = { text, starts }
  return index => {
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] ?? 0) <= index) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: index - (starts[low] ?? 0) + 1 }
  }
}

/** One text is asked again and again before it is the next one's turn. */
let lastStarts: { readonly text: string; readonly starts: readonly number[] } = { text: '', starts: [0] }

/** The string index of a line and of a column that counts code points, as servers answer them. */
export function indexAt(text: string, line: number, column: number): number {
  const start = lineStarts(text)[line - 1] ?? text.length
  return start + codePointIndex(text.slice(start), column - 1)
}

/** Turns UTF-8 byte offsets into string indexes. Ascending offsets cost one pass over the text in all. */
export function byteIndex(text: string): (offset: number) => number {
  if (Buffer.byteLength(text) === text.length) return offset => offset
  const bytes = Buffer.from(text, 'utf8')
  let seenBytes = 0
  let seenUnits = 0
  return offset => {
    if (offset < seenBytes) {
      seenBytes = 0
      seenUnits = 0
    }
    seenUnits += bytes.toString('utf8', seenBytes, offset).length
    seenBytes = offset
    return seenUnits
  }
}

/** The string index of a code point counted from 0. */
export function codePointIndex(text: string, codePoints: number): number {
  let index = 0
  for (let counted = 0; counted < codePoints && index < text.length; counted++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
  }
  return index
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
