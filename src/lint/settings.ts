/** What a team declares for lint, and what holds where it says nothing. */
import { nearest, PlinthError } from '../errors.ts'
import type { Severity } from '../schema/finding.ts'
import type { Settings } from './rule.ts'

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
export async function severitiesOf(
  declared: Readonly<Record<string, Severity>>,
  placeOf: (rule: string) => PlinthError['at'] = () => undefined,
): Promise<ReadonlyMap<string, Severity>> {
  const names = Object.keys(declared)
  const known = names.length === 0 ? [] : await namesOfRules()
  for (const rule of names) {
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

/** Loaded only where somebody names one, since there are many. */
async function namesOfRules(): Promise<string[]> {
  const { rules } = await import('./rules/index.ts')
  const { frameRules } = await import('./frame-rules.ts')
  return [...rules, ...frameRules].map(rule => rule.name)
}
