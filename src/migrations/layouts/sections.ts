/** Files that hold both directions: what belongs to the other one is blanked, so that lines still count as in the file. */
import { createHash } from 'node:crypto'
import { PlinthError } from '../../errors.ts'
import type { Direction } from '../../telemetry/event.ts'
import type { MigrationFile } from '../migration.ts'

export interface Marker {
  readonly direction: Direction
  /** The rest of the marker's line. */
  readonly options: string
}

export interface Section extends Marker {
  readonly content: MigrationFile
}

/**
 * The sections of a file, in its order. `markerOf` reads one line. Throws SQL_UNSUPPORTED for a second section of one direction and for SQL
 * before the first.
 */
export function sectionsOf(source: MigrationFile, markerOf: (line: string) => Marker | null): Section[] {
  const lines = source.text.split('\n')
  const marks = lines.flatMap((line, at) => {
    const marker = markerOf(line.replace(/\r$/, ''))
    return marker ? [{ ...marker, at }] : []
  })
  for (const [index, mark] of marks.entries())
    if (marks.slice(0, index).some(other => other.direction === mark.direction))
      throw refuseAt(source, mark.at, `has a second section for ${mark.direction}`, 'Split it into two migrations.')
  const early = firstStatement(lines.slice(0, marks[0]?.at ?? 0))
  if (early >= 0) throw refuseAt(source, early, 'has SQL before its first section', 'Move it below the marker.')
  return marks.map(({ direction, options, at }, index) => ({
    direction,
    options,
    content: keepLines(source, lines, at, marks[index + 1]?.at ?? lines.length),
  }))
}

/** The line of the first word that is in no comment; -1 where there are comments only, as licences are above the first marker. */
function firstStatement(lines: readonly string[]): number {
  const bare = lines.join('\n').replace(/\/\*[\s\S]*?\*\/|^\s*(?:--|#).*$/gm, comment => comment.replace(/[^\n]/g, ' '))
  return bare.split('\n').findIndex(line => line.trim() !== '')
}

/** What is above the first line like this, and what is below it; null without one. */
export function divideAt(
  source: MigrationFile,
  pattern: RegExp,
): readonly [above: MigrationFile, below: MigrationFile] | null {
  const lines = source.text.split('\n')
  const at = lines.findIndex(line => pattern.test(line))
  return at < 0 ? null : [keepLines(source, lines, -1, at), keepLines(source, lines, at, lines.length)]
}

/** The whole file as the content of one direction. */
export function blankedTo(source: MigrationFile, text: string): MigrationFile {
  const own = text.trimEnd() === '' ? '' : `${text.trimEnd()}\n`
  return { file: source.file, text: own, checksum: createHash('sha256').update(own).digest('hex') }
}

function keepLines(source: MigrationFile, lines: readonly string[], from: number, to: number): MigrationFile {
  return blankedTo(source, lines.map((line, at) => (at > from && at < to ? line : '')).join('\n'))
}

/** For a line, counted from 0, that cannot be read as it was meant. */
export function refuseAt(source: MigrationFile, at: number, what: string, hint: string): PlinthError {
  return new PlinthError('SQL_UNSUPPORTED', `${source.file} ${what}.`, {
    at: { file: source.file, line: at + 1, source: source.text },
    hint,
  })
}

/** A marker's place, for what a file asks of its own tool and nobody else can give. */
export function refuseLine(source: MigrationFile, pattern: RegExp, what: string, hint: string): void {
  const at = source.text.split('\n').findIndex(line => pattern.test(line))
  if (at >= 0) throw refuseAt(source, at, what, hint)
}
