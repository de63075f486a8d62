/** What is linted: texts with their place in the order of applying, and what a parser makes of them. */
import { asPlinthError, type PlinthError } from '../errors.ts'
import type { Script } from '../sql/parse.ts'
import { type Fact, factsOf } from './text-facts.ts'

/** One direction of one migration, or a text of its own. */
export interface LintSource {
  /** As given, for people; `-` for standard input. */
  readonly path: string
  readonly direction: 'up' | 'down'
  readonly version: string | null
  readonly slug: string | null
  readonly text: string
  /** The text of the opposite direction; null when there is none. */
  readonly opposite: string | null
  /** `context` is only read so that what follows it can be understood. */
  readonly role: 'judged' | 'context'
  /** Its layout has it run without a transaction around it. */
  readonly transaction?: 'none'
}

/** As it will run, with what its head asks for. Throws SQL_SYNTAX, SQL_UNSUPPORTED and whatever else is wrong with the text. */
export type ReadScript = (source: LintSource) => Script

export interface ReadSource {
  readonly source: LintSource
  /** Null when it cannot be parsed. Context is parsed when somebody asks. */
  readonly script: Script | null
  /** Why. */
  readonly failure: PlinthError | null
  /** What it does to those behind it. A down does nothing: it is not run. */
  readonly facts: readonly Fact[]
  /** Keeps what it does and lets go of its tree, which is many times as big. */
  forget(): void
}

/** Reads each text once. A text that cannot be parsed keeps its failure to itself. */
export function readSources(sources: readonly LintSource[], parse: ReadScript): ReadSource[] {
  return sources.map(source => {
    let result: Pick<ReadSource, 'script' | 'failure'> | undefined
    let facts: readonly Fact[] | undefined
    const read = () => (result ??= attempt(source, parse))
    const tell = () => (facts ??= factsIn(source, read().script))
    if (source.role === 'judged') read()
    return {
      source,
      get script() {
        return read().script
      },
      get failure() {
        return read().failure
      },
      get facts() {
        return tell()
      },
      forget() {
        if (!result) return
        tell()
        result = undefined
      },
    }
  })
}

function factsIn({ direction }: LintSource, script: Script | null): readonly Fact[] {
  return direction === 'up' && script ? factsOf(script) : []
}

function attempt(source: LintSource, parse: ReadScript): Pick<ReadSource, 'script' | 'failure'> {
  try {
    return { script: parse(source), failure: null }
  } catch (thrown) {
    return { script: null, failure: asPlinthError(thrown) }
  }
}
