/**
 * Checksums of files, remembered as long as the files stay as they are. As git's index does it, a file is known by its place, length and times, and not at
 * all while it is so fresh that times could not tell the next change from the last.
 */
import { existsSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { keepNote, lookUpNote, programStamp } from './remember.ts'

export interface Checksums {
  /** Answers what `compute` answered for the same file, or asks it. */
  of(file: string, compute: () => string): string
  /** Keeps what is new, for the next process. */
  keep(): void
}

/** `state` is the project's state folder; where there is none, nothing outlasts the process. `name` tells apart what is asked for together. */
export function openChecksums(state: string, name: string, now: () => number = Date.now): Checksums {
  const note = join(state, 'cache', `checksums-${encodeURIComponent(name)}.json`)
  const isKept = existsSync(state)
  let known: Entries | undefined
  const asked: Record<string, Entry> = {}
  let news: 'some' | 'none' = 'none'
  return {
    of(file, compute) {
      known ??= (isKept ? lookUpNote<Entries>(note, programStamp())?.value : null) ?? {}
      const before = stateOf(file, now())
      const entry = known[file]
      if (entry && entry[0] === before) {
        asked[file] = entry
        return entry[1]
      }
      const checksum = compute()
      // What was read may be newer than what was looked at before.
      if (before !== null && stateOf(file, now()) === before) {
        asked[file] = [before, checksum]
        news = 'some'
      }
      return checksum
    },
    keep() {
      if (isKept && news === 'some') keepNote(note, { key: programStamp(), value: asked })
      news = 'none'
    },
  }
}

type Entry = readonly [state: string, checksum: string]
type Entries = Readonly<Record<string, Entry>>

/** As coarse as the times of any file system are. */
const freshMs = 2000

/** Null where it cannot be told, or not yet. */
function stateOf(file: string, nowMs: number): string | null {
  try {
    const stats = statSync(file)
    return isFresh(stats, nowMs) ? null : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
  } catch {
    return null
  }
}

/** Also when its time is yet to come. */
function isFresh({ mtimeMs, ctimeMs }: Stats, nowMs: number): boolean {
  return Math.max(mtimeMs, ctimeMs) > nowMs - freshMs
}
