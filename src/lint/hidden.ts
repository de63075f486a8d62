/** Text that may be shown: what a finding says is a secret is covered, so that no code frame repeats it. */
import type { Finding } from '../schema/finding.ts'

type Pointed = Pick<Finding, 'rule' | 'line' | 'column' | 'endLine' | 'endColumn'>

/** The text with a dot for every character of a secret; lines and columns stay. Give it the findings of that text alone, also those that are allowed. */
export function withoutSecrets(text: string, findings: readonly Pointed[]): string {
  const pointed = findings.filter(finding => hiding.has(finding.rule))
  if (pointed.length === 0) return text
  const lines = text.split('\n')
  for (const { line, column, endLine, endColumn } of pointed) {
    for (let at = line; at <= Math.max(line, endLine); at++) {
      const own = lines[at - 1] ?? ''
      const start = at === line ? column - 1 : 0
      const end = at === endLine ? endColumn - 1 : own.length
      lines[at - 1] = own.slice(0, start) + own.slice(start, end).replace(/\S/g, '•') + own.slice(end)
    }
  }
  return lines.join('\n')
}

/** The rules that are `hidden`, by name, so that what was judged before is shown without loading any rule. */
export const hiding: ReadonlySet<string> = new Set([
  'security-inserted-secret',
  'security-literal-password',
  'security-secret-literal',
])
