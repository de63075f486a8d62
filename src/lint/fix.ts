/** What `lint --fix` writes: the rewrites that findings are certain of, put into their texts. */
import type { Edit, Finding } from '../schema/finding.ts'
import type { LintSource } from './source.ts'

export interface FixedText {
  /** As given. */
  readonly path: string
  readonly before: string
  readonly after: string
  /** Those whose rewrite is in it. */
  readonly findings: readonly Finding[]
}

/** Pure. What is allowed stays; of rewrites that touch each other the first is taken, and the next call sees what is left. */
export function fixTexts(findings: readonly Finding[], sources: readonly LintSource[]): FixedText[] {
  return sources
    .filter(source => source.role === 'judged' && source.path !== '-')
    .flatMap(source => {
      const own = findings.filter(
        one => one.file === source.path && one.direction === source.direction && one.allowed === null,
      )
      const taken: { readonly finding: Finding; readonly edits: readonly Edit[] }[] = []
      for (const finding of own) {
        const edits = finding.fix?.edits ?? []
        const touches = edits.some(edit => taken.some(other => other.edits.some(one => overlap(one, edit))))
        if (edits.length > 0 && !touches) taken.push({ finding, edits })
      }
      if (taken.length === 0) return []
      const after = edited(
        source.text,
        taken.flatMap(one => one.edits),
      )
      return [{ path: source.path, before: source.text, after, findings: taken.map(one => one.finding) }]
    })
}

/** Two insertions at one place touch as well, since their order would be nobody's decision. */
function overlap(a: Edit, b: Edit): boolean {
  return (a.start < b.end && b.start < a.end) || a.start === b.start
}

/** From the end, so that the places before stay what they are. */
function edited(text: string, edits: readonly Edit[]): string {
  return edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((so, { start, end, text: put }) => so.slice(0, start) + put + so.slice(end), text)
}
