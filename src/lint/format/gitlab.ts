/** A code quality report of GitLab. Source: GitLab's documentation of the code quality report format. */
import type { Finding } from '../../schema/finding.ts'
import { fingerprints, type Format, openFindings, pathOf } from './format.ts'

export const gitlab: Format = ({ report }) => {
  const findings = openFindings(report)
  const prints = fingerprints(findings)
  const issues = findings.map(({ rule, severity, message, file, line, endLine }, at) => ({
    type: 'issue',
    check_name: rule,
    description: message,
    severity: levels[severity],
    fingerprint: prints[at],
    location: { path: pathOf(file), lines: { begin: line, end: endLine } },
  }))
  return `${JSON.stringify(issues, null, 2)}\n`
}

const levels: Readonly<Record<Finding['severity'], string>> = { error: 'critical', warning: 'minor', notice: 'info' }
