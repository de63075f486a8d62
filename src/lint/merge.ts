/** One report of several, for a project with more than one folder. */
import type { LintReport } from './run.ts'

export function mergeReports(reports: readonly LintReport[]): LintReport {
  const [first] = reports
  if (first && reports.length === 1) return first
  const sum = (count: keyof LintReport['counts']) => reports.reduce((total, one) => total + one.counts[count], 0)
  const versions = reports.flatMap(one => one.rehearsal.serverVersion ?? [])
  return {
    format: 1,
    findings: reports.flatMap(one => one.findings),
    counts: { error: sum('error'), warning: sum('warning'), notice: sum('notice'), allowed: sum('allowed') },
    files: reports.reduce((total, one) => total + one.files, 0),
    rehearsal: {
      serverVersion: versions.length === 0 ? null : Math.min(...versions),
      reason: reports.find(one => one.rehearsal.reason !== null)?.rehearsal.reason ?? null,
      gaps: [...new Set(reports.flatMap(one => one.rehearsal.gaps))],
    },
    unjudged: [...new Set(reports.flatMap(one => one.unjudged))].sort(),
  }
}
