/** The shapes of the YAML files of an analytics project. What dbt knows and nothing here acts on is named in `keys.ts`. */
import * as z from 'zod'
import type { Place } from '../../errors.ts'

export function projectShape() {
  const paths = (fallback: string) => z.array(z.string()).default([fallback])
  const tree = z.record(z.string(), z.unknown()).nullish()
  const statements = z.union([z.string(), z.array(z.string())]).nullish()
  return z.looseObject({
    name: z.string().regex(/^[a-z_][a-z0-9_]*$/i, 'must be letters, digits and underscores'),
    'model-paths': paths('models'),
    'macro-paths': paths('macros'),
    'test-paths': paths('tests'),
    'analysis-paths': paths('analyses'),
    'seed-paths': paths('seeds'),
    'snapshot-paths': paths('snapshots'),
    'docs-paths': z.array(z.string()).optional(),
    vars: tree,
    models: tree,
    sources: tree,
    tests: tree,
    data_tests: tree,
    unit_tests: tree,
    seeds: tree,
    snapshots: tree,
    'on-run-start': statements,
    'on-run-end': statements,
    'packages-install-path': z.string().default('dbt_packages'),
    dispatch: z.array(z.looseObject({ macro_namespace: z.string(), search_order: z.array(z.string()) })).nullish(),
  })
}

export function propertiesShape() {
  const name = z.string().regex(/^[a-z_][a-z0-9_]*$/i, 'must be letters, digits and underscores')
  const qualified = z.string().regex(/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/i, 'must be schema.name')
  const test = z.union([z.string(), z.record(z.string(), z.unknown().nullable())])
  const tests = { data_tests: z.array(test).nullish(), tests: z.array(test).nullish() }
  const words = z.union([z.string(), z.array(z.string())]).nullish()
  const described = { description: z.string().nullish(), tags: words }
  const capture = z.strictObject({
    table: qualified,
    marks: qualified,
    time_column: name,
    organization_column: name,
    shard_function: qualified,
    shards: z.number().int().min(1).max(32_767),
    reconciled_cells: qualified.optional(),
    seals: qualified.optional(),
    retirements: qualified.optional(),
    maintain: qualified.optional(),
    retire: qualified.optional(),
  })
  const meta = z.looseObject({ plinth: z.looseObject({ capture: capture.optional() }).optional() })
  const config = z.looseObject({ meta: meta.nullish() }).nullish()
  const constraint = z.looseObject({
    type: z.enum(['not_null', 'unique', 'primary_key', 'check', 'foreign_key']),
    name: z.string().nullish(),
    columns: z.array(z.string()).nullish(),
    expression: z.string().nullish(),
    to: z.string().nullish(),
    to_columns: z.array(z.string()).nullish(),
  })
  const column = z.looseObject({
    name: z.string(),
    data_type: z.string().nullish(),
    constraints: z.array(constraint).nullish(),
    ...described,
    ...tests,
  })
  const period = z.enum(['minute', 'hour', 'day'])
  const age = z.looseObject({ count: z.number().int().min(0).nullish(), period: period.nullish() }).nullish()
  const freshness = z.looseObject({ warn_after: age, error_after: age, filter: z.string().nullish() }).nullish()
  const loaded = { freshness, loaded_at_field: z.string().nullish(), loaded_at_query: z.string().nullish() }
  const table = z.looseObject({
    name: z.string(),
    identifier: z.string().nullish(),
    meta: meta.nullish(),
    config,
    columns: z.array(column).nullish(),
    ...loaded,
    ...described,
    ...tests,
  })
  const source = z.looseObject({
    name: z.string(),
    schema: z.string().nullish(),
    database: z.string().nullish(),
    meta: meta.nullish(),
    config,
    tables: z.array(table).nullish(),
    ...loaded,
    ...described,
  })
  const model = z.looseObject({
    name: z.string().min(1),
    config,
    meta: meta.nullish(),
    columns: z.array(column).nullish(),
    constraints: z.array(constraint).nullish(),
    ...described,
    ...tests,
  })
  const rows = z.union([z.array(z.record(z.string(), z.unknown())), z.string()]).nullish()
  const fixture = { rows, format: z.enum(['dict', 'csv', 'sql']).nullish(), fixture: z.string().nullish() }
  const unitTest = z.looseObject({
    name,
    model: z.string(),
    config,
    given: z.array(z.strictObject({ input: z.string(), ...fixture })).nullish(),
    expect: z.strictObject(fixture),
    overrides: z
      .strictObject({
        macros: z.record(z.string(), z.unknown()).nullish(),
        vars: z.record(z.string(), z.unknown()).nullish(),
        env_vars: z.record(z.string(), z.unknown()).nullish(),
      })
      .nullish(),
    ...described,
  })
  const named = z.looseObject({ name: z.string(), config, ...described })
  const passed = z.array(z.unknown()).nullish()
  return z.looseObject({
    version: z.union([z.literal(2), z.literal('2')]).optional(),
    sources: z.array(source).nullish(),
    models: z.array(model).nullish(),
    seeds: z.array(model).nullish(),
    snapshots: z.array(model.extend({ relation: z.string().nullish() })).nullish(),
    metrics: passed,
    semantic_models: passed,
    saved_queries: passed,
    exposures: passed,
    unit_tests: z.array(unitTest).nullish(),
    data_tests: z.array(named).nullish(),
    analyses: z.array(named).nullish(),
  })
}

export type ProjectSettings = z.infer<ReturnType<typeof projectShape>>
export type Properties = z.infer<ReturnType<typeof propertiesShape>>
export type ModelProperties = NonNullable<Properties['models']>[number] & {
  readonly relation?: string | null | undefined
}

export interface PropertiesFile {
  /** As people should read it in messages. */
  readonly file: string
  /** Within the project. */
  readonly path: string
  readonly value: Properties
  readonly place: (path: readonly PropertyKey[]) => Place
}

/** A setting of the file that may be anything: its text when it is a plain value, else undefined. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** A mapping, or an empty one for anything else. */
export function mappingOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** One word or a list of them, as dbt takes tags. */
export function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.flatMap(item => textOf(item) ?? []) : []
}

/** What dbt takes for yes. */
export function isYes(value: unknown): boolean {
  return value === true || (typeof value === 'string' && value.trim().toLowerCase() === 'true')
}
