/** What the configuration says about lint: a file of one environment is laid over the file, rule by rule. */
import { isAbsolute, join } from 'node:path'
import type { Severity } from '../schema/finding.ts'
import type { LintFile } from './schema.ts'

export interface LintSetting {
  /** Whether the project says anything about lint. */
  readonly declared: boolean
  /** `required`: nothing is judged without one; `preferred`: by the text alone where there can be none; `off`: never. */
  readonly rehearsal: 'required' | 'preferred' | 'off'
  /** What `apply` does when it finds errors in what is pending. */
  readonly apply: 'refuse' | 'report' | 'off'
  /** More warnings than that are a failure; null allows any number. */
  readonly warningsMax: number | null
  /** Severity by the name of a rule, as written; whether the rule exists is for lint to say. */
  readonly rules: Readonly<Record<string, Severity>>
  /** Patterns of paths that are not judged. */
  readonly ignore: readonly string[]
  /** Absolute path; the file need not exist. */
  readonly baseline: string
  /** A table with fewer rows on the target is locked or written anew in no time, so findings about that are notices there. */
  readonly smallTableRows: number
  /** `on`: a process may stay for a while that answers calls of lint sooner; `auto`: beside the embedded server, which stays as well. */
  readonly resident: Residence
  /** What the rules are told, where something is said. */
  readonly settings: LintDeclarations
}

export type Residence = 'auto' | 'on' | 'off'

type LintDeclarations = Pick<
  LintFile,
  | 'postgresVersion'
  | 'tenantColumn'
  | 'tenantTable'
  | 'sharedTables'
  | 'publishedSchemas'
  | 'naming'
  | 'extensions'
  | 'partitionsAheadMin'
  | 'runnerSetsTimeouts'
>

export function readLint(root: string, file: LintFile | undefined, overlay: LintFile | undefined): LintSetting {
  const {
    rehearsal,
    apply,
    warningsMax,
    ignore,
    baseline,
    smallTableRows,
    resident,
    rules: _,
    ...settings
  } = {
    ...file,
    ...overlay,
    sharedTables: { ...file?.sharedTables, ...overlay?.sharedTables },
    naming: { ...file?.naming, ...overlay?.naming },
  }
  const path = baseline ?? 'lint-baseline.json'
  return {
    declared: file !== undefined || overlay !== undefined,
    rehearsal: rehearsal ?? 'preferred',
    apply: apply ?? 'refuse',
    warningsMax: warningsMax ?? null,
    rules: { ...file?.rules, ...overlay?.rules },
    ignore: ignore ?? [],
    baseline: isAbsolute(path) ? path : join(root, path),
    smallTableRows: smallTableRows ?? 10_000,
    resident: resident ?? 'auto',
    settings,
  }
}

/** Where each value comes from, by its dotted path; what nobody says is a default. */
export function lintOrigins(
  file: LintFile | undefined,
  overlay: LintFile | undefined,
): readonly (readonly [path: string, origin: 'default' | 'file' | 'environment file'])[] {
  const said = (own: LintFile | undefined) =>
    Object.entries(own ?? {}).flatMap(([key, value]) =>
      key === 'rules' ? Object.keys(value as object).map(rule => `lint.rules.${rule}`) : [`lint.${key}`],
    )
  const usual = ['rehearsal', 'apply', 'warningsMax', 'smallTableRows', 'resident'].map(
    key => [`lint.${key}`, 'default'] as const,
  )
  return [
    ...usual,
    ...said(file).map(path => [path, 'file'] as const),
    ...said(overlay).map(path => [path, 'environment file'] as const),
  ]
}
