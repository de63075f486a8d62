/**
 * Examines many texts part by part, so that only one part's trees are held at a time, and several hands can share the parts: what a text does to those
 * behind it is told as soon as it is parsed.
 */
import { type Examination, examiner } from './examine.ts'
import type { Found } from './found.ts'
import { type LintSource, type ReadScript, readSources } from './source.ts'
import { openPast } from './text-catalog.ts'
import type { Fact } from './text-facts.ts'

/** How the hands that share the parts speak with each other. */
export interface Team {
  /** The number of the next part that nobody took; undefined when there is none. */
  take(): number | undefined
  /** For those who take the parts behind it. */
  tell(part: number, facts: () => readonly Fact[]): void
  /** What another one told of that part, for whoever asks in the end: hardly any rule does. */
  hear(part: number): Promise<() => readonly Fact[]>
}

/** What one hand found in the parts that it took. */
export interface ExaminedParts {
  readonly found: readonly Found[]
  /** Whether a text of that direction could be read. */
  readonly ups: 'some' | 'none'
}

/** Has the parts examined, by `work` and perhaps by others; answers what each of the hands found. */
export type Share = (
  parts: readonly (readonly LintSource[])[],
  work: (team: Team) => Promise<ExaminedParts>,
) => Promise<readonly ExaminedParts[]>

/** Trees take about forty times the room of their text; as many as this die before V8 moves many of them to where old ones live. */
const partUnits = 16_000

/** In order. */
export function partsOf(sources: readonly LintSource[]): readonly (readonly LintSource[])[] {
  const parts: LintSource[][] = []
  let room = 0
  for (const source of sources) {
    if (room <= 0) {
      parts.push([])
      room = partUnits
    }
    parts.at(-1)?.push(source)
    room -= source.text.length
  }
  return parts
}

export const alone: Share = async (parts, work) => {
  let next = 0
  const take = () => (next < parts.length ? next++ : undefined)
  return [await work({ take, tell() {}, hear: async () => () => [] })]
}

/** Takes parts until none is left. */
export async function examineParts(
  parts: readonly (readonly LintSource[])[],
  asked: Omit<Examination, 'rehearsal'> & { readonly read: ReadScript },
  team: Team,
): Promise<ExaminedParts> {
  const examine = examiner({ ...asked, rehearsal: null })
  const earlier = openPast()
  const found: Found[] = []
  let ups: ExaminedParts['ups'] = 'none'
  let known = 0
  for (let at = team.take(); at !== undefined; at = team.take()) {
    const read = readSources(parts[at] ?? [], asked.read)
    team.tell(at, () => read.flatMap(({ facts }) => facts))
    for (; known < at; known++) {
      earlier.add(await team.hear(known))
    }
    const examined = examine(read, earlier)
    known = at + 1
    found.push(...examined.found)
    if (examined.files.some(({ source }) => source.direction === 'up')) ups = 'some'
    for (const one of read) one.forget()
  }
  return { found, ups }
}
