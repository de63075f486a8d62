/**
 * SARIF 2.1.0, which code hosts and editors show at the line. What is allowed is there too, suppressed with its reason.
 * Source: OASIS Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
 */
import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Finding } from '../../schema/finding.ts'
import { frameRules } from '../frame-rules.ts'
import { rules } from '../rules/index.ts'
import { fingerprints, type Format, pathOf } from './format.ts'

export const sarif: Format = ({ report, sources, version }) => {
  const told = [...new Set(report.findings.map(one => one.rule))].sort()
  const prints = fingerprints(report.findings)
  const texts = new Set(sources.map(source => `${source.path}\0${source.direction}`))
  const { serverVersion, reason, gaps } = report.rehearsal
  const notifications = [...(reason === null ? [] : [reason]), ...gaps].map(text => ({
    level: 'note',
    message: { text },
  }))
  const run = {
    tool: { driver: { name: 'plinth', semanticVersion: version, rules: told.map(describeRule) } },
    columnKind: 'utf16CodeUnits',
    invocations: [{ executionSuccessful: true, toolExecutionNotifications: notifications }],
    artifacts: [...new Set(report.findings.map(one => pathOf(one.file)))].map(uri => ({
      location: { uri: uriOf(uri) },
      sourceLanguage: 'sql',
    })),
    results: report.findings.map((one, at) => result(one, told.indexOf(one.rule), prints[at] ?? '', texts)),
    properties: { rehearsedOn: serverVersion },
  }
  const document = { $schema: 'https://json.schemastore.org/sarif-2.1.0.json', version: '2.1.0', runs: [run] }
  return `${JSON.stringify(document, null, 2)}\n`
}

const levels: Readonly<Record<Finding['severity'], string>> = { error: 'error', warning: 'warning', notice: 'note' }

function describeRule(name: string) {
  const rule = rules.find(one => one.name === name) ?? frameRules.find(one => one.name === name)
  if (!rule) return { id: name }
  return {
    id: name,
    shortDescription: { text: rule.title },
    fullDescription: { text: rule.why, markdown: rule.why },
    help: { text: rule.instead, markdown: `${rule.why}\n\n${rule.instead}` },
    defaultConfiguration: { level: rule.severity === 'off' ? 'none' : levels[rule.severity] },
    ...('category' in rule ? { properties: { tags: [rule.category] } } : {}),
  }
}

function result(one: Finding, ruleIndex: number, fingerprint: string, texts: ReadonlySet<string>) {
  const { rule, severity, message, hint, file, object, allowed, direction } = one
  return {
    ruleId: rule,
    ruleIndex,
    level: levels[severity],
    message: { text: `${message} ${hint}` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: uriOf(pathOf(file)) }, region: regionOf(one) },
        ...(object === null ? {} : { logicalLocations: [{ fullyQualifiedName: object }] }),
      },
    ],
    partialFingerprints: { 'plinthFinding/v1': fingerprint },
    ...(allowed === null ? {} : { suppressions: [suppression(allowed)] }),
    ...(one.fix === null || !texts.has(`${file}\0${direction}`) ? {} : { fixes: [fixOf(one.fix, pathOf(file))] }),
  }
}

/** A finding about a whole file has an empty place, which a region cannot have. */
function regionOf({ line, column, endLine, endColumn }: Finding) {
  const isEmpty = endLine === line && endColumn <= column
  return { startLine: line, startColumn: column, ...(isEmpty ? {} : { endLine, endColumn }) }
}

function suppression({ by, reason }: NonNullable<Finding['allowed']>) {
  return { kind: by === 'file' ? 'inSource' : 'external', ...(reason === null ? {} : { justification: reason }) }
}

function fixOf({ title, edits }: NonNullable<Finding['fix']>, file: string) {
  const replacements = edits.map(({ start, end, text }) => ({
    deletedRegion: { charOffset: start, charLength: end - start },
    insertedContent: { text },
  }))
  return {
    description: { text: title },
    artifactChanges: [{ artifactLocation: { uri: uriOf(file) }, replacements }],
  }
}

function uriOf(path: string): string {
  return isAbsolute(path) ? pathToFileURL(path).href : path.split('/').map(encodeURIComponent).join('/')
}
