/** JUnit's XML: a suite for each file, a failed case for each error; warnings and notices are told in passed cases, what is allowed is skipped. */
import type { Finding } from '../../schema/finding.ts'
import type { LintSource } from '../source.ts'
import { type Format, pathOf } from './format.ts'

export const junit: Format = ({ report, sources }) => {
  const suites = [...byFile(sources, report.findings)].map(([file, findings]) => suite(file, findings))
  const errors = report.counts.error
  const cases = suites.reduce((sum, one) => sum + one.cases, 0)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="plinth lint" tests="${cases}" failures="${errors}" errors="0">`,
    ...suites.map(one => one.text),
    '</testsuites>',
    '',
  ].join('\n')
}

function byFile(sources: readonly LintSource[], findings: readonly Finding[]): ReadonlyMap<string, Finding[]> {
  const judged = sources.filter(source => source.role === 'judged')
  const files = new Map(judged.map(source => [pathOf(source.path), [] as Finding[]]))
  for (const one of findings) {
    const file = pathOf(one.file)
    const others = files.get(file)
    if (others) others.push(one)
    else files.set(file, [one])
  }
  return files
}

function suite(file: string, findings: readonly Finding[]): { readonly cases: number; readonly text: string } {
  const failed = findings.filter(one => one.allowed === null && one.severity === 'error').length
  const skipped = findings.filter(one => one.allowed !== null).length
  const names = namesOf(findings)
  const cases = findings.length === 0 ? [passed(file)] : findings.map((one, at) => caseOf(file, names[at] ?? '', one))
  const head = `  <testsuite name="${escape(file)}" file="${escape(file)}" tests="${cases.length}" failures="${failed}" errors="0" skipped="${skipped}">`
  return { cases: cases.length, text: [head, ...cases, '  </testsuite>'].join('\n') }
}

function passed(file: string): string {
  return `    <testcase name="lint" classname="${escape(file)}"/>`
}

/** Readers take two cases of one name for one. */
function namesOf(findings: readonly Finding[]): readonly string[] {
  const seen = new Map<string, number>()
  return findings.map(({ rule, line }) => {
    const name = `${rule} at line ${line}`
    const before = seen.get(name) ?? 0
    seen.set(name, before + 1)
    return before === 0 ? name : `${name} (${before + 1})`
  })
}

function caseOf(file: string, name: string, one: Finding): string {
  const head = `    <testcase name="${escape(name)}" classname="${escape(file)}">`
  return `${head}\n      ${outcomeOf(one)}\n    </testcase>`
}

function outcomeOf({ severity, message, hint, file, line, column, allowed }: Finding): string {
  const place = `${pathOf(file)}:${line}:${column}`
  if (allowed) return `<skipped message="${escape(allowed.reason ?? `known by the ${allowed.by}`)}"/>`
  if (severity === 'error')
    return `<failure type="error" message="${escape(message)}">${escape(`${place} ${message}\n${hint}`)}</failure>`
  return `<system-out>${escape(`${severity} ${place} ${message}\n${hint}`)}</system-out>`
}

/** Characters that XML 1.0 cannot hold are left out. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
