/** The shape of `package.yaml` and of the table files of a seed package. What a value may be is told in operators.ts. */
import * as z from 'zod'

const name = z.string().regex(/^[a-z_][a-z0-9_]*$/, 'must be a lower-case name')
const label = z.string().regex(/^[A-Za-z0-9_-]+$/, 'must be a label of letters, digits, - and _')
const instant = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'must be a time such as 2026-11-01T00:00:00Z')
const rowCount = z.number().int().min(0).max(1e10)

/** One condition a column: the value, or a list of values of which one must match. */
const where = z.record(z.string(), z.unknown())

export const packageShape = z.strictObject({
  description: z.string().min(1),
  /** Changes every random value of the package. */
  seed: z.string().min(1),
  /** Ids of rows derive from it; packages that share it give the same rows the same ids. Default: the seed. */
  identity: z.string().min(1).optional(),
  /** The end of the window of time that the package fills; fixed, so that the data are the same on every day. */
  anchor: instant,
  /** The length of that window. */
  weeks: z.number().int().min(1).max(520),
  /** Whether secrets that were made are told once, in the report of the run that made them. */
  secrets: z.enum(['reveal', 'discard']).default('discard'),
  /** Statements that run first; `:from`, `:to` and `:anchor` are times. */
  prepare: z.array(z.string().min(1)).default([]),
  /** Table files in the order of loading; an object can set another number of rows. */
  tables: z.array(z.union([z.string().min(1), z.strictObject({ file: z.string().min(1), rows: rowCount })])).min(1),
})

export const tableShape = z.strictObject({
  table: z.string().regex(/^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/, 'must be a qualified name such as platform.users'),
  kind: z.enum(['reference', 'demo', 'generated']),
  /** The columns by which a row is recognised in the database. */
  key: z.array(name).min(1),
  /** The column that names a row's organization, whose key protects its values. */
  tenant: name.optional(),
  /** Columns and `$variables` in the order of evaluation; rows may set them otherwise. */
  columns: z.record(z.string(), z.unknown()).default({}),
  rows: z.union([
    rowCount,
    z.strictObject({ each: name, times: z.number().int().min(1).max(10_000).default(1), where: where.optional() }),
    z.record(label, z.record(z.string(), z.unknown()).nullable()),
  ]),
})

export type PackageFile = z.infer<typeof packageShape>
export type TableFile = z.infer<typeof tableShape>
