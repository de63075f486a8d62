/** Text that may be shown: what a finding says is a secret is covered, so that no code frame repeats it. */
import type { Finding } from '../schema/finding.ts'
import { rules } from './rules/index.ts'

type Pointed = Pick<Finding, 'rule' | 'line' | 'column' | 'endLine' | 'endColumn'>

/** The text with a dot for every character of a secret; lines and columns stay. Give it the findings of that text alone, also those that are allowed. */
export function withoutSecrets(text: string, findings: readonly Pointed[]): string {
  const lines = text.split('\n')
  for (const { line, column, endLine, endColumn } of findings.filter(finding => hiding.has(finding.rule))) {
    for (let at = line; at <= Math.max(line, endLine); at++) {
      const own = lines[at - 1] ?? ''
      const start = at === line ? column - 1 : 0
      const end = at === endLine ? endColumn - 1 : own.length
      lines[at - 1] = own.slice(0, start) + own.slice(start, end).replace(/\S/g, '•') + own.slice(end)
    }
  }
  return lines.join('\n')
}

const hiding: ReadonlySet<string> = new Set(rules.filter(rule => rule.hidden).map(rule => rule.name))
