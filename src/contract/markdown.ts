/** Markdown as code hosts read it: escapes, tables, and a document whose links find their headings. */

/** Free text on one line. Code spans stay as they are; everything else that Markdown or HTML would read as a mark is escaped. */
export function text(raw: string): string {
  const line = raw
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
  return line
    .split(/(`[^`]+`)/)
    .map(part => (part.startsWith('`') && part.length > 2 ? part : escaped(part)))
    .join('')
}

/** A code span, whatever backticks the code has. */
export function code(raw: string): string {
  const line = raw.replace(/\s+/g, ' ').trim()
  if (line === '') return ''
  const fence = '`'.repeat(longestRun(line) + 1)
  const space = line.startsWith('`') || line.endsWith('`') ? ' ' : ''
  return `${fence}${space}${line}${space}${fence}`
}

/** A fenced block of SQL. */
export function sqlBlock(raw: string): string {
  const lines = raw.replace(/\r\n?/g, '\n').replace(/^\n+|\s+$/g, '')
  const fence = '`'.repeat(Math.max(3, longestRun(lines) + 1))
  return `${fence}sql\n${lines}\n${fence}`
}

/** A table. Cells are Markdown already; a pipe in one, also in code, is escaped as the table's own syntax asks for. */
export function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|').replace(/\n/g, '<br>')).join(' | ')} |`
  return [line(head), `|${head.map(() => ' --- |').join('')}`, ...rows.map(line)].join('\n')
}

export interface Heading {
  readonly level: 1 | 2 | 3 | 4
  /** Markdown. */
  readonly title: string
  /** What links name it by; unique in the document. */
  readonly key: string
}

export type Block = Heading | string

/** A link to the heading of that key. It is resolved by `documentOf`. */
export function link(label: string, key: string): string {
  return `[${label}](#\u0001${key}\u0002)`
}

/** Joins blocks by empty lines and resolves links to the anchors that a code host gives the headings. */
export function documentOf(blocks: readonly Block[]): string {
  const anchors = anchorsOf(blocks.filter(block => typeof block !== 'string'))
  const body = blocks
    .map(block => (typeof block === 'string' ? block : `${'#'.repeat(block.level)} ${block.title}`))
    .filter(block => block !== '')
    .join('\n\n')
  // oxlint-disable-next-line no-control-regex -- The marks cannot occur in text, which is why they were chosen.
  return `${body.replace(/\u0001([^\u0002]*)\u0002/g, (_, key: string) => anchors.get(key) ?? '')}\n`
}

/** The anchor of each heading by key: its words in lower case joined by hyphens, numbered when a title occurs again. */
function anchorsOf(headings: readonly Heading[]): ReadonlyMap<string, string> {
  const taken = new Map<string, number>()
  return new Map(
    headings.map(({ key, title }) => {
      const plain = title.replace(/[`\\]/g, '').toLowerCase()
      const slug = plain.replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replaceAll(' ', '-')
      const times = taken.get(slug) ?? 0
      taken.set(slug, times + 1)
      return [key, times === 0 ? slug : `${slug}-${times}`]
    }),
  )
}

function escaped(part: string): string {
  return part
    .replace(/[\\*[\]~$]/g, '\\$&')
    .replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '\\_')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('`', '\\`')
}

function longestRun(line: string): number {
  return (line.match(/`+/g) ?? []).reduce((most, run) => Math.max(most, run.length), 0)
}
