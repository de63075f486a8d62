/** What a team declares for lint, and what holds where it says nothing. */
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
