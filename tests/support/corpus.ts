/** Reads the corpus of lint: stories as teams write migrations, every statement with a label of what it does on PostgreSQL. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../../src/lint/rule.ts'
import type { ClassOf } from '../../src/schema/classification.ts'

export interface Story {
  readonly name: string
  /** Oldest server that it runs on. */
  readonly since: number
  readonly settings: Partial<Settings>
  readonly classes: Readonly<Record<string, Readonly<Record<string, ReturnType<ClassOf>>>>>
  /** What was applied earlier, and the rows that a target has by then. */
  readonly before: string
  readonly rows: string
  readonly steps: readonly StoryStep[]
}

export interface StoryStep {
  readonly version: string
  readonly slug: string
  readonly text: string
  readonly labels: readonly Label[]
}

export interface Label {
  /** Of the text of its step, counted from 1. */
  readonly line: number
  /** Locks that shut anything out, such as `AccessExclusiveLock on public.users`, and tables that are written anew; sorted. */
  readonly locks: readonly string[]
  readonly rewrites: readonly string[]
  /** Rules that must speak as warning or error; sorted. Empty means that it is harmless. */
  readonly finds: readonly string[]
  /** PostgreSQL refuses it. */
  readonly fails: boolean
}

export const corpusFolder = join(import.meta.dirname, '../lint/corpus')

export function readStories(): Story[] {
  return readdirSync(corpusFolder)
    .filter(file => file.endsWith('.sql'))
    .sort()
    .map(file => readStory(file.replace(/\.sql$/, ''), readFileSync(join(corpusFolder, file), 'utf8')))
}

/** Exported for the test of its own. Throws for a label that says nothing. */
export function readStory(name: string, text: string): Story {
  const [head = '', ...sections] = text.split(/^(?=-- (?:before|rows|step \S+)$)/m)
  const section = (title: string) =>
    sections.find(one => one.startsWith(`-- ${title}\n`))?.slice(title.length + 4) ?? ''
  const stated = (word: string) => new RegExp(`^-- ${word}: (.*)$`, 'm').exec(head)?.[1]
  return {
    name,
    since: Number(stated('since') ?? 15),
    settings: JSON.parse(stated('settings') ?? '{}') as Story['settings'],
    classes: JSON.parse(stated('classes') ?? '{}') as Story['classes'],
    before: section('before'),
    rows: section('rows'),
    steps: sections.filter(one => one.startsWith('-- step ')).map(stepOf),
  }
}

function stepOf(section: string): StoryStep {
  const [first = ''] = section.split('\n', 1)
  const text = section.slice(first.length + 1)
  const [, version = '', slug = ''] = /^-- step (\d+)_(\S+)$/.exec(first) ?? []
  const labels = text
    .split('\n')
    .flatMap((line, index) => (line.startsWith('-- expect: ') ? [labelOf(line.slice(11), index + 1)] : []))
  return { version, slug, text, labels }
}

function labelOf(words: string, line: number): Label {
  const parts = words.split('; ')
  const list = (word: string) =>
    (
      parts
        .find(part => part.startsWith(`${word} `))
        ?.slice(word.length + 1)
        .split(', ') ?? []
    ).sort()
  const finds = list('finds')
  if ((finds.length === 0) !== parts.includes('quiet')) throw new Error(`Neither quiet nor a finding: ${words}`)
  return { line, locks: list('lock'), rewrites: list('rewrite'), finds, fails: parts.includes('fails') }
}
