/** What a team declares for lint, and what holds where it says nothing. */
import { nearest, PlinthError } from '../errors.ts'
import type { Severity } from '../schema/finding.ts'
import { frameRules } from './frame-rules.ts'
import type { Settings } from './rule.ts'
import { rules } from './rules/index.ts'

/** Quiet on folders of which nothing is declared. */
export const usualSettings: Settings = {
  postgresVersion: 15,
  tenantColumn: null,
  tenantTable: null,
  sharedTables: {},
  publishedSchemas: [],
  naming: {},
  extensions: null,
  partitionsAheadMin: 1,
  classified: false,
  targetRows: {},
  runnerSetsTimeouts: true,
}

/** What was declared over what is usual; a value that is undefined says nothing. */
export function settingsOf(declared: { readonly [Key in keyof Settings]?: Settings[Key] | undefined }): Settings {
  const said = Object.entries(declared).filter(([, value]) => value !== undefined)
  return { ...usualSettings, ...Object.fromEntries(said) }
}

/** Severities by rule. Throws CONFIG_INVALID for a rule that does not exist, with the nearest that does; `placeOf` tells where it was written. */
export function severitiesOf(
  declared: Readonly<Record<string, Severity>>,
  placeOf: (rule: string) => PlinthError['at'] = () => undefined,
): ReadonlyMap<string, Severity> {
  const known = [...rules, ...frameRules].map(rule => rule.name)
  for (const rule of Object.keys(declared)) {
    if (known.includes(rule)) continue
    const guess = nearest(rule, known)
    throw new PlinthError(
      'CONFIG_INVALID',
      `The configuration speaks of a lint rule "${rule}", which does not exist.`,
      {
        at: placeOf(rule),
        hint: guess ? `Did you mean "${guess}"?` : '`plinth lint --rules` lists the rules.',
      },
    )
  }
  return new Map(Object.entries(declared))
}
