/**
 * Answers a call as it was answered before, where every file that the run had looked at is as it was: neither the program nor the files are read. A note in the
 * project's state folder holds the question, what was looked at, and what was printed.
 */
import { dirname, join } from 'node:path'
import { openWitness, type Seen, seeAgain } from './witness.ts'

export interface Call {
  /** Prints the answer and tells its exit status; null where it is not known. */
  answer(): number | null
  /** From here on, whatever is looked at is noted. */
  witness(): Keep
}

/** Keeps what a run printed on standard output; to be called when all is done that the answer follows from. */
export type Keep = (printed: string, status: number) => void

/** `bundle` is the folder of the scripts, with the digest that the build wrote beside them. Null where nothing can be kept. */
export function openCall(bundle: string, argv: readonly string[]): Call | null {
  const question = questionOf(bundle, argv.slice(2))
  if (question === null) return null
  const name = `answer-${hashOf(JSON.stringify(question.slice(0, 4)))}.json`
  return {
    answer() {
      const folder = stateFolder()
      const note = folder && readNote(join(folder, 'cache', name))
      if (!note || JSON.stringify(note.question) !== JSON.stringify(question)) return null
      const seen = allAgain(note.seen)
      if (!seen || !print(note.printed)) return null
      if (seen.some((one, at) => one[3] === null && note.seen[at]?.[3] !== null))
        writeNote(join(folder, 'cache', name), { ...note, seen })
      return note.status
    },
    witness() {
      const witness = openWitness(dirname(bundle))
      // What was said there would be missing the next time.
      const { stderr } = process
      const write = stderr.write.bind(stderr) as (...given: unknown[]) => boolean
      stderr.write = (...given: unknown[]) => {
        witness.giveUp()
        return write(...given)
      }
      return (printed, status) => {
        const seen = witness.seen()
        const folder = stateFolder()
        if (!seen || !folder || printed.length > lengthMax || question[4] !== today()) return
        writeNote(join(folder, 'cache', name), { question, status, seen, printed: Buffer.from(printed) })
        dropOldest(join(folder, 'cache'))
      }
    },
  }
}

/** The module itself: to import it whole would bring along a file that is read for nothing else. */
const fs = process.getBuiltinModule('node:fs')
const { existsSync, readFileSync, readdirSync, writeFileSync, fstatSync, statSync } = fs
const lengthMax = 16_000_000
/** As many calls as one goes to and fro between. */
const notesMax = 8
const clockSkewMsMax = 1000

/** All that an answer follows from beside files: an allowance may end with the day, and any variable may be named by the configuration. */
function questionOf(bundle: string, words: readonly string[]): readonly string[] | null {
  try {
    const program = readFileSync(join(bundle, 'digest.txt'), 'utf8')
    // Colours depend on it; a terminal differs from other devices by its number.
    const { mode, rdev } = fstatSync(1)
    const environment = Object.entries(process.env).sort(([a], [b]) => (a < b ? -1 : 1))
    const where = [process.cwd(), process.version, `${mode & 0o170000} ${rdev}`, JSON.stringify(words)]
    return [...where, today(), program, hashOf(JSON.stringify(environment))]
  } catch {
    return null
  }
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

/** The one that the project's folder has, or a folder above. */
function stateFolder(): string | null {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.plinth'))) return join(folder, '.plinth')
    if (folder === dirname(folder)) return null
  }
}

function allAgain(seen: readonly Seen[]): readonly Seen[] | null {
  const now: Seen[] = []
  for (const one of seen) {
    const again = seeAgain(one)
    if (!again) return null
    now.push(again)
  }
  return now
}

interface Note {
  readonly question: readonly string[]
  readonly status: number
  readonly seen: readonly Seen[]
  readonly printed: Buffer
}

/** A line that holds the rest, then what was printed. */
function readNote(file: string): Note | null {
  try {
    const bytes = readFileSync(file)
    const { uid } = statSync(file)
    // Somebody else's would say what he likes.
    if (process.getuid && uid !== process.getuid()) return null
    const end = bytes.indexOf('\n')
    const { length, ...head } = JSON.parse(bytes.toString('utf8', 0, end)) as Omit<Note, 'printed'> & { length: number }
    const printed = bytes.subarray(end + 1)
    return printed.length === length ? { ...head, printed } : null
  } catch {
    return null
  }
}

/** Whole or not at all, and for this user alone. */
function writeNote(file: string, { printed, ...head }: Note): void {
  const draft = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(
      draft,
      Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, length: printed.length })}\n`), printed]),
      {
        mode: 0o600,
      },
    )
    // Where the clock of the files is another one, ours cannot tell which of them are fresh.
    if (Math.abs(statSync(draft).mtimeMs - Date.now()) > clockSkewMsMax) fs.rmSync(draft)
    else fs.renameSync(draft, file)
  } catch {
    fs.rmSync(draft, { force: true })
  }
}

function dropOldest(folder: string): void {
  try {
    const notes = readdirSync(folder)
      .filter(name => /^answer-[0-9a-z]+\.json$/.test(name))
      .map(name => ({ file: join(folder, name), changedMs: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.changedMs - a.changedMs)
    for (const { file } of notes.slice(notesMax)) fs.rmSync(file, { force: true })
  } catch {
    // Another process tidies up as well.
  }
}

/** False where nothing was written, so that the run may still print. A reader that went away wants no more. */
function print(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(1, bytes, at)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : null
      if (code === 'EPIPE') return true
      if (code !== 'EAGAIN') {
        if (at === 0) return false
        throw error
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return true
}

/** Two of 32 bits each, since to load a digest takes longer than all else here; nobody gains by two calls that look alike. */
function hashOf(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (a >>> 0).toString(36) + (b >>> 0).toString(36)
}
