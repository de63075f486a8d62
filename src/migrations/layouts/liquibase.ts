/** Formatted SQL of Liquibase: change sets under comments, with their way back in comments as well. What only Liquibase can decide is refused. */
import type { MigrationFile, Repeats } from '../migration.ts'
import { blankedTo, refuseAt } from './sections.ts'

export function isLiquibase({ text }: MigrationFile): boolean {
  return /^\s*--\s*liquibase formatted sql/i.test(text)
}

/**
 * The file, and its rollbacks from the last to the first where every change set has one. A file whose change sets all run again is a repeatable. Throws
 * SQL_UNSUPPORTED.
 */
export function readLiquibase(source: MigrationFile): {
  readonly up: MigrationFile
  readonly down: MigrationFile | null
  readonly repeats: Repeats | null
} {
  const lines = source.text.split(/\r?\n/)
  const backs: string[][] = []
  let isAlone = false
  let inBlock = false
  for (const [at, line] of lines.entries()) {
    refuseDecisions(source, at, line)
    if (/^\s*--\s*changeset\s/i.test(line)) {
      backs.push([])
      isAlone ||= /\srunInTransaction:false\b/i.test(line)
    }
    const one = /^\s*--\s*rollback\b[ \t]?(.*)$/i.exec(line)?.[1]
    if (one !== undefined) backs.at(-1)?.push(one)
    if (inBlock) backs.at(-1)?.push(line.replace(/\*\/.*$/, ''))
    inBlock = inBlock ? !line.includes('*/') : /^\s*\/\*\s*liquibase\s+rollback\b/i.test(line)
  }
  const transaction = isAlone ? ({ transaction: 'none' } as const) : {}
  const down = backs.toReversed().map(back => back.join('\n'))
  const isWhole = down.length > 0 && down.every(text => text.trim() !== '')
  const written = down.map(text => (/^\s*(?:empty|not required)\s*$/i.test(text) ? '' : ended(text))).join('\n')
  return {
    repeats: repeatsOf(source, lines),
    up: { ...source, ...transaction },
    down: isWhole ? { ...blankedTo(source, written), ...transaction } : null,
  }
}

function ended(text: string): string {
  return /;\s*$/.test(text) ? text : `${text.trimEnd()};`
}

/** Where some run again and some do not, no file of ours is as many as it needs. */
function repeatsOf(source: MigrationFile, lines: readonly string[]): Repeats | null {
  const sets = lines.flatMap((line, at) => (/^\s*--\s*changeset\s/i.test(line) ? [{ line, at }] : []))
  const again = sets.filter(({ line }) => /\srun(?:Always|OnChange):true\b/i.test(line))
  const [first] = again
  if (!first) return null
  if (again.length < sets.length)
    throw refuseAt(
      source,
      first.at,
      'has a change set that runs again beside one that does not',
      'Move what runs again to a file of its own, R__<name>.sql.',
    )
  return again.every(({ line }) => /\srunAlways:true\b/i.test(line)) ? 'always' : 'when changed'
}

function refuseDecisions(source: MigrationFile, at: number, line: string): void {
  const [, asked] =
    /^\s*--\s*changeset\s.*?\s((?:contexts?|contextFilter|labels|failOnError|endDelimiter)):/i.exec(line) ??
    /^\s*--\s*(preconditions|precondition-[\w-]+|property|include(?:All)?)\b/i.exec(line) ??
    /^\s*--\s*(rollback\s+changeset(?:Id|Author|Path))\b/i.exec(line) ??
    []
  const other = /^\s*--\s*changeset\s.*?\s(dbms):(?!\S*postgres)/i.exec(line)?.[1]
  const what = asked ?? other
  if (what === undefined) return
  throw refuseAt(
    source,
    at,
    `asks by ${what} for what only Liquibase decides`,
    'Write what it decides into the file, or print with `liquibase update-sql` what it runs and keep that.',
  )
}
