/**
 * Rows that stand in the text itself, as `pg_dump` writes them and psql reads them: behind `copy … from stdin;` up to a line of `\.`. The server
 * takes them in messages of their own, so they are no part of the SQL.
 */

export interface Lifted {
  /** As long as the text was, with spaces for the rows, so that positions stay. */
  readonly sql: string
  /** In the order of their statements. */
  readonly blocks: readonly RowBlock[]
}

export interface RowBlock {
  /** The index of the `copy`. */
  readonly statement: number
  /** Of the first row, and behind the last one with its line break. */
  readonly start: number
  readonly end: number
  /** Behind the line of `\.`, without its line break. */
  readonly close: number
}

export function liftRows(text: string): Lifted {
  if (!text.includes('\n\\.')) return { sql: text, blocks: [] }
  const blocks: RowBlock[] = []
  const parts: string[] = []
  let behind = 0
  for (let opened = matchFrom(head, text, 0); opened; opened = matchFrom(head, text, behind)) {
    const start = opened.index + opened[0].length
    const closed = matchFrom(foot, text, start)
    if (!closed) break
    const close = closed.index + closed[0].length
    blocks.push({ statement: opened.index + opened[0].search(/copy/i), start, end: closed.index, close })
    parts.push(text.slice(behind, start), text.slice(start, close).replace(/[^\r\n]/g, ' '))
    behind = close
  }
  return { sql: parts.join('') + text.slice(behind), blocks }
}

const head = /(?<=^|;)[ \t]*copy\s[^;]*?\bfrom\s+stdin\b[^;]*;[ \t]*(?:--[^\n]*)?\r?\n/gim

const foot = /(?<=\n)\\\.[ \t;]*(?=\r?\n|\r?$(?![\s\S]))/g

function matchFrom(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}
