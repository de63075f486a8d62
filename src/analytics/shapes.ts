/** The shapes of the YAML files of an analytics project. dbt knows many more keys; they pass unread. */
import * as z from 'zod'
import type { Place } from '../errors.ts'

export function projectShape() {
  const paths = (fallback: string) => z.array(z.string()).default([fallback])
  return z.looseObject({
    name: z.string().regex(/^[a-z_][a-z0-9_]*$/i, 'must be letters, digits and underscores'),
    'model-paths': paths('models'),
    'macro-paths': paths('macros'),
    'test-paths': paths('tests'),
    vars: z.record(z.string(), z.unknown()).optional(),
    models: z.record(z.string(), z.unknown()).optional(),
  })
}

export function propertiesShape() {
  const name = z.string().regex(/^[a-z_][a-z0-9_]*$/i, 'must be letters, digits and underscores')
  const qualified = z.string().regex(/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/i, 'must be schema.name')
  const test = z.union([z.string(), z.record(z.string(), z.unknown().nullable())])
  const tests = { data_tests: z.array(test).optional(), tests: z.array(test).optional() }
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
  const meta = z.looseObject({ plinth: z.strictObject({ capture: capture.optional() }).optional() })
  const config = z.looseObject({ meta: meta.optional() })
  const column = z.looseObject({ name: z.string(), data_type: z.string().optional(), ...tests })
  const table = z.looseObject({
    name,
    identifier: name.optional(),
    meta: meta.optional(),
    config: config.optional(),
    columns: z.array(column).optional(),
    ...tests,
  })
  return z.looseObject({
    version: z.union([z.literal(2), z.literal('2')]).optional(),
    sources: z.array(z.looseObject({ name, schema: name.optional(), tables: z.array(table).default([]) })).optional(),
    models: z.array(z.looseObject({ name, columns: z.array(column).optional(), ...tests })).optional(),
  })
}

export type Properties = z.infer<ReturnType<typeof propertiesShape>>

export interface PropertiesFile {
  /** As people should read it in messages. */
  readonly file: string
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
