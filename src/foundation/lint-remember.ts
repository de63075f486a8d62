/**
 * What lint said when it last judged the same texts by the same rules, so that a run in which nothing changed costs little more than reading the
 * files. Kept in the project's state folder; a folder that is no project is left as it is.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/load.ts'
import { keepNote, lookUpNote, programStamp } from '../config/remember.ts'
import type { LintReport } from '../lint/run.ts'
import type { LintSource } from '../lint/source.ts'

/** All that an answer of the text alone follows from. */
export interface Asked {
  readonly sources: readonly LintSource[]
  /** Plain data: what is declared, the texts of the files that belong to it, and how it was asked. */
  readonly declared: unknown
  readonly today: string
}

/** As many projects, branches and choices of files as one goes to and fro between. */
const notesMax = 8

/** Answers what `judge` answered for the same question, or asks it. */
export async function rememberReport(
  config: Config,
  asked: Asked,
  judge: () => Promise<LintReport>,
): Promise<LintReport> {
  const folder = cacheFolderOf(config)
  if (folder === null) return judge()
  const note = join(folder, `lint-${digest(asked.sources.map(({ path, role }) => [path, role])).slice(0, 16)}.json`)
  // To digest all texts takes as long as to judge some of them, so it waits where nothing can be remembered.
  const kept = existsSync(note) ? lookUpNote<LintReport>(note, keyOf(asked)) : null
  if (kept) return kept.value
  const value = await judge()
  keepNote(note, { key: keyOf(asked), value })
  dropOldest(folder)
  return value
}

function cacheFolderOf({ state, file }: Config): string | null {
  if (!existsSync(state)) {
    if (file === null) return null
    try {
      mkdirSync(state, { recursive: true, mode: 0o700 })
      // What is only remembered belongs to nobody's history.
      writeFileSync(join(state, '.gitignore'), '*\n')
    } catch {
      return null
    }
  }
  return join(state, 'cache')
}

function keyOf({ sources, declared, today }: Asked): string {
  // Only an allowance can end.
  const day = sources.some(({ text }) => text.includes('plinth:allow')) ? today : null
  return digest([programStamp(), process.cwd(), declared, day, sources])
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

function dropOldest(folder: string): void {
  try {
    const notes = readdirSync(folder)
      .filter(name => /^lint-[0-9a-f]{16}\.json$/.test(name))
      .map(name => ({ file: join(folder, name), changedMs: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.changedMs - a.changedMs)
    for (const { file } of notes.slice(notesMax)) rmSync(file, { force: true })
  } catch {
    // Another process tidies up as well.
  }
}
