/**
 * Annotations of GitHub Actions: one workflow command a finding.
 * Source: "Workflow commands for GitHub Actions", setting a notice, warning or error message; escapes as in @actions/core.
 */
import type { Finding } from '../../schema/finding.ts'
import { type Format, openFindings, pathOf } from './format.ts'

export const github: Format = ({ report }) =>
  openFindings(report)
    .map(one => `${annotation(one)}\n`)
    .join('')

function annotation({ severity, file, line, endLine, column, endColumn, rule, message, hint }: Finding): string {
  // Columns are heeded only on one line.
  const columns = endLine === line ? { col: column, endColumn } : {}
  const properties = { file: pathOf(file), line, endLine, ...columns, title: rule }
  const spelled = Object.entries(properties).map(([name, value]) => `${name}=${escapeProperty(String(value))}`)
  return `::${severity} ${spelled.join(',')}::${escapeData(`${message}\n${hint}`)}`
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
