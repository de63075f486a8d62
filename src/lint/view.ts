/** What rules are shown of a file. It notes whether a rule asked what was seen, so that a finding says honestly what it rests on. */
import type { ClassOf } from '../schema/classification.ts'
import type { Schema } from '../schema/model.ts'
import type { Rehearsal, RehearsedStep } from '../schema/rehearsal.ts'
import type { Script } from '../sql/parse.ts'
import { openNode } from '../sql/tree.ts'
import type { FileView, Settings, StatementView } from './rule.ts'
import type { LintSource, ReadSource } from './source.ts'
import { openPast, type Past, textCatalog } from './text-catalog.ts'
import type { FindColumns } from './text-facts.ts'

export interface ViewedFile {
  readonly source: LintSource
  readonly script: Script
  readonly view: FileView
  readonly step: RehearsedStep | null
  /** Whether anybody asked for what was seen since the last call. */
  witnessed(): boolean
}

export interface ViewOptions {
  readonly settings: Settings
  readonly classOf: ClassOf
  readonly rehearsal: Rehearsal | null
}

/** The files that are judged and could be parsed, in their order; the past is what stands before the first of them all, and then they belong to it. */
export function viewFiles(read: readonly ReadSource[], options: ViewOptions, past: Past = openPast()): ViewedFile[] {
  const files: ViewedFile[] = []
  for (const one of read) {
    if (one.source.role === 'judged' && one.script) files.push(viewFile(one.source, one.script, past.now(), options))
    past.add(() => one.facts)
  }
  return files
}

function viewFile(
  source: LintSource,
  script: Script,
  earlier: FindColumns,
  { settings, classOf, rehearsal }: ViewOptions,
): ViewedFile {
  const step = rehearsal ? stepOf(source, rehearsal) : null
  const before = rehearsal && step ? catalogBefore(rehearsal, step) : null
  const undone = rehearsal ? undoneOf(source, rehearsal) : null
  const seen = new Map(step?.statements.map(one => [one.index, one]))
  let asked = false
  const view: FileView = {
    known: [],
    path: source.path,
    direction: source.direction,
    version: source.version,
    slug: source.slug,
    opposite: source.opposite,
    script,
    settings,
    classOf,
    text: textCatalog(script, earlier),
    get statements() {
      return statements
    },
    get step() {
      if (step) asked = true
      return step
    },
    get before() {
      if (before) asked = true
      return before
    },
    get undone() {
      if (undone) asked = true
      return undone
    },
  }
  const statements = script.statements.map((statement): StatementView => {
    const own = seen.get(statement.index) ?? null
    return {
      known: [],
      statement,
      fields: openNode(statement.tree)[1],
      file: view,
      get seen() {
        if (own) asked = true
        return own
      },
    }
  })
  const witnessed = () => {
    const answer = asked
    asked = false
    return answer
  }
  return { source, script, view, step, witnessed }
}

/** A rehearsal names the file as it was given; what came from a folder is known by its version as well. */
function stepOf({ path, direction, version }: LintSource, { steps }: Rehearsal): RehearsedStep | null {
  const own = steps.filter(step => step.direction === direction)
  return own.find(step => step.file === path) ?? own.find(step => version !== null && step.version === version) ?? null
}

function undoneOf({ direction, version }: LintSource, { steps }: Rehearsal): Schema | null {
  if (direction === 'down' || version === null) return null
  const down = steps.find(step => step.direction === 'down' && step.version === version)
  return down && down.failure === null ? down.after : null
}

function catalogBefore(rehearsal: Rehearsal, step: RehearsedStep): Schema {
  return rehearsal.steps[rehearsal.steps.indexOf(step) - 1]?.after ?? rehearsal.before
}
