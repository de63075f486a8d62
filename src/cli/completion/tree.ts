/** What can follow what on a command line, as plain data for the scripts of the shells. */
import type { CommandSpec, OptionSpec } from '../command.ts'
import { globalOptions } from '../global-options.ts'

export interface Place {
  /** The words so far, without the program's own: empty at the beginning, such as `rollup quarantine` behind two. */
  readonly path: string
  readonly words: readonly Word[]
  readonly options: readonly Choice[]
  /** Files and folders may follow. */
  readonly files: 'yes' | 'no'
}

export interface Word {
  readonly word: string
  readonly summary: string
}

export interface Choice {
  /** Such as `--format`. */
  readonly name: string
  readonly summary: string
  /** What stands behind it: nothing, one of these, a file, a folder, or anything. */
  readonly takes: 'nothing' | 'file' | 'folder' | 'anything' | readonly string[]
}

export function placesOf(specs: readonly CommandSpec[]): readonly Place[] {
  const paths = new Set(specs.flatMap(({ name }) => beginningsOf(name)))
  const everywhere = [
    ...globalOptions.map(choiceOf),
    { name: '--help', summary: 'show help', takes: 'nothing' } satisfies Choice,
  ]
  return [...paths].map(path => {
    const spec = specs.find(({ name }) => name === path)
    const own = (spec?.options ?? []).map(choiceOf)
    const takesFiles = spec?.arguments?.some(({ name }) => /file|folder/.test(name)) ?? false
    const words = [...wordsAfter(path, specs), ...namedWords(spec)]
    return { path, words, options: [...own, ...everywhere], files: takesFiles ? 'yes' : 'no' }
  })
}

/** `rollup quarantine list` begins with nothing, with `rollup`, with `rollup quarantine` and with itself. */
function beginningsOf(name: string): string[] {
  const words = name.split(' ')
  return ['', ...words.map((_, index) => words.slice(0, index + 1).join(' '))]
}

function wordsAfter(path: string, specs: readonly CommandSpec[]): Word[] {
  const before = path === '' ? '' : `${path} `
  const found = new Map<string, CommandSpec[]>()
  for (const spec of specs) {
    if (!spec.name.startsWith(before)) continue
    const [word = ''] = spec.name.slice(before.length).split(' ')
    found.set(word, [...(found.get(word) ?? []), spec])
  }
  return [...found].map(([word, members]) => ({ word, summary: summaryOf(`${before}${word}`, members) }))
}

/** Of a word that others stand behind: those. */
function summaryOf(path: string, members: readonly CommandSpec[]): string {
  const [only] = members
  if (only?.name === path) return only.summary
  return [...new Set(members.map(({ name }) => name.slice(path.length + 1).split(' ')[0]))].join(', ')
}

/** What an argument can be, where that is known. */
function namedWords(spec: CommandSpec | undefined): Word[] {
  return (spec?.arguments ?? []).flatMap(({ name, choices }) =>
    (choices ?? []).map(word => ({ word, summary: name.replace(/[<>[\]]/g, '') })),
  )
}

function choiceOf({ flags, description, choices }: OptionSpec): Choice {
  const [name = '', value = ''] = flags.split(/[ ,]+/)
  const takes =
    choices ?? (value === '' ? 'nothing' : /file/.test(value) ? 'file' : /folder/.test(value) ? 'folder' : 'anything')
  return { name, summary: description, takes }
}

/** As one word of bash and of zsh. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
